//! Settings that the page may change.

use axum::{Json, extract::State};

use super::extract::Input;
use crate::{
    app::App,
    auth::OriginPattern,
    control::types::{Settings, SettingsPatch},
    error::ApiError,
};

/// Origins that the settings keep.
const MAX_ORIGINS: usize = 100;

pub(crate) async fn get(State(app): State<App>) -> Result<Json<Settings>, ApiError> {
    all(&app).await
}

pub(crate) async fn change(
    State(app): State<App>,
    Input(mut patch): Input<SettingsPatch>,
) -> Result<Json<Settings>, ApiError> {
    // Nothing is changed where one of them is wrong.
    if let Some(origins) = patch.allowed_origins.take() {
        patch.allowed_origins = Some(checked(&origins)?);
    }
    if let Some(cap) = patch.daily_cap {
        app.parts.relay.set_daily_cap(cap).await?;
    }
    app.settings.change(patch).await?;
    all(&app).await
}

/// Origins as they are kept, each once.
fn checked(origins: &[String]) -> Result<Vec<String>, ApiError> {
    if origins.len() > MAX_ORIGINS {
        let message = format!("at most {MAX_ORIGINS} origins can be allowed");
        return Err(ApiError::refused("origins_many", message).value("most", MAX_ORIGINS));
    }
    let read = origins
        .iter()
        .map(|origin| OriginPattern::parse(origin).map(|read| read.to_string()));
    let mut read: Vec<String> = read.collect::<Result<_, _>>()?;
    read.sort_unstable();
    read.dedup();
    Ok(read)
}

async fn all(app: &App) -> Result<Json<Settings>, ApiError> {
    let kept = app.settings.get().await?;
    Ok(Json(Settings {
        theme: kept.theme,
        language: kept.language,
        announce: kept.announce,
        default_model: kept.default_model,
        system_prompt: kept.system_prompt,
        allowed_origins: kept.allowed_origins,
        configured_origins: app
            .config
            .allowed_origins
            .iter()
            .map(ToString::to_string)
            .collect(),
        network_budget: app.parts.relay.budget().await?,
    }))
}
