//! What all routes share.

use std::{
    net::SocketAddr,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use hearth_base::{Secret, Tasks};
use hearth_chats::Chats;
use hearth_store::Problems;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Keys, Login, SignIns},
    config::Config,
    control::types::{Event, Timestamp},
    host::Host,
    metering::Meter,
    parts::Parts,
    signing::SignatureRequests,
    storage::{
        Contacts, FirstRunStore, Responses, ReviewedPayment, ReviewedRole, Reviews, Running, SettingsStore,
        Usage,
    },
};

/// The state of the API. Clones are the same.
#[derive(Clone)]
pub(crate) struct App(pub(crate) Arc<Inner>);

/// What the API is made of.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) addr: SocketAddr,
    pub(crate) token: Secret,
    pub(crate) started_at: Timestamp,
    pub(crate) tasks: Tasks,
    /// Cancelled when answers in progress must end too.
    pub(crate) cut: CancellationToken,
    pub(crate) keys: Keys,
    pub(crate) usage: Usage,
    /// Checks and counts every answer.
    pub(crate) meter: Meter,
    pub(crate) sign_ins: SignIns,
    pub(crate) login: Login,
    pub(crate) settings: SettingsStore,
    pub(crate) first_run: FirstRunStore,
    pub(crate) contacts: Contacts,
    /// What was found damaged or unreadable since the start.
    pub(crate) problems: Problems,
    pub(crate) reviews: Reviews<ReviewedPayment>,
    pub(crate) role_reviews: Reviews<ReviewedRole>,
    /// What programs ask the owner to sign.
    pub(crate) signatures: SignatureRequests,
    /// Held while the owner signs.
    pub(crate) paying: tokio::sync::Mutex<()>,
    pub(crate) conversations: Chats,
    /// Where large files lie for a moment.
    pub(crate) scratch: PathBuf,
    /// Held while conversations come in from a file.
    pub(crate) importing: tokio::sync::Mutex<()>,
    /// Held while another program's file is written.
    pub(crate) connecting: tokio::sync::Mutex<()>,
    pub(crate) running: Running,
    /// Answers of `/v1/responses`.
    pub(crate) responses: Responses,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) models: hearth_answers::Models,
    /// Who answers which model.
    pub(crate) router: Arc<hearth_answers::Router>,
    /// Whether the models of the network were found to answer since the set-up ended.
    pub(crate) network_answers: AtomicBool,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) parts: Parts,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// The name of the cookie. It has the port, since browsers share cookies between the ports of a host, and two
    /// nodes on one computer must not sign each other out.
    pub(crate) fn cookie_name(&self) -> String {
        format!("hearth_session_{}", self.addr.port())
    }

    /// Tells everybody who listens.
    pub(crate) fn tell(&self, event: Event) {
        // An error says that nobody listens.
        let _ = self.events.send(event);
    }
}
