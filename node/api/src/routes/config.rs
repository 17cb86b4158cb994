//! The configuration, changed from the page, and the new start that most of it needs.

use std::net::SocketAddr;

use axum::{Json, extract::State, http::StatusCode};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{ConfigPage, ConfigPatch},
    error::ApiError,
};

/// Changes of one call: there are fewer settings.
const MAX_CHANGES: usize = 200;

pub(crate) async fn page(State(app): State<App>) -> Result<Json<ConfigPage>, ApiError> {
    app.host.config().await.map(Json)
}

pub(crate) async fn change(
    State(app): State<App>,
    Input(patch): Input<ConfigPatch>,
) -> Result<Json<ConfigPage>, ApiError> {
    if patch.changes.len() > MAX_CHANGES {
        let message = format!("at most {MAX_CHANGES} settings can be changed at once");
        return Err(ApiError::bad_request(message));
    }
    // The next start would refuse it.
    let opens = patch.changes.iter().any(|change| {
        let address = change.value.as_ref().and_then(|value| value.trim().parse().ok());
        change.key == "api.listen" && address.is_some_and(|address: SocketAddr| !address.ip().is_loopback())
    });
    if opens && !app.login.is_set().await? {
        return Err(ApiError::conflict(
            "login_first",
            "the page is to be reached from other computers, and no password is set for them",
        ));
    }
    app.host.change_config(patch.changes).await.map(Json)
}

pub(crate) async fn restart(State(app): State<App>) -> Result<StatusCode, ApiError> {
    if app.host.restart() {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::conflict(
        "no_restart",
        "this program cannot start itself anew",
    ))
}
