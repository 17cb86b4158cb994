//! Answers: status, headers, and a body that is made while it is sent.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_LOCATION,
            CONTENT_RANGE, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::Response,
};
use bytes::Bytes;
use cid::{Cid, multihash::Multihash};
use futures::stream;

use super::{
    Blocks,
    request::{CarOptions, Format, GatewayRequest, Refusal, Scope},
    walk::{self, Outcome, Resolved, Walk},
};
use crate::{
    block::{Block, IDENTITY, RAW, sha256},
    car,
};

const RAW_TYPE: &str = "application/vnd.ipld.raw";
const CAR_TYPE: &str = "application/vnd.ipld.car";
/// Content never changes under its CID; this is 48 weeks, as boxo says.
const FOR_EVER: &str = "public, max-age=29030400, immutable";

/// Looks up and answers.
pub(super) async fn respond(blocks: Arc<dyn Blocks>, wanted: GatewayRequest) -> Response {
    let resolved = match walk::resolve(blocks.as_ref(), wanted.cid, &wanted.path).await {
        Ok(resolved) => resolved,
        Err(error) => return internal_error(&error),
    };
    match &wanted.format {
        Format::Raw => raw(blocks.as_ref(), &wanted, &resolved).await,
        Format::Car(options) => car(blocks, &wanted, options.clone(), resolved).await,
    }
}

/// The answer to HEAD: all but the body.
pub(super) fn without_body(response: Response) -> Response {
    let (head, _body) = response.into_parts();
    Response::from_parts(head, Body::empty())
}

async fn raw(blocks: &dyn Blocks, wanted: &GatewayRequest, resolved: &Resolved) -> Response {
    let cid = match &resolved.outcome {
        Outcome::Found(cid) => *cid,
        Outcome::NoSuchName(name) => return absent(wanted, format!("there is nothing named \"{name}\"")),
        Outcome::Missing(cid) => return absent(wanted, format!("block {cid} is not here")),
    };
    let block = match blocks.get(&cid).await {
        Ok(Some(block)) => block,
        Ok(None) => return absent(wanted, format!("block {cid} is not here")),
        Err(error) => return internal_error(&error),
    };
    let etag = format!("\"{cid}.raw\"");
    if is_known(wanted, &etag) {
        return unchanged(&etag);
    }
    let bytes = block.into_bytes();
    let size = bytes.len();
    let part = match wanted.range.as_deref().map(|text| range(text, size)) {
        None | Some(Range::None) => None,
        Some(Range::Part(from, end)) => Some((from, end)),
        Some(Range::Unsatisfiable) => {
            let text = format!("the block has {size} bytes");
            let mut response = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, text).into();
            set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    let (status, body) = match part {
        None => (StatusCode::OK, bytes),
        Some((from, end)) => (StatusCode::PARTIAL_CONTENT, bytes.slice(from..end)),
    };
    let length = body.len();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some((from, end)) = part {
        set(
            &mut response,
            CONTENT_RANGE,
            &format!("bytes {from}-{}/{size}", end - 1),
        );
    }
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    set(&mut response, CONTENT_TYPE, RAW_TYPE);
    set(&mut response, ACCEPT_RANGES, "bytes");
    common(&mut response, wanted, resolved, &etag, &format!("{cid}.bin"));
    response
}

async fn car(
    blocks: Arc<dyn Blocks>,
    wanted: &GatewayRequest,
    options: CarOptions,
    resolved: Resolved,
) -> Response {
    // A block that is not here is said so; an empty CAR would be an answer that says nothing.
    let first = match &resolved.outcome {
        Outcome::Found(_) if !resolved.passed.is_empty() => None,
        Outcome::Found(cid) => Some(*cid),
        Outcome::Missing(cid) if resolved.passed.is_empty() => Some(*cid),
        Outcome::NoSuchName(_) | Outcome::Missing(_) => None,
    };
    if let Some(cid) = first {
        match blocks.get(&cid).await {
            Ok(Some(_)) => {}
            Ok(None) => return absent(wanted, format!("block {cid} is not here")),
            Err(error) => return internal_error(&error),
        }
    }
    let dups = if options.dups { "y" } else { "n" };
    let order = options.order;
    let etag = car_etag(wanted, &options);
    if is_known(wanted, &etag) {
        return unchanged(&etag);
    }
    let goal = match &resolved.outcome {
        Outcome::Found(cid) => Some(*cid),
        Outcome::NoSuchName(_) | Outcome::Missing(_) => None,
    };
    // Where the path leads nowhere, the CAR holds what shows that, under the CID of nothing.
    let root = goal.unwrap_or_else(nothing);
    let mut names = vec![wanted.cid.to_string()];
    names.extend(wanted.path.last().cloned());
    let file_name = format!("{}.car", names.join("_"));
    let walk = Walk::new(blocks, options, resolved.passed.clone(), goal);
    let mut response = Response::new(Body::from_stream(car_stream(root, walk)));
    set(
        &mut response,
        CONTENT_TYPE,
        &format!("{CAR_TYPE}; version=1; order={order}; dups={dups}"),
    );
    set(&mut response, ACCEPT_RANGES, "none");
    common(&mut response, wanted, &resolved, &etag, &file_name);
    response
}

/// The header, then a section for each block. Trouble with the database cuts the connection.
fn car_stream(root: Cid, walk: Walk) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let first = stream::iter([Ok(Bytes::from(car::header(root)))]);
    let sections = stream::try_unfold((walk, None::<Block>), |(mut walk, body)| async move {
        if let Some(block) = body {
            return Ok(Some((block.into_bytes(), (walk, None))));
        }
        match walk.next().await {
            Ok(Some(block)) => Ok(Some((
                Bytes::from(car::section_head(&block)),
                (walk, Some(block)),
            ))),
            Ok(None) => Ok(None),
            Err(error) => Err(std::io::Error::other(error)),
        }
    });
    futures::StreamExt::chain(first, sections)
}

