//! Events of all parts, brought together for everybody who listens.

use futures::{StreamExt, stream::SelectAll};
use tokio_stream::wrappers::WatchStream;

use crate::{
    app::App,
    control::types::{Changed, Event},
};

/// Events that a slow listener may be behind. The largest, a status, has some 4 KiB: 1 MiB for all listeners together.
pub(crate) const BACKLOG: usize = 256;

/// Passes the events of all parts on until the API stops.
pub(crate) fn start(app: &App) {
    let mut all = SelectAll::new();
    all.push(app.parts.earn.events());
    all.push(app.parts.keyring.events());
    all.push(app.parts.money.events());
    all.push(app.parts.network.events());
    all.push(app.parts.model_store.events());
    // A watch gives its present value first, which a listener has from `status` already.
    all.push(
        WatchStream::new(app.host.setup())
            .skip(1)
            .map(Event::Setup)
            .boxed(),
    );
    all.push(
        WatchStream::new(app.models.snapshot())
            .skip(1)
            .map(|_| Event::Models(Changed { height: None }))
            .boxed(),
    );
    let sender = app.events.clone();
    app.tasks.spawn_until_stopped("events", async move {
        while let Some(event) = all.next().await {
            // An error says that nobody listens.
            let _ = sender.send(event);
        }
    });
}
