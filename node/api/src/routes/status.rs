//! What runs: status, doctor, set-up, licences, events, the document.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use hearth_answers::sse;
use tokio::sync::broadcast::error::RecvError;

use super::{extract::stream_of, guard::sign_in_of};
use crate::{
    app::App,
    control::{
        openapi::document_text,
        types::{Check, Doctor, Event, Level, LicenceList, Setup, Status},
    },
    error::ApiError,
};

/// Comments that keep a quiet stream open through proxies.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

pub(crate) async fn status(State(app): State<App>) -> Json<Status> {
    Json(now(&app).await)
}

/// The status at this moment.
pub(crate) async fn now(app: &App) -> Status {
    let models = app.models.snapshot().borrow().clone();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: app.started_at,
        network: app.config.network.clone(),
        head: app.parts.network.head(),
        chain_problem: app.parts.network.problem(),
        earning: app.parts.earn.state().await,
        wallet: app.parts.keyring.status(),
        setup: app.host.setup().borrow().clone(),
        loaded_models: models.loaded.into_keys().collect(),
        running_answers: u32::try_from(models.running_local + models.running_paid).unwrap_or(u32::MAX),
        problems: app.problems.all(),
    }
}

pub(crate) async fn doctor(State(app): State<App>) -> Json<Doctor> {
    let mut checks = app.host.doctor().await;
    checks.extend(app.problems.all().into_iter().map(damaged));
    // Fails last, nearest to the prompt; the sort keeps the order among equals.
    checks.sort_by_key(|check| check.level);
    Json(Doctor { checks })
}

/// What is stored and cannot be read.
fn damaged(fact: String) -> Check {
    Check {
        level: Level::Fail,
        code: "stored_damaged".to_owned(),
        subject: "Stored data".to_owned(),
        fact,
        meaning: "It is left as it is, and the rest goes on without it.".to_owned(),
        remedy: Some("Check the disk, and restore a backup if it is missed.".to_owned()),
    }
}

pub(crate) async fn run_setup(State(app): State<App>) -> Response {
    app.host.run_setup();
    let setup: Setup = app.host.setup().borrow().clone();
    std::future::ready((StatusCode::ACCEPTED, Json(setup)).into_response()).await
}

pub(crate) async fn licences(State(app): State<App>) -> Json<LicenceList> {
    std::future::ready(Json(LicenceList {
        licences: app.host.licences(),
    }))
    .await
}

pub(crate) async fn openapi() -> Result<Response, ApiError> {
    let text = document_text().map_err(|error| ApiError::internal(&error))?;
    std::future::ready(Ok(
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    ))
    .await
}

pub(crate) async fn events(State(app): State<App>, headers: HeaderMap) -> Response {
    // Subscribed before the first status is made, so that nothing falls between the two.
    let receiver = app.events.subscribe();
    let stopped = app.tasks.token().cancelled_owned();
    let signed_out = match sign_in_of(&app, &headers) {
        Some(cookie) => app.sign_ins.ended(cookie).boxed(),
        None => std::future::pending().boxed(),
    };
    let first = Event::Status(Box::new(now(&app).await));
    let later = stream::unfold((app, receiver), |(app, mut receiver)| async move {
        let event = match receiver.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => Event::Status(Box::new(now(&app).await)),
            Err(RecvError::Closed) => return None,
        };
        Some((event, (app, receiver)))
    });
    let events = stream::iter([first])
        .chain(later)
        .map(|event| sse::encode(&serde_json::to_vec(&event).unwrap_or_default()));
    stream_of(with_keep_alive(events).take_until(futures::future::select(Box::pin(stopped), signed_out)))
}

/// Adds a comment wherever the stream is quiet for a while.
fn with_keep_alive(
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold(Box::pin(events), |mut events| async move {
        match tokio::time::timeout(KEEP_ALIVE_EVERY, events.next()).await {
            Ok(Some(event)) => Some((event, events)),
            Ok(None) => None,
            Err(_) => Some((sse::keep_alive(), events)),
        }
    })
}