/// The CID of no bytes.
fn nothing() -> Cid {
    Cid::new_v1(RAW, Multihash::wrap(IDENTITY, &[]).unwrap_or_default())
}

/// Weak, since the order of blocks is no promise.
fn car_etag(wanted: &GatewayRequest, options: &CarOptions) -> String {
    let scope = match options.scope {
        Scope::Block => "block".to_owned(),
        Scope::All => "all".to_owned(),
        Scope::Entity(range) => format!("entity {range:?}"),
    };
    let text = format!(
        "{} {scope} {} {}",
        wanted.path.join("/"),
        options.dups,
        options.order
    );
    format!(
        "W/\"{}.car.{}\"",
        wanted.cid,
        hex::encode(&sha256(text.as_bytes())[..8])
    )
}

fn common(
    response: &mut Response,
    wanted: &GatewayRequest,
    resolved: &Resolved,
    etag: &str,
    file_name: &str,
) {
    let path: String = wanted.path.iter().map(|name| format!("/{name}")).collect();
    let path = format!("/ipfs/{}{path}", wanted.cid);
    let roots: Vec<String> = resolved.roots.iter().map(Cid::to_string).collect();
    // What a header cannot hold is left out of the name: quotes and all but plain ASCII.
    let plain: String = file_name
        .chars()
        .map(|letter| {
            if letter.is_ascii_graphic() && letter != '"' && letter != '\\' {
                letter
            } else {
                '_'
            }
        })
        .collect();
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{plain}");
    set(response, ETAG, etag);
    set(response, CACHE_CONTROL, FOR_EVER);
    set(response, CONTENT_DISPOSITION, &disposition);
    set(response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(response, HeaderName::from_static("x-ipfs-path"), &path);
    set(
        response,
        HeaderName::from_static("x-ipfs-roots"),
        &roots.join(","),
    );
    if let Some(query) = &wanted.own_query {
        set(response, CONTENT_LOCATION, &format!("{path}?{query}"));
    }
}

/// Sets a header; a value that no header can hold is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn absent(wanted: &GatewayRequest, text: String) -> Response {
    let status = if wanted.only_if_cached {
        StatusCode::PRECONDITION_FAILED
    } else {
        StatusCode::NOT_FOUND
    };
    Refusal::new(status, text).into()
}

fn unchanged(etag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut response, ETAG, etag);
    response
}

fn internal_error(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = %hearth_base::failure::chain(error), "blocks cannot be looked up");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "blocks cannot be looked up now",
    )
    .into()
}

fn is_known(wanted: &GatewayRequest, etag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = wanted.if_none_match.as_deref().unwrap_or_default();
    known
        .split(',')
        .any(|tag| tag.trim() == "*" || strong(tag) == strong(etag))
}

enum Range {
    None,
    Part(usize, usize),
    Unsatisfiable,
}

/// The first range of a `Range` header; what is no range of bytes is ignored, as HTTP asks.
fn range(text: &str, size: usize) -> Range {
    let Some(first) = text
        .trim()
        .strip_prefix("bytes=")
        .and_then(|list| list.split(',').next())
    else {
        return Range::None;
    };
    let Some((from, to)) = first.trim().split_once('-') else {
        return Range::None;
    };
    let (from, end) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.saturating_add(1).min(size)),
        (Ok(from), Err(_)) if to.is_empty() => (from, size),
        (Err(_), Ok(last)) if from.is_empty() => (size.saturating_sub(last), size),
        _ => return Range::None,
    };
    if from < end {
        Range::Part(from, end)
    } else {
        Range::Unsatisfiable
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let Refusal { status, text } = refusal;
        let mut response = Response::new(Body::from(text.clone()));
        *response.status_mut() = status;
        set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
        set(&mut response, CONTENT_LENGTH, &text.len().to_string());
        set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
        if status == StatusCode::METHOD_NOT_ALLOWED {
            set(&mut response, ALLOW, "GET, HEAD, OPTIONS");
        }
        response
    }
}
