//! Starting, serving, stopping.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse as _};
use hearth_base::{Clock, Failure, Kind, Secret, Tasks};
use hearth_chats::{Chats, PdfReader};
use hearth_listen::{BodyRule, Peer, Refusal};
use hearth_store::Store;
use tokio::{net::TcpListener, runtime::Handle, sync::broadcast};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    app::{App, Inner},
    auth::{Keys, Login, SignIns},
    config::Config,
    error::ApiError,
    events,
    host::Host,
    metering::Meter,
    parts::Parts,
    routes,
    signing::SignatureRequests,
    storage::{Contacts, FirstRunStore, Responses, Reviews, Running, SettingsStore, Usage},
};

/// How long connections may take to close once everything on them is cut.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How often what is too old is deleted.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// The fewest characters of the token: 128 bits in hex.
const MIN_TOKEN_CHARS: usize = 32;

/// What [`Api::start`] needs.
pub struct Args {
    pub config: Config,
    /// What the data directory's `api-token` holds.
    pub token: Secret,
    pub store: Store,
    pub clock: Clock,
    pub tasks: Tasks,
    pub host: Arc<dyn Host>,
    pub models: hearth_answers::Models,
    /// Who answers which model.
    pub router: Arc<hearth_answers::Router>,
    pub parts: Parts,
    /// Reads the text of PDFs.
    pub pdf: PdfReader,
    /// Serves `/ipfs/{cid}`; its routes carry that prefix.
    pub ipfs: Router,
}

/// Why the API does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the API cannot listen on {addr} ({source}): is another program there? Choose another port with --listen"
    )]
    Bind {
        addr: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the API is to listen on {addr}, which other computers reach, and no login is set: set a password with \
         `hearth auth password` first, or start it on 127.0.0.1"
    )]
    NoLogin { addr: SocketAddr },
    #[error(
        "the API token is shorter than {MIN_TOKEN_CHARS} characters: delete the file api-token and start again"
    )]
    WeakToken,
    #[error("the API cannot read its data: {0}")]
    Data(#[from] ApiError),
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        Kind::Stop
    }
}

/// The API, listening.
#[derive(Clone)]
pub struct Api {
    app: App,
}

impl Api {
    /// Checks the settings, binds the socket and serves.
    ///
    /// # Errors
    /// A port that is taken, an address beyond loopback without a login, a database that cannot be read.
    pub async fn start(args: Args) -> Result<Api, Error> {
        if args.token.reveal().len() < MIN_TOKEN_CHARS {
            return Err(Error::WeakToken);
        }
        let pool = args.store.pool().clone();
        let login = Login::new(pool.clone(), args.clock.clone());
        let addr = args.config.listen;
        if !addr.ip().is_loopback() && !login.is_set().await? {
            return Err(Error::NoLogin { addr });
        }
        let listener = TcpListener::bind(addr)
            .await
            .map_err(|source| Error::Bind { addr, source })?;
        let addr = listener
            .local_addr()
            .map_err(|source| Error::Bind { addr, source })?;
        let conversations = Chats::new(&args.store, args.clock.clone(), args.pdf);
        conversations.end_interrupted().await.map_err(ApiError::from)?;
        let keys = Keys::new(pool.clone(), args.clock.clone());
        let usage = Usage::new(pool.clone(), args.clock.clone());
        let app = App(Arc::new(Inner {
            addr,
            token: args.token,
            started_at: args.clock.now().into(),
            meter: Meter::new(
                keys.clone(),
                usage.clone(),
                Arc::clone(&args.parts.relay),
                args.clock.clone(),
                args.tasks.clone(),
            ),
            keys,
            usage,
            sign_ins: SignIns::new(pool, args.clock.clone()),
            login,
            settings: SettingsStore::new(&args.store),
            first_run: FirstRunStore::new(&args.store),
            contacts: Contacts::new(&args.store, args.clock.clone()),
            problems: args.store.problems().clone(),
            network_answers: AtomicBool::new(false),
            reviews: Reviews::new(args.clock.clone()),
            role_reviews: Reviews::new(args.clock.clone()),
            signatures: SignatureRequests::new(args.clock.clone()),
            paying: tokio::sync::Mutex::default(),
            conversations,
            scratch: args.store.folder().to_owned(),
            importing: tokio::sync::Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            running: Running::default(),
            responses: Responses::new(&args.store, args.clock.clone()),
            events: broadcast::Sender::new(events::BACKLOG),
            cut: CancellationToken::new(),
            config: args.config,
            tasks: args.tasks,
            models: args.models,
            router: args.router,
            host: args.host,
            parts: args.parts,
        }));
        events::start(&app);
        app.meter.start(app.cut.clone().cancelled_owned());
        forget_old(&app);
        serve(&app, listener, args.ipfs);
        tracing::info!(%addr, "the API listens");
        Ok(Api { app })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.app.addr
    }

