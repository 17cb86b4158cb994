//! Answers that need no backend: routes that are not served, bodies that are no JSON, and the questions by which
//! gateways look whether a supplier is well.

use bytes::Bytes;
use hearth_answers::{
    Error, ErrorType,
    answer::Operation,
    types::{ModelItem, ModelList},
};
use hearth_base::ServiceId;
use hearth_pocket::payload::HttpRequest;
use serde::de::IgnoredAny;

use super::{Server, answer::Whole};
use crate::{backend::headers, refusal::Refusal};

impl Server {
    /// An answer that can be given without asking the backend for one.
    pub(super) async fn own_answer(
        &self,
        service: &ServiceId,
        http: &HttpRequest,
    ) -> Result<Option<Whole>, Refusal> {
        let operation = Operation::of(http.path_and_query());
        let body = match operation {
            Operation::Health => serde_json::json!({ "status": "healthy" }).to_string(),
            Operation::Models => self.models(service),
            Operation::Chat | Operation::Completion | Operation::Embedding if http.method == "POST" => {
                return Ok(unreadable(&http.body));
            }
            Operation::Chat | Operation::Completion | Operation::Embedding | Operation::Other => {
                return Ok(None);
            }
        };
        let body = match http.method.as_str() {
            "GET" => Bytes::from(body),
            "HEAD" => Bytes::new(),
            _ => return Ok(Some(not_served(&http.method, http.path_and_query(), Some("GET")))),
        };
        // A supplier is as well as its backend.
        let probed = self.backend.probe(service).await;
        probed.map_err(|error| self.backend_refusal(&error))?;
        self.health.well();
        Ok(Some(json(200, body)))
    }

    /// The service's model by the names under which it is sold. What else this computer has is nobody's business.
    fn models(&self, service: &ServiceId) -> String {
        let aliases = self.config.aliases.iter();
        let names = aliases
            .filter(|(_, of)| *of == service)
            .map(|(name, _)| name.as_str());
        let item = |name: &str| ModelItem::new(name, 0, "pocket");
        let list = ModelList::new(std::iter::once(service.as_str()).chain(names).map(item).collect());
        // Texts and numbers always make JSON.
        serde_json::to_string(&list).unwrap_or_default()
    }
}

/// The answer to a body that is no JSON, which every backend would refuse in its own way; `None` if it is. PATH cuts
/// bodies at 100 KiB, so honest clients send such, too.
fn unreadable(body: &[u8]) -> Option<Whole> {
    let error = serde_json::from_slice::<IgnoredAny>(body).err()?;
    let n_bytes = body.len();
    let message = format!("the body of {n_bytes} bytes is no JSON, it may have been cut on its way: {error}");
    Some(of_error(&Error::bad_request("invalid_json", message)))
}

/// The answer to what is asked of no backend.
pub(super) fn not_served(method: &str, path: &str, allowed: Option<&str>) -> Whole {
    let shown: String = path.chars().take(100).collect();
    of_error(&match allowed {
        Some(allowed) => Error::new(
            405,
            ErrorType::InvalidRequestError,
            "method_not_allowed",
            format!("{method} is not allowed for {shown}: use {allowed}"),
        ),
        None => Error::new(
            404,
            ErrorType::NotFoundError,
            "unknown_url",
            format!(
                "there is no route {shown} here: use /v1/chat/completions, /v1/completions, /v1/embeddings or \
                 /v1/models"
            ),
        ),
    })
}

fn of_error(error: &Error) -> Whole {
    json(error.status, error.body().into())
}

fn json(status: u16, body: Bytes) -> Whole {
    Whole {
        status,
        headers: headers([("content-type", "application/json".to_owned())]),
        body,
    }
}

/// What a client is told of an error whose own words are no JSON, such as a web server's page.
pub(super) fn error_words(status: u16) -> Whole {
    let (kind, code) = match status {
        404 => (ErrorType::NotFoundError, "not_found"),
        _ => (ErrorType::InvalidRequestError, "refused_by_backend"),
    };
    let message = format!("the service's backend refuses the request with status {status}");
    of_error(&Error::new(status, kind, code, message))
}
