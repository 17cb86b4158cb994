//! Presets: settings to begin a conversation with.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::extract::Input;
use crate::{
    app::App,
    chats,
    control::types::{NewPreset, Preset, PresetList, PresetPatch},
    error::ApiError,
};

pub(crate) async fn list(State(app): State<App>) -> Result<Json<PresetList>, ApiError> {
    let presets = app.conversations.presets().await?;
    Ok(Json(PresetList {
        presets: presets.into_iter().map(|kept| app.preset(kept)).collect(),
    }))
}

pub(crate) async fn create(
    State(app): State<App>,
    Input(new): Input<NewPreset>,
) -> Result<Json<Preset>, ApiError> {
    let preset = app.conversations.add_preset(chats::new_preset(new)?).await?;
    Ok(Json(app.preset(preset)))
}

pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(patch): Input<PresetPatch>,
) -> Result<Json<Preset>, ApiError> {
    let preset = app
        .conversations
        .change_preset(&id, chats::preset_patch(patch)?)
        .await?;
    Ok(Json(app.preset(preset)))
}

pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.conversations.delete_preset(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
