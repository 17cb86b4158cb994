//! The trustless gateway: blocks of our models for anybody who may ask, as raw blocks and CARs.
//!
//! Specification: `ipfs/specs: src/http-gateways/trustless-gateway.md`; where it leaves a choice, answers are those
//! of boxo, which other programs expect. Who may ask is decided by whoever mounts the router.

mod request;
mod respond;
mod walk;

use std::sync::Arc;

use axum::{Router, extract::State, http::Request, response::Response, routing::any};

pub use crate::filestore::Blocks;

/// What is served besides blocks by their own CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: a raw block is asked for by its CID alone.
    Trustless,
    /// Also the root block behind a path.
    Paths,
}

#[derive(Clone)]
struct Gateway {
    blocks: Arc<dyn Blocks>,
    mode: Mode,
}

/// A router with `/ipfs/{cid}` and `/ipfs/{cid}/{path}`.
pub fn router(blocks: Arc<dyn Blocks>, mode: Mode) -> Router {
    Router::new()
        .route("/ipfs/{*path}", any(answer))
        .with_state(Gateway { blocks, mode })
}

async fn answer(State(gateway): State<Gateway>, request: Request<axum::body::Body>) -> Response {
    let is_head = request.method() == axum::http::Method::HEAD;
    let (head, _body) = request.into_parts();
    let response = match request::read(&head, gateway.mode) {
        Ok(wanted) => respond::respond(gateway.blocks, wanted).await,
        Err(refusal) => refusal.into(),
    };
    if is_head {
        respond::without_body(response)
    } else {
        response
    }
}

/// Reads a request that is made of any bytes; a fuzz target calls it.
pub(crate) fn fuzz(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (uri, accept) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let request = Request::builder()
        .uri(uri)
        .header(axum::http::header::ACCEPT, accept)
        .body(());
    if let Ok(request) = request {
        let (head, ()) = request.into_parts();
        for mode in [Mode::Trustless, Mode::Paths] {
            if let Ok(wanted) = request::read(&head, mode) {
                wanted.check();
            }
        }
    }
}
