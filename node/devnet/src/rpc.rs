//! The JSON-RPC server, in CometBFT's shape: POST, GET with arguments, WebSocket.
//!
//! ```text
//! POST / ──┐
//! GET /x ──┼─► faults ─► dispatch ─► routes (blocks, transactions, queries, admin)
//! /websocket ──┘             └─► subscriptions
//! ```

mod abci;
mod admin;
mod args;
mod blocks;
mod guard;
mod json;
mod search;
mod socket;
mod txs;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, RawQuery, Request, State, WebSocketUpgrade},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use hearth_base::Tasks;
use hearth_listen::{Limits, Peer, Refusal};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Handle, sync::Semaphore};
use tower::ServiceExt as _;

use crate::{core::Core, db::DbError};
use args::Args;

/// The largest request: the largest transaction, in hex, and some.
const MAX_BODY: usize = 3 * 1024 * 1024;
/// Requests in one batch.
const MAX_BATCH: usize = 100;
/// WebSockets at once.
const MAX_SOCKETS: usize = 64;

/// More connections than any node, page and wallet of one computer open, and few from elsewhere, where it listens there.
/// The longest call makes a hundred thousand blocks; who reads its answer no faster than that is gone.
const LIMITS: Limits = Limits {
    connections: 64,
    per_address: 32,
    loopback: 256,
    read_within: Duration::from_secs(30),
    busy_within: Some(Duration::from_secs(600)),
    drain: Duration::from_millis(500),
    headers: 100,
    head_bytes: 16 << 10,
    // What is larger than a request may be gets its answer from the routes.
    body_bytes: 2 * MAX_BODY,
    memory_bytes: 64 << 20,
    rate: None,
};

/// The answer of a call, or CometBFT's error object.
type Answer = Result<Value, RpcError>;

/// An error object of JSON-RPC.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}: {data:?}")]
struct RpcError {
    code: i32,
    message: &'static str,
    data: Option<String>,
}

impl RpcError {
    fn internal(data: impl Into<String>) -> RpcError {
        RpcError {
            code: -32603,
            message: "Internal error",
            data: Some(data.into()),
        }
    }

    fn params(data: impl Into<String>) -> RpcError {
        RpcError {
            code: -32602,
            message: "Invalid params",
            data: Some(data.into()),
        }
    }

    fn unknown_method() -> RpcError {
        RpcError {
            code: -32601,
            message: "Method not found",
            data: None,
        }
    }

    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = json!(data);
        }
        error
    }
}

impl From<DbError> for RpcError {
    fn from(error: DbError) -> RpcError {
        tracing::error!(%error, "a call of the devnet failed");
        RpcError::internal(error.to_string())
    }
}

/// What every call is answered with.
#[derive(Clone)]
struct Server {
    core: Arc<Core>,
    address: SocketAddr,
    tasks: Tasks,
    sockets: Arc<Semaphore>,
    /// How often the client of a WebSocket is asked whether it is there.
    ask_every: Duration,
}

/// Answers until the tasks are stopped.
pub(crate) fn serve(
    core: Arc<Core>,
    listener: TcpListener,
    address: SocketAddr,
    ask_every: Duration,
    tasks: &Tasks,
) {
    let server = Server {
        core,
        address,
        tasks: tasks.clone(),
        sockets: Arc::new(Semaphore::new(MAX_SOCKETS)),
        ask_every,
    };
    let router = Router::new()
        .route("/", get(root).post(post))
        .route("/websocket", get(upgrade))
        .route("/{method}", get(uri))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(server.clone(), guard::guard))
        .with_state(server);
    hearth_listen::start(hearth_listen::Args {
        socket: listener,
        limits: LIMITS.fitting(hearth_listen::files::limit()),
        service: Calls(router),
        tasks: tasks.clone(),
        stopped: tasks.token(),
        threads: Box::new(Handle::current),
    });
}

/// The calls as the listener sees them.
#[derive(Clone)]
struct Calls(Router);

impl hearth_listen::Service for Calls {
    type Body = Body;

