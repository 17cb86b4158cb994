//! Settings that the page may change.

use axum::{Json, extract::State};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{Settings, SettingsPatch},
    error::ApiError,
};

pub(crate) async fn get(State(app): State<App>) -> Result<Json<Settings>, ApiError> {
    all(&app).await
}

pub(crate) async fn change(
    State(app): State<App>,
    Input(patch): Input<SettingsPatch>,
) -> Result<Json<Settings>, ApiError> {
    if let Some(cap) = patch.daily_cap {
        app.parts.relay.set_daily_cap(cap).await?;
    }
    app.settings.change(patch).await?;
    all(&app).await
}

async fn all(app: &App) -> Result<Json<Settings>, ApiError> {
    let kept = app.settings.get().await?;
    Ok(Json(Settings {
        theme: kept.theme,
        language: kept.language,
        announce: kept.announce,
        default_model: kept.default_model,
        system_prompt: kept.system_prompt,
        network_budget: app.parts.relay.budget().await?,
        configured: app.host.configured(),
    }))
}
