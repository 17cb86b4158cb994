//! Models of this computer and of the network, downloads, the catalogue.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use futures::future::join_all;
use hearth_answers::{Named, Task};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{
        AddModel, Catalogue, Changed, Download, DownloadList, Event, Model, ModelKind, ModelList, ModelState,
        ModelTask, PullModel, Reason, VerifiedModel,
    },
    error::ApiError,
    metering::Asker,
};

pub(crate) async fn list(State(app): State<App>) -> Result<Json<ModelList>, ApiError> {
    Ok(Json(ModelList {
        models: all(&app).await?,
    }))
}

/// Local models first, then those of the owner's servers, then the network's. A server or chain that does not answer
/// leaves the others usable.
pub(crate) async fn all(app: &App) -> Result<Vec<Model>, ApiError> {
    let mut models = app.parts.model_store.list().await?;
    for model in &mut models {
        mark(app, model);
    }
    let named = app.router.named().iter();
    let servers: Vec<Vec<Model>> = join_all(named.map(|(name, named)| server_models(name, named))).await;
    let served = served_by_name(app, &models, &servers);
    models.extend(served);
    models.extend(servers.into_iter().flatten());
    match app.parts.relay.models().await {
        Ok(network) => models.extend(network),
        Err(error) => tracing::debug!(%error, "network models are not known at present"),
    }
    Ok(models)
}

/// The models that whoever asks can ask now, by all of their names.
pub(crate) async fn to_ask(app: &App, asker: &Asker) -> Result<Vec<Model>, ApiError> {
    let mut models = all(app).await?;
    models.retain(|model| model.unavailable.is_none());
    // An alias is as good as what it stands for, and goes before a model of the same name.
    let aliases = app.router.aliases().iter().filter_map(|(alias, of)| {
        let model = models.iter().find(|model| model.id == *of)?;
        asker.may_see_as(model, alias).then(|| Model {
            id: alias.clone(),
            title: format!("{alias} ({of})"),
            ..model.clone()
        })
    });
    let aliases: Vec<Model> = aliases.collect();
    models.retain(|model| asker.may_see(model) && !app.router.aliases().contains_key(&model.id));
    models.extend(aliases);
    Ok(models)
}

/// The models that servers serve under their bare names, each once and unless this computer has one of that name. One is
/// away when all its servers are.
fn served_by_name(app: &App, local: &[Model], servers: &[Vec<Model>]) -> Vec<Model> {
    let named = app.router.named();
    let names: BTreeSet<&String> = named.values().flat_map(|named| &named.models).collect();
    let model = |name: &String| {
        let mut ailments = named
            .iter()
            .filter(|(_, named)| named.serves(name))
            .map(|(server, named)| named.backend.health().ailment().map(|fact| (server, fact)));
        let well = ailments.clone().any(|ailment| ailment.is_none());
        let ailment = ailments.find_map(|ailment| ailment).filter(|_| !well);
        let mut known = servers.iter().flatten();
        let task = known
            .find(|model| model.id.split_once('/').is_some_and(|(_, own)| own == name))
            .map_or(ModelTask::from(Task::of_name(name)), |model| model.task);
        server_model(name.clone(), name.clone(), task, ailment)
    };
    let is_free = |name: &&String| local.iter().all(|model| model.id != **name);
    names.into_iter().filter(is_free).map(model).collect()
}

/// How long a server may take to say what it has, where it was not known before.
const SERVER_WITHIN: Duration = Duration::from_secs(3);

/// The models of a configured backend, by the names under which they are asked for.
async fn server_models(name: &str, named: &Named) -> Vec<Model> {
    let listed = tokio::time::timeout(SERVER_WITHIN, named.backend.models()).await;
    let mut models: Vec<(String, ModelTask)> = match listed {
        Ok(Ok(listed)) => listed
            .into_iter()
            .map(|model| (model.name, model.task.into()))
            .collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    // What it should have is shown also while it is away.
    let missing = named
        .models
        .iter()
        .filter(|model| models.iter().all(|(known, _)| known != *model));
    let missing: Vec<_> = missing
        .map(|model| (model.clone(), ModelTask::from(Task::of_name(model))))
        .collect();
    models.extend(missing);
    let ailment = named.backend.health().ailment();
    let ailment = ailment.map(|fact| (name, fact));
    let model = |(id, task): (String, ModelTask)| {
        server_model(
            format!("{name}/{id}"),
            format!("{id} ({name})"),
            task,
            ailment.clone(),
        )
    };
    models.into_iter().map(model).collect()
}

/// A model of a server; `ailment` says which server is away, and why.
fn server_model(
    id: String,
    title: String,
    task: ModelTask,
    ailment: Option<(impl std::fmt::Display, String)>,
) -> Model {
    Model::elsewhere(id, ModelKind::Server, task, title).unless(ailment.map(|(server, fact)| Reason {
        code: "backend".to_owned(),
        fact: Some(fact),
        meaning: format!("The server \"{server}\" does not answer, so its models cannot be asked."),
        remedy: Some(format!(
            "Start it, or correct backends.{server} in the configuration."
        )),
    }))
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