    async fn call(&self, request: Request<hearth_listen::Body>, _: Peer) -> Response {
        match self.0.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn refuse(&self, why: Refusal) -> Response {
        let status = match why {
            Refusal::LargeHead { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        };
        status.into_response()
    }
}

async fn root(State(server): State<Server>) -> Response {
    let calls: Vec<String> = METHODS
        .iter()
        .map(|method| format!("http://{}/{method}", server.address))
        .collect();
    calls.join("\n").into_response()
}

/// All calls that can be asked over HTTP.
const METHODS: &[&str] = &[
    "abci_info",
    "abci_query",
    "block",
    "block_by_hash",
    "block_results",
    "block_search",
    "blockchain",
    "broadcast_tx_async",
    "broadcast_tx_commit",
    "broadcast_tx_sync",
    "check_tx",
    "commit",
    "consensus_params",
    "devnet_accounts",
    "devnet_fault",
    "devnet_faucet",
    "devnet_produce",
    "devnet_set_params",
    "genesis",
    "header",
    "header_by_hash",
    "health",
    "net_info",
    "num_unconfirmed_txs",
    "status",
    "tx",
    "tx_search",
    "unconfirmed_txs",
    "validators",
];

impl Server {
    /// Answers one call, unless a fault is due.
    async fn call(&self, method: &str, args: &Args) -> Answer {
        if let Some(delay) = self.core.faults.rpc_delay(method) {
            tokio::time::sleep(delay).await;
        }
        if self.core.faults.rpc_error(method) {
            return Err(RpcError::internal("this error was asked for"));
        }
        self.dispatch(method, args).await
    }

    async fn dispatch(&self, method: &str, args: &Args) -> Answer {
        match method {
            "health" => Ok(json!({})),
            "status" => self.status().await,
            "net_info" => Ok(json!({"listening": true, "listeners": [], "n_peers": "0", "peers": []})),
            "genesis" => self.genesis().await,
            "consensus_params" => self.consensus_params(args),
            "validators" => self.validators(args),
            "abci_info" => Ok(self.abci_info()),
            "abci_query" => self.abci_query(args),
            "block" => self.block(args).await,
            "block_by_hash" => self.block_by_hash(args).await,
            "block_results" => self.block_results(args).await,
            "blockchain" => self.blockchain(args).await,
            "header" => self.header(args).await,
            "header_by_hash" => self.header_by_hash(args).await,
            "commit" => self.commit(args).await,
            "tx" => self.tx(args).await,
            "tx_search" => self.tx_search(args).await,
            "block_search" => self.block_search(args).await,
            "unconfirmed_txs" => Ok(self.unconfirmed_txs(true)),
            "num_unconfirmed_txs" => Ok(self.unconfirmed_txs(false)),
            "check_tx" => self.check_tx(args),
            "broadcast_tx_sync" | "broadcast_tx_async" => self.broadcast(args),
            "broadcast_tx_commit" => self.broadcast_commit(args).await,
            "devnet_faucet" => self.faucet(args).await,
            "devnet_produce" => self.produce(args).await,
            "devnet_set_params" => self.set_params(args),
            "devnet_fault" => self.fault(args),
            "devnet_accounts" => Ok(self.accounts()),
            _ => Err(RpcError::unknown_method()),
        }
    }

    async fn answer_one(&self, request: &Value) -> Option<Value> {
        let id = request.get("id").cloned();
        let Some(method) = request.get("method").and_then(Value::as_str) else {
            let error = RpcError {
                code: -32600,
                message: "Invalid Request",
                data: None,
            };
            return Some(wrap(id.unwrap_or(json!(-1)), Err(error)));
        };
        let answer = match Args::from_json(method, request.get("params")) {
            Ok(args) => self.call(method, &args).await,
            Err(error) => Err(error),
        };
        // A call without an id wants no answer.
        id.map(|id| wrap(id, answer))
    }
}

fn wrap(id: Value, answer: Answer) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()}),
    }
}

fn respond(status: StatusCode, value: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn post(State(server): State<Server>, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        let error = RpcError {
            code: -32700,
            message: "Parse error",
            data: Some("the body is no JSON".to_owned()),
        };
        return respond(StatusCode::OK, &wrap(json!(-1), Err(error)));
    };
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    if server.core.faults.rpc_garbage(method) {
        return "<html>502 Bad Gateway</html>".into_response();
    }
    let Value::Array(batch) = request else {
        return match server.answer_one(&request).await {
            Some(answer) => respond(StatusCode::OK, &answer),
            None => StatusCode::OK.into_response(),
        };
    };
    if batch.len() > MAX_BATCH {
        let error = RpcError {
            code: -32600,
            message: "Invalid Request",
            data: Some("the batch is too large".to_owned()),
        };
        return respond(StatusCode::OK, &wrap(json!(-1), Err(error)));
    }
    let mut answers = Vec::with_capacity(batch.len());
    for request in &batch {
        answers.extend(server.answer_one(request).await);
    }
    respond(StatusCode::OK, &Value::Array(answers))
}

async fn uri(
    State(server): State<Server>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if server.core.faults.rpc_garbage(&method) {
        return "<html>502 Bad Gateway</html>".into_response();
    }
    let args = Args::from_query(query.as_deref().unwrap_or_default());
    let answer = server.call(&method, &args).await;
    let status = match &answer {
        Ok(_) => StatusCode::OK,
        Err(error) if error.code == -32601 => StatusCode::NOT_FOUND,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    respond(status, &wrap(json!(-1), answer))
}

async fn upgrade(State(server): State<Server>, socket: WebSocketUpgrade) -> Response {
    let Ok(place) = Arc::clone(&server.sockets).try_acquire_owned() else {
        let text = format!("{MAX_SOCKETS} WebSockets are open, and no more are taken");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let tasks = server.tasks.clone();
    socket.on_upgrade(move |socket| async move {
        // The connection ends with the devnet.
        tokio::select! {
            () = tasks.stopped() => {}
            () = socket::talk(server, socket) => {}
        }
        drop(place);
    })
}