    /// Makes sure that `secret`, which begins with `sk-hearth-`, is an API key under this name.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn ensure_key(&self, name: &str, secret: &str) -> Result<(), ApiError> {
        self.app.keys.ensure(name, secret).await
    }

    /// Takes no more connections and ends the event streams. Answers in progress may go on for `config.drain`.
    pub fn stop(&self) {
        self.app.tasks.stop();
    }

    /// Waits until all connections are closed. Call [`Api::stop`] first.
    pub async fn join(&self) {
        self.app.tasks.join().await;
    }
}

fn serve(app: &App, listener: TcpListener, ipfs: Router) {
    let mut limits = app.config.limits.clone();
    limits.body_bytes = app.config.max_body_bytes;
    limits.drain = app.config.drain + CLOSE_WITHIN;
    let ended = hearth_listen::start(hearth_listen::Args {
        socket: listener,
        limits: limits.fitting(hearth_listen::files::limit()),
        service: RouterService(routes::router(app, ipfs)),
        tasks: app.tasks.clone(),
        stopped: app.tasks.token(),
        threads: Box::new(Handle::current),
    });
    let (cut, drain, tasks) = (app.cut.clone(), app.config.drain, app.tasks.clone());
    app.tasks.spawn("drain", async move {
        tasks.stopped().await;
        if tokio::time::timeout(drain, ended.cancelled()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain");
        }
        cut.cancel();
    });
}

/// Responses that nobody asks for and files that nobody sent, a day old, are deleted at the start and every hour.
fn forget_old(app: &App) {
    let (responses, conversations) = (app.responses.clone(), app.conversations.clone());
    app.tasks.spawn_until_stopped("what is old", async move {
        loop {
            if let Err(error) = responses.forget_old().await {
                tracing::warn!(%error, "old responses could not be deleted");
            }
            if let Err(error) = conversations.forget_unsent().await {
                tracing::warn!(%error, "files that were not sent could not be deleted");
            }
            tokio::time::sleep(FORGET_EVERY).await;
        }
    });
}

/// The routes as the listener sees them.
#[derive(Clone)]
struct RouterService(Router);

impl hearth_listen::Service for RouterService {
    type Body = Body;

    async fn call(
        &self,
        request: axum::http::Request<hearth_listen::Body>,
        peer: Peer,
    ) -> axum::response::Response {
        let mut request = request.map(Body::new);
        let (method, headers) = (request.method().clone(), request.headers().clone());
        routes::make_plain(&method, request.uri_mut(), &headers);
        request.extensions_mut().insert(ConnectInfo(peer.address));
        request.extensions_mut().insert(peer);
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn body_rule(&self, head: &axum::http::request::Parts) -> Option<BodyRule> {
        routes::body_rule(&head.method, head.uri.path())
    }

    fn refuse(&self, why: Refusal) -> axum::response::Response {
        let mut response = ApiError::from(why).into_response();
        routes::name_refusal(&mut response);
        response
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({})", self.app.addr)
    }
}
