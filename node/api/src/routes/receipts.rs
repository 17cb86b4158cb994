//! Receipts of answers that were bought on the network, those of `/v1` included.

use axum::{
    Json,
    extract::{Path, State},
};
use uuid::Uuid;

use super::extract::ListQuery;
use crate::{
    app::App,
    control::types::{BoughtAnswer, BoughtAnswerList},
    error::ApiError,
};

pub(crate) async fn list(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<BoughtAnswerList>, ApiError> {
    Ok(Json(app.parts.relay.receipts(query.window).await?))
}

pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<BoughtAnswer>, ApiError> {
    let unknown = || ApiError::not_found("receipt");
    let id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    app.parts.relay.receipt(id).await?.map(Json).ok_or_else(unknown)
}
