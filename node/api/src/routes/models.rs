//! Models of this computer and of the network, downloads, the catalogue.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{
        AddModel, Catalogue, Changed, Download, DownloadList, Event, Model, ModelKind, ModelList, ModelState,
        PullModel, VerifiedModel,
    },
    error::ApiError,
};

pub(crate) async fn list(State(app): State<App>) -> Result<Json<ModelList>, ApiError> {
    Ok(Json(ModelList {
        models: all(&app).await?,
    }))
}

/// Local models first, then the network's. A chain that does not answer leaves the local ones usable.
pub(crate) async fn all(app: &App) -> Result<Vec<Model>, ApiError> {
    let mut models = app.parts.model_store.list().await?;
    for model in &mut models {
        mark(app, model);
    }
    match app.parts.relay.models().await {
        Ok(network) => models.extend(network),
        Err(error) => tracing::debug!(%error, "network models are not known at present"),
    }
    Ok(models)
}

pub(crate) async fn add(
    State(app): State<App>,
    Input(input): Input<AddModel>,
) -> Result<Json<Model>, ApiError> {
    let model = app.parts.model_store.add(&input.path).await?;
    app.tell(Event::Models(Changed { height: None }));
    Ok(Json(model))
}

pub(crate) async fn pull(
    State(app): State<App>,
    Input(input): Input<PullModel>,
) -> Result<Response, ApiError> {
    let download: Download = app
        .parts
        .model_store
        .pull(&input.cid, input.from.as_deref())
        .await?;
    Ok((StatusCode::ACCEPTED, Json(download)).into_response())
}

pub(crate) async fn verify(
    State(app): State<App>,
    Path(cid): Path<String>,
) -> Result<Json<VerifiedModel>, ApiError> {
    let verified = app.parts.model_store.verify(&cid).await?;
    app.tell(Event::Models(Changed { height: None }));
    Ok(Json(verified))
}

pub(crate) async fn delete(State(app): State<App>, Path(cid): Path<String>) -> Result<StatusCode, ApiError> {
    let model = find(&app, &cid).await?;
    // What serves stays in memory: the shelf refuses to delete it, and says what to do.
    if model.serves.is_empty() {
        app.models.unload(&model.id);
    }
    app.parts.model_store.delete(&cid).await?;
    app.tell(Event::Models(Changed { height: None }));
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn load(State(app): State<App>, Path(cid): Path<String>) -> Result<Json<Model>, ApiError> {
    let model = find(&app, &cid).await?;
    app.models.load(&model.id).await?;
    Ok(Json(find(&app, &cid).await?))
}

pub(crate) async fn unload(State(app): State<App>, Path(cid): Path<String>) -> Result<Json<Model>, ApiError> {
    let model = find(&app, &cid).await?;
    app.models.unload(&model.id);
    Ok(Json(find(&app, &cid).await?))
}

pub(crate) async fn downloads(State(app): State<App>) -> Result<Json<DownloadList>, ApiError> {
    Ok(Json(DownloadList {
        downloads: app.parts.model_store.downloads().await?,
    }))
}

pub(crate) async fn pause(
    State(app): State<App>,
    Path(cid): Path<String>,
) -> Result<Json<Download>, ApiError> {
    Ok(Json(app.parts.model_store.pause(&cid).await?))
}

pub(crate) async fn resume(
    State(app): State<App>,
    Path(cid): Path<String>,
) -> Result<Json<Download>, ApiError> {
    Ok(Json(app.parts.model_store.resume(&cid).await?))
}

pub(crate) async fn cancel(State(app): State<App>, Path(cid): Path<String>) -> Result<StatusCode, ApiError> {
    app.parts.model_store.cancel(&cid).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn catalogue(State(app): State<App>) -> Result<Json<Catalogue>, ApiError> {
    Ok(Json(app.parts.model_store.catalogue().await?))
}

async fn find(app: &App, cid: &str) -> Result<Model, ApiError> {
    let models = app.parts.model_store.list().await?;
    let mut model = models
        .into_iter()
        .find(|model| model.cid.as_deref() == Some(cid))
        .ok_or_else(|| ApiError::not_found("model"))?;
    mark(app, &mut model);
    Ok(model)
}

/// Says whether a local model is in memory, and what is known once it is.
fn mark(app: &App, model: &mut Model) {
    if model.kind != ModelKind::Local {
        return;
    }
    let snapshot = app.models.snapshot().borrow().clone();
    if snapshot.loading.as_ref() == Some(&model.id) {
        model.state = ModelState::Loading;
    }
    let Some(loaded) = snapshot.loaded.get(&model.id) else {
        return;
    };
    model.state = ModelState::Loaded;
    model.context_tokens = u32::try_from(loaded.info.context_tokens).ok();
    model.parameters = Some(loaded.info.parameters);
    model.architecture = Some(loaded.info.architecture.clone());
    model.quantisation = Some(loaded.info.quantisation.clone());
}
