//! The window: the page of the node in a web view, one instance, a tray where there is one.
//!
//! The window holds no logic: it opens the same page that a browser opens, and the tray asks the same API that the
//! command line asks. If a daemon runs on the data directory already, the window attaches to it.

mod locale;
mod tray;

use std::{
    io::IsTerminal as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use hearth_node::Node;
use parking_lot::Mutex;
use tauri::{Manager as _, RunEvent, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};

use crate::cli::{Args, Client, Done, Exit, Fault, Out, Place, Warning, plain_log, start_node};

/// What the window speaks to: its own node, or a daemon that was there before.
struct Session {
    client: Client,
    node: Mutex<Option<Node>>,
    /// Tells windows on other data directories apart.
    instance: String,
    stop_within: Duration,
    /// What quitting may cost; nothing where a daemon goes on.
    warning: Warning,
    was_warned: AtomicBool,
    runtime: tokio::runtime::Handle,
}

impl Session {
    /// Stops the own node, if it is one, within its deadline.
    fn stop(&self) {
        let node = self.node.lock().take();
        if let Some(node) = node {
            self.runtime.block_on(node.stop());
        }
    }

    /// Whether the program may end now. Where that costs something, the first time only says so.
    fn may_quit(&self, app: &tauri::AppHandle) -> bool {
        let Some(words) = self.warning.get().and_then(|warning| warning()) else {
            return true;
        };
        if self.was_warned.swap(true, Ordering::SeqCst) {
            return true;
        }
        let Some(window) = app.get_webview_window(WINDOW) else {
            return true;
        };
        show(&window);
        let words = serde_json::json!(format!("{words}\n\nQuit again to stop now."));
        // A page that cannot say it must not keep anybody from quitting.
        window.eval(format!("alert({words})")).is_err()
    }
}

/// Opens the window and stays until it is closed.
pub(crate) fn open(runtime: &tokio::runtime::Runtime, args: &Args, out: &Out) -> Done {
    if !has_display() {
        return Err(Fault::not_ready("no_display", "there is no display for a window")
            .remedy("run `hearth --daemon` and open its page in a browser")
            .into());
    }
    // WebKit gives a white page under the C locale; the process starts anew with a usable one.
    locale::restart_with_usable_locale();
    let place = Place::wanted(args)?;
    let _log = plain_log(&place)?;
    let session = Arc::new(runtime.block_on(attach_or_start(args, place))?);
    // The token in the address is for eyes.
    if std::io::stderr().is_terminal() {
        out.hint(&format!("Hearth's page is also at {}", session.client.page_url()));
    }
    run(&session).map_err(Exit::from)
}

async fn attach_or_start(args: &Args, place: Place) -> Result<Session, Exit> {
    let runtime = tokio::runtime::Handle::current();
    let instance = instance_of(place.layout.root());
    let stop_within = Duration::from_secs(place.layered.settings.stop_within_s);
    if let Ok(client) = Client::connect(&place).await {
        return Ok(Session {
            client,
            node: Mutex::new(None),
            instance,
            stop_within,
            warning: Warning::default(),
            was_warned: AtomicBool::new(false),
            runtime,
        });
    }
    let node = start_node(place).await?;
    let warning = Warning::default();
    warning.get_or_init(|| node.stop_warning());
    // The node wrote its address into the data directory.
    let client = Client::connect(&Place::wanted(args)?).await?;
    Ok(Session {
        client,
        node: Mutex::new(Some(node)),
        instance,
        stop_within,
        warning,
        was_warned: AtomicBool::new(false),
        runtime,
    })
}

/// A name on the session bus for the window of a data directory: one directory has one window, two have two.
fn instance_of(root: &std::path::Path) -> String {
    // FNV-1a: a bus name takes letters and digits only, and no secret hangs on it.
    let hash = root
        .to_string_lossy()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("network.hearth.app.d{hash:016x}")
}

fn run(session: &Arc<Session>) -> anyhow::Result<()> {
    let url: tauri::Url = session
        .client
        .page_url()
        .parse()
        .context("the page has no address")?;
    let origin = url.origin();
    let tray_session = Arc::clone(session);
    let app = tauri::Builder::default()
        .plugin(
            tauri_plugin_single_instance::Builder::new()
                .dbus_id(session.instance.clone())
                .callback(|app, _args, _folder| {
                    if let Some(window) = app.get_webview_window(WINDOW) {
                        show(&window);
                    }
                })
                .build(),
        )
        .plugin(tauri_plugin_opener::init())
        .setup(move |app| {
            let handle = app.handle().clone();
            WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::External(url))
                .title("Hearth")
                .inner_size(1280.0, 800.0)
                .min_inner_size(360.0, 480.0)
                // Files are dropped onto the page, which sends them with a question.
                .disable_drag_drop_handler()
                // Links to other places open in the browser; the window shows the node alone.
                .on_navigation(move |target| {
                    if target.origin() == origin {
                        return true;
                    }
                    use tauri_plugin_opener::OpenerExt as _;
                    if let Err(error) = handle.opener().open_url(target.as_str(), None::<&str>) {
                        tracing::warn!(%error, "the browser could not be opened");
                    }
                    false
                })
                .build()?;
            tray::build(app.handle(), &tray_session);
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window cannot be opened")?;
    watch_signals(session, app.handle().clone());
    let session = Arc::clone(session);
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign list of events, of which two concern us"
    )]
    app.run(move |app, event| match event {
        // With a tray, closing hides; without one nobody could bring the window back, so closing ends.
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } if label == WINDOW => {
            if tray::is_there(app) {
                api.prevent_close();
                if let Some(window) = app.get_webview_window(WINDOW) {
                    let _ = window.hide();
                }
            } else if !session.may_quit(app) {
                api.prevent_close();
            }
        }
        RunEvent::Exit => session.stop(),
        _ => {}
    });
    Ok(())
}

/// The label of the one window.
const WINDOW: &str = "main";

fn show(window: &WebviewWindow) {
    // A window that cannot be raised is the window manager's choice.
    let _ = window.show();
    let _ = window.unminimize();
    let _ = window.set_focus();
}

/// A SIGTERM ends the window as Quit does, and so does a task of the own node that panicked: half a node must not
/// go on serving.
fn watch_signals(session: &Arc<Session>, app: tauri::AppHandle) {
    let Ok(signal) = crate::cli::stop_signal(session.stop_within, Arc::clone(&session.warning)) else {
        return;
    };
    let failed = session.node.lock().as_ref().map(Node::failed);
    session.runtime.spawn(async move {
        let failed = async move {
            match failed {
                Some(failed) => failed.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = signal => app.exit(0),
            name = failed => {
                tracing::error!(%name, "a task failed: Hearth stops; nothing that was answered is lost");
                app.exit(1);
            }
        }
    });
}

#[cfg(target_os = "linux")]
fn has_display() -> bool {
    #[allow(
        clippy::disallowed_methods,
        reason = "these variables are the desktop's, not settings of ours"
    )]
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()))
}

#[cfg(not(target_os = "linux"))]
fn has_display() -> bool {
    true
}
