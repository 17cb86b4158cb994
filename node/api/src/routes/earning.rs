//! Earning.

use axum::{
    Json,
    extract::{Path, State},
};

use super::extract::ListQuery;
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
    query: ListQuery,
) -> Result<Json<EarnedRelayList>, ApiError> {
    Ok(Json(app.parts.earn.relays(&id, query.window).await?))
}
