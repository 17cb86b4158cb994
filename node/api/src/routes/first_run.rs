//! The first run: what a person has gone through is kept here, so that a reload or a restart goes on there.

use axum::{Json, extract::State};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{FirstRun, FirstRunPatch, FirstStep, FirstStepId},
    error::ApiError,
};

pub(crate) async fn page(State(app): State<App>) -> Result<Json<FirstRun>, ApiError> {
    all(&app).await
}

pub(crate) async fn change(
    State(app): State<App>,
    Input(patch): Input<FirstRunPatch>,
) -> Result<Json<FirstRun>, ApiError> {
    app.first_run.change(patch).await?;
    all(&app).await
}

async fn all(app: &App) -> Result<Json<FirstRun>, ApiError> {
    let kept = app.first_run.get().await?;
    // A wallet that was there before this page was ever seen belongs to somebody who has set up already; an own devnet sets
    // itself up. Both may open it by themselves.
    let is_begun = kept.role.is_some() || !kept.steps.is_empty();
    let sets_itself_up = !app.host.setup().borrow().steps.is_empty();
    let is_new = !app.parts.keyring.status().exists && !sets_itself_up;
    let steps = FirstStepId::ALL.map(|id| FirstStep {
        id,
        state: kept.state_of(id),
    });
    Ok(Json(FirstRun {
        wanted: !kept.ended && (is_begun || is_new),
        steps: steps.to_vec(),
        role: kept.role,
        computer: app.host.computer().await,
    }))
}
