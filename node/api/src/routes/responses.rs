//! `/v1/responses`: OpenAI's Responses API, with answers that are kept for a day.

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::Uri,
    response::{IntoResponse as _, Response},
};
use futures::FutureExt as _;
use hearth_answers::{
    Error,
    openai::HttpAnswer,
    responses::{self, Create, Keeper, Kept, ListQuery},
};

use super::{
    asking::{Asking, Headers, shown},
    extract::plain_body,
    openai::response,
};
use crate::{
    answers::{Answered, Refused, lively, principal},
    app::App,
    error::ApiError,
    metering::Asker,
};

pub(crate) async fn create(State(app): State<App>, asking: Asking, request: Request) -> Response {
    shown(answer(&app, &asking, request).await, responses_refused)
}

async fn answer(app: &App, asking: &Asking, http: Request) -> Result<(HttpAnswer, Headers), Refused> {
    let create = read(app, &asking.asker, http).await?;
    let Answered { answer, headers } = asking.ask(app, create.request()?).await?;
    let (store, whose) = (app.responses.clone(), principal(&asking.asker));
    let keeper: Keeper = Box::new(move |kept| {
        async move {
            if let Err(error) = store.keep(&whose, kept).await {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
        .boxed()
    });
    let written = responses::written(create, lively(app, answer), keeper).await;
    Ok((written, headers))
}

fn responses_refused(error: &Error) -> HttpAnswer {
    responses::refused(error.clone())
}

/// The request after what it goes on from.
async fn read(app: &App, asker: &Asker, http: Request) -> Result<Create, Error> {
    let bytes = plain_body(app, http).await?;
    let create = Create::read(&bytes)?;
    let Some(id) = create.previous() else {
        return Ok(create);
    };
    let kept = app.responses.get(&principal(asker), id).await;
    match kept.map_err(|error| error.openai())? {
        Some(kept) => create.after(kept),
        None => Err(create.no_previous()),
    }
}

/// How many tokens a request has.
pub(crate) async fn count(State(app): State<App>, asking: Asking, request: Request) -> Response {
    let counted = async {
        let create = read(&app, &asking.asker, request).await?;
        let Answered { answer, headers } = asking.ask(&app, create.count()?).await?;
        Ok((responses::counted(answer)?, headers))
    };
    shown(counted.await, responses_refused)
}

pub(crate) async fn get(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let pairs = uri.query().unwrap_or_default().as_bytes();
    if url::form_urlencoded::parse(pairs).any(|(name, value)| name == "stream" && value == "true") {
        let message = "stream is true: a kept response is given whole, leave it out";
        return response(Error::bad_field("stream", message).into());
    }
    match find(&app, &asker, &id).await {
        Ok(kept) => Json(kept.response).into_response(),
        Err(error) => response(error.into()),
    }
}

pub(crate) async fn delete(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
) -> Response {
    let gone = app.responses.delete(&principal(&asker), &id).await;
    response(match gone {
        Ok(true) => responses::deleted(&id),
        Ok(false) => responses::not_found(&id).into(),
        Err(error) => error.openai().into(),
    })
}

pub(crate) async fn input_items(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let listed = async {
        let mut query = ListQuery::default();
        let pairs = uri.query().unwrap_or_default().as_bytes();
        for (name, value) in url::form_urlencoded::parse(pairs) {
            query.set(&name, &value)?;
        }
        Ok(responses::item_list(find(&app, &asker, &id).await?, &query))
    };
    response(listed.await.unwrap_or_else(|error: Error| error.into()))
}

/// Only answers that are made in the background can be stopped so, and there are none.
pub(crate) async fn cancel(Path(id): Path<String>) -> Response {
    let message = "a response is stopped by closing its connection: none is made in the background";
    let error = ApiError::bad_request(message).value("id", id);
    std::future::ready(error.into_openai_response()).await
}

async fn find(app: &App, asker: &Asker, id: &str) -> Result<Kept, Error> {
    let kept = app.responses.get(&principal(asker), id).await;
    kept.map_err(|error| error.openai())?
        .ok_or_else(|| responses::not_found(id))
}
