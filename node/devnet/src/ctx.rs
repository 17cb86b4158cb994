//! What a piece of the state machine works in: the state, the block, and the events so far.

use std::sync::Arc;

use crate::{address::Account, events::Event, state::State};

/// The block that is being executed, or the last one when something is only tried.
#[derive(Clone)]
pub(crate) struct Ctx {
    pub(crate) state: State,
    pub(crate) height: u64,
    /// Nanoseconds since the epoch.
    pub(crate) time_ns: u64,
    pub(crate) chain_id: Arc<str>,
    /// Who gets the proposer's rewards.
    pub(crate) proposer: Account,
    pub(crate) events: Vec<Event>,
}

impl Ctx {
    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
