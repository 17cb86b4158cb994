//! The chain: where trust begins, its endpoints, what they said that is false.

use axum::{Json, extract::State};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{
        AddEndpoint, EndpointTrialList, FalseAnswerList, GiveAnchor, NameEndpoint, NetworkPage, TryEndpoints,
    },
    error::ApiError,
};

/// The longest address that anybody has.
const MAX_URL: usize = 2_000;

pub(crate) async fn page(State(app): State<App>) -> Result<Json<NetworkPage>, ApiError> {
    Ok(Json(app.parts.network.page().await?))
}

pub(crate) async fn prefer_anchor(State(app): State<App>) -> Result<Json<NetworkPage>, ApiError> {
    app.parts.network.prefer_anchor().await?;
    page(State(app)).await
}

pub(crate) async fn give_anchor(
    State(app): State<App>,
    Input(anchor): Input<GiveAnchor>,
) -> Result<Json<NetworkPage>, ApiError> {
    app.parts.network.give_anchor(&anchor).await?;
    page(State(app)).await
}

pub(crate) async fn forget_anchor(State(app): State<App>) -> Result<Json<NetworkPage>, ApiError> {
    app.parts.network.forget_anchor().await?;
    page(State(app)).await
}

pub(crate) async fn add_endpoint(
    State(app): State<App>,
    Input(endpoint): Input<AddEndpoint>,
) -> Result<Json<NetworkPage>, ApiError> {
    if endpoint.url.len() > MAX_URL {
        return Err(ApiError::refused("endpoint_wrong", "the address is far too long"));
    }
    app.parts.network.add_endpoint(&endpoint.url).await?;
    page(State(app)).await
}

pub(crate) async fn remove_endpoint(
    State(app): State<App>,
    Input(named): Input<NameEndpoint>,
) -> Result<Json<NetworkPage>, ApiError> {
    app.parts.network.remove_endpoint(&named.endpoint).await?;
    page(State(app)).await
}

pub(crate) async fn try_endpoints(
    State(app): State<App>,
    Input(which): Input<TryEndpoints>,
) -> Result<Json<EndpointTrialList>, ApiError> {
    let trials = app.parts.network.try_endpoints(which.endpoint.as_deref()).await?;
    Ok(Json(EndpointTrialList { trials }))
}

pub(crate) async fn false_answers(State(app): State<App>) -> Result<Json<FalseAnswerList>, ApiError> {
    let answers = app.parts.network.false_answers().await?;
    Ok(Json(FalseAnswerList { answers }))
}
