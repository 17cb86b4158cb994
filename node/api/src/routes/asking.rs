//! Who asks for an answer, by which id; and that every answer says its id.

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use hearth_answers::{Error, openai::HttpAnswer};
use uuid::Uuid;

use super::{anthropic, openai::response};
use crate::{
    answers::{self, Answered, Refused},
    app::App,
    auth::{Caller, Credential, Zone},
    metering::Asker,
};

/// OpenAI's name for it, and Anthropic's.
const ID: HeaderName = HeaderName::from_static("x-request-id");
const ANTHROPICS_ID: HeaderName = HeaderName::from_static("request-id");

/// The id of a request. Clients show it where something failed; the receipt of a bought answer has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RequestId(Uuid);

/// Names a request, and says its name with the answer.
pub(crate) async fn named(mut request: Request, next: Next) -> Response {
    let (id, path) = (RequestId(Uuid::now_v7()), request.uri().path().to_owned());
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    match Zone::of(&path) {
        Zone::Page | Zone::Ipfs => {}
        Zone::Health
        | Zone::SignIn
        | Zone::Ready
        | Zone::Metrics
        | Zone::Control
        | Zone::OpenAi
        | Zone::Ollama => say(&mut response, id, &path),
    }
    response
}

fn say(response: &mut Response, id: RequestId, path: &str) {
    let Ok(value) = HeaderValue::from_str(&id.0.to_string()) else {
        return;
    };
    let headers = response.headers_mut();
    if anthropic::is_path(path) {
        headers.insert(ANTHROPICS_ID, value.clone());
    }
    headers.insert(ID, value);
}

/// Names a request that was refused before anybody read it.
pub(crate) fn name_refusal(response: &mut Response) {
    say(response, RequestId(Uuid::now_v7()), "");
}

/// Who asks, and the id of the request.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    caller: Caller,
    pub(crate) asker: Asker,
    id: Uuid,
}

impl Asking {
    pub(crate) fn of(parts: &Parts) -> Asking {
        let extensions = &parts.extensions;
        Asking {
            // Without the guard nobody is known, which is the least.
            caller: extensions.get().copied().unwrap_or(Caller {
                loopback: false,
                credential: Credential::Nothing,
            }),
            asker: extensions.get().cloned().unwrap_or(Asker::Local),
            id: extensions.get().map_or_else(Uuid::now_v7, |RequestId(id)| *id),
        }
    }

    /// Asks for an answer.
    pub(crate) async fn ask(
        &self,
        app: &App,
        mut request: hearth_answers::Request,
    ) -> Result<Answered, Refused> {
        request.id = self.id;
        answers::send(app, self.caller, &self.asker, request).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Asking, Self::Rejection> {
        std::future::ready(Ok(Asking::of(parts))).await
    }
}

/// An answer with the headers that belong to whoever asked. `refused` writes a refusal in the shape of its API.
pub(crate) fn shown(
    answered: Result<(HttpAnswer, Headers), Refused>,
    refused: impl FnOnce(&Error) -> HttpAnswer,
) -> Response {
    let (answer, headers) = match answered {
        Ok(answered) => answered,
        Err(why) => (refused(&why.error), why.headers),
    };
    let mut response = response(answer);
    response.headers_mut().extend(headers);
    response
}

/// What a key may still ask.
pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;
