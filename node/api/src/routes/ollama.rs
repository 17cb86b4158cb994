//! `/api/chat`, `/api/tags` and the like: Ollama's API, beside the control API and apart from it.

use std::time::Instant;

use axum::{
    Extension, Router,
    extract::{Request, State},
    response::Response,
    routing::{MethodRouter, any, get, post},
};
use bytes::Bytes;
use hearth_answers::{
    Code, Error, Task,
    dialect::Dialect,
    ollama::{self, Asked, ModelCard},
    openai::HttpAnswer,
};

use super::{
    asking::{self, Asking},
    extract::plain_body,
    models,
    openai::response,
};
use crate::{
    answers::{self, Answered, lively},
    app::App,
    control::types::{Model, ModelState, ModelTask},
    error::ApiError,
    metering::Asker,
};

/// The routes, by the paths that [`crate::auth::Zone`] knows.
pub(crate) fn routes() -> Router<App> {
    let known = |route: MethodRouter<App>| route.fallback(wrong_method);
    let mut router = Router::new()
        .route("/api/version", known(get(version)))
        .route("/api/tags", known(get(tags)))
        .route("/api/ps", known(get(running)))
        .route("/api/show", known(post(show)))
        .route("/api/chat", known(post(chat)))
        .route("/api/generate", known(post(generate)))
        .route("/api/embed", known(post(embed)))
        .route("/api/embeddings", known(post(embeddings)))
        .route("/api/blobs/{digest}", any(not_here));
    for path in [
        "/api/pull",
        "/api/push",
        "/api/create",
        "/api/copy",
        "/api/delete",
    ] {
        router = router.route(path, any(not_here));
    }
    router
}

pub(crate) fn refused(error: &ApiError) -> Response {
    response(ollama::refused(&error.openai()))
}

fn shown(answered: Result<HttpAnswer, Error>) -> Response {
    response(answered.unwrap_or_else(|error| ollama::refused(&error)))
}

async fn version() -> Response {
    std::future::ready(response(ollama::version())).await
}

async fn tags(State(app): State<App>, Extension(asker): Extension<Asker>) -> Response {
    let listed = cards(&app, &asker, |_| true).await;
    shown(listed.map(|cards| ollama::tags(&cards)))
}

async fn running(State(app): State<App>, Extension(asker): Extension<Asker>) -> Response {
    let listed = cards(&app, &asker, |model| model.state == ModelState::Loaded).await;
    shown(listed.map(|cards| ollama::running(&cards)))
}

async fn show(State(app): State<App>, Extension(asker): Extension<Asker>, request: Request) -> Response {
    let found = async {
        let name = ollama::shown_model(&bytes(&app, request).await?)?;
        let cards = cards(&app, &asker, |model| model.id == name).await?;
        cards
            .first()
            .map(ollama::show)
            .ok_or_else(|| Error::no_model(&name))
    };
    shown(found.await)
}

async fn chat(app: State<App>, asking: Asking, request: Request) -> Response {
    answered(&app, asking, request, Asked::chat).await
}

async fn generate(app: State<App>, asking: Asking, request: Request) -> Response {
    answered(&app, asking, request, Asked::generate).await
}

async fn embed(app: State<App>, asking: Asking, request: Request) -> Response {
    answered(&app, asking, request, |body| Asked::embed(body, false)).await
}

async fn embeddings(app: State<App>, asking: Asking, request: Request) -> Response {
    answered(&app, asking, request, |body| Asked::embed(body, true)).await
}

async fn answered(
    app: &App,
    asking: Asking,
    request: Request,
    read: impl FnOnce(&[u8]) -> Result<Asked, Error> + Send,
) -> Response {
    let begun = Instant::now();
    let answered = async {
        let asked = read(&bytes(app, request).await?)?;
        match asked.request() {
            Some(request) => {
                let Answered { answer, headers } = asking.ask(app, request).await?;
                let written = ollama::written(&asked, begun, lively(app, answer)).await;
                Ok((written, headers))
            }
            None => {
                let headers = answers::prepare(app, &asking.asker, asked.model()).await?;
                Ok((ollama::loaded(&asked), headers))
            }
        }
    };
    asking::shown(answered.await, ollama::refused)
}

async fn bytes(app: &App, request: Request) -> Result<Bytes, Error> {
    plain_body(app, request).await
}

/// What changes models: that is the owner's, by the control API.
async fn not_here(request: Request) -> Response {
    let message = format!(
        "{} is not served here: the owner of this node adds and deletes models with `hearth model add` and \
         `hearth model rm`, or on the page",
        request.uri().path()
    );
    let error = Error::new(Code::MethodNotAllowed, message);
    std::future::ready(response(ollama::refused(&error))).await
}

async fn wrong_method(request: Request) -> Response {
    let allowed = match request.uri().path() {
        "/api/version" | "/api/tags" | "/api/ps" => "GET",
        _ => "POST",
    };
    let error = Error::not_served(request.method().as_str(), request.uri().path(), Some(allowed));
    std::future::ready(response(ollama::refused(&error))).await
}

/// The models that whoever asks can ask now.
async fn cards(
    app: &App,
    asker: &Asker,
    wanted: impl Fn(&Model) -> bool + Send,
) -> Result<Vec<ModelCard>, Error> {
    let models = models::to_ask(app, asker).await.map_err(|error| error.openai())?;
    let models = models.into_iter().filter(wanted);
    Ok(models.map(|model| card(app, model)).collect())
}

fn card(app: &App, model: Model) -> ModelCard {
    let own_name = app.router.unaliased(&model.id);
    let loaded = app.models.snapshot().borrow().loaded.get(own_name).cloned();
    let dialect = loaded.as_ref().map(|loaded| Dialect::of_model(&loaded.info));
    ModelCard {
        knows_tools: dialect.is_some_and(|dialect| dialect.tools.is_some()),
        thinks: dialect.is_some_and(|dialect| dialect.thinks),
        name: model.id,
        added_at: model.added_at.map_or(0, |added| added.0.unix_timestamp()),
        size_bytes: model.size_bytes.unwrap_or(0),
        digest: model.cid.unwrap_or_default(),
        architecture: model.architecture,
        parameters: model.parameters,
        quantisation: model.quantisation,
        context_tokens: model.context_tokens,
        licence: model.licence,
        task: match model.task {
            ModelTask::Chat => Task::Chat,
            ModelTask::Embedding => Task::Embedding,
            ModelTask::Rerank => Task::Rerank,
        },
    }
}
