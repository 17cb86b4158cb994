//! Earning.

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};

use super::extract::{ListQuery, only_parameter};
use crate::{
    app::App,
    control::types::{EarnedRelayList, EarnedSessionList, Earning, EarningPage, EarningSummary},
    error::ApiError,
};

pub(crate) async fn page(State(app): State<App>) -> Result<Json<EarningPage>, ApiError> {
    Ok(Json(app.parts.earn.page().await?))
}

pub(crate) async fn start(State(app): State<App>) -> Result<Json<Earning>, ApiError> {
    Ok(Json(app.parts.earn.start().await?))
}

pub(crate) async fn stop(State(app): State<App>) -> Result<Json<Earning>, ApiError> {
    Ok(Json(app.parts.earn.stop().await?))
}

pub(crate) async fn acknowledge(State(app): State<App>, uri: Uri) -> Result<Json<Earning>, ApiError> {
    let supplier = only_parameter(&uri, "supplier")?;
    Ok(Json(app.parts.earn.acknowledge(supplier.as_deref()).await?))
}

pub(crate) async fn summary(State(app): State<App>) -> Result<Json<EarningSummary>, ApiError> {
    Ok(Json(app.parts.earn.summary().await?))
}

pub(crate) async fn sessions(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<EarnedSessionList>, ApiError> {
    Ok(Json(app.parts.earn.sessions(query.window).await?))
}

pub(crate) async fn relays(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<EarnedRelayList>, ApiError> {
    let mut supplier = None;
    let query = ListQuery::read(&uri, |name, value| {
        let is_known = name == "supplier";
        if is_known {
            supplier = Some(value.to_owned());
        }
        Ok(is_known)
    })?;
    let relays = app
        .parts
        .earn
        .relays(&id, supplier.as_deref(), query.window)
        .await?;
    Ok(Json(relays))
}
