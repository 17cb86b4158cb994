//! Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, LM Studio, another Hearth.

mod address;
mod list;
mod look;
mod own;
mod state;
mod stream;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use hearth_base::{Clock, failure::chain};
use hearth_outbound::{Client, Config, PrivateAddresses};
use parking_lot::Mutex;
use tokio::time::Instant;
use url::Url;

pub use address::check_address;
use list::List;
pub use look::setting_beside;
use own::Own;
use state::State;

use crate::{
    answer::{Answer, Body, Generation, Head, Whole},
    backend::{Backend, Capacity, Health, ModelEntry},
    error::{Code, Error},
    harmless::harmless_body,
    judge::{NoAnswer, Verdict, judge},
    openai::too_large,
    operation::Operation,
    principal::Principal,
    request::Request,
    sse,
};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of an error.
const ERROR_BYTES: usize = 1 << 20;

/// What a backend by URL is told. It may hold a key, so it is not printed.
#[derive(Clone)]
pub struct UrlSettings {
    /// The server's address, with or without `/v1` at its end.
    pub base: Url,
    /// Headers that are added, such as `Authorization`.
    pub extra: BTreeMap<String, String>,
    /// Answers at once.
    pub slots: usize,
    /// The path that says whether the server is well; `None` asks for its models.
    pub health: Option<String>,
    /// What is taken of one answer.
    pub limits: Limits,
    /// How the settings are called in messages, such as `miner.backend`.
    pub setting: String,
}

/// What is taken of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To the first part of a stream. An answer that comes whole has but one moment.
    pub first_byte_within: Duration,
    pub answer_within: Duration,
    pub bytes: usize,
    pub parts: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            first_byte_within: Duration::from_secs(60),
            answer_within: Duration::from_secs(600),
            bytes: 64 << 20,
            parts: 1 << 20,
        }
    }
}

/// Passes requests on to a server.
pub struct UrlBackend {
    client: reqwest::Client,
    settings: UrlSettings,
    /// The address as it is shown: without a password.
    address: String,
    /// The models that the server listed last; `None` until it was asked for them.
    listed: Mutex<Option<List>>,
    state: Arc<State>,
}

impl UrlBackend {
    /// Passes requests on to a server.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(settings: UrlSettings) -> Result<UrlBackend, Error> {
        let mut shown = settings.base.clone();
        // Only an address without host has no place for them, and is none of a server.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        let address = shown.as_str().trim_end_matches('/').to_owned();
        // Redirects could lead anywhere.
        let client = Client::new(Config::new(PrivateAddresses::Allowed, CONNECT_WITHIN))
            .map_err(|error| unreachable(&address, error.to_string()))?
            .pick(&settings.base)
            .clone();
        Ok(UrlBackend {
            client,
            settings,
            address,
            listed: Mutex::default(),
            state: Arc::default(),
        })
    }

    fn ask(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url);
        self.settings
            .extra
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    /// The URL of a route, whether the base has `/v1` or not.
    fn url(&self, route: &str) -> Url {
        let base = self.settings.base.path().trim_end_matches('/');
        let root = base.strip_suffix("/v1").unwrap_or(base);
        let mut url = self.settings.base.clone();
        // These two are no part of OpenAI's API, and every server has them at its root.
        let version = if matches!(route, "tokenize" | "detokenize") {
            ""
        } else {
            "v1/"
        };
        url.set_path(&format!("{root}/{version}{route}"));
        url
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        unreachable(&self.address, chain(&error.without_url()))
    }

    /// Sends a request, and gives what the server answers once it has begun.
    async fn send(&self, request: &Request, body: Bytes) -> Result<reqwest::Response, Error> {
        let route = request
            .operation
            .route()
            .ok_or_else(|| Error::not_served("POST", "this", None))?;
        let accept = if request.stream {
            sse::MEDIA_TYPE
        } else {
            "application/json"
        };
        self.ask(reqwest::Method::POST, self.url(route))
            .body(body)
            .header("Content-Type", "application/json")
            .header("Accept", accept)
            .header("Accept-Encoding", "identity")
            .send()
            .await
            .map_err(|error| self.unreachable(error))
    }

    async fn answered(&self, request: &Request) -> Result<Answer, Error> {
        let Limits {
            first_byte_within,
            answer_within,
            ..
        } = self.settings.limits;
        let end_by = Instant::now() + answer_within;
        let first_by = if request.stream {
            Instant::now() + first_byte_within
        } else {
            end_by
        };
        let list = self.listed.lock().clone().unwrap_or_default();
        let mut request = request.clone();
        if request.model.is_none() {
            request.model = list.first().map(str::to_owned);
        }
        let name = request.model.clone().unwrap_or_default();
        let own = Own::new(&name, list);
        let head = Head {
            model: request.shown_model(&name).to_owned(),
            created: Clock::system().now_ms() / 1000,
            ..Head::default()
        };
        let begun = tokio::time::timeout_at(first_by, async {
            let response = self.send(&request, request.json()).await?;
            let status = response.status().as_u16();
            if !(200..=299).contains(&status) {
                return Err(self.refusal(status, response).await);
            }
            if is_stream(&response) {
                let parts = response
                    .bytes_stream()
                    .map_err(|error| broken(&error.without_url()));
                let chunks = stream::begin(parts.boxed(), self.settings.limits, end_by, own).await;
                let chunks = chunks.map_err(|error| self.failed(error))?;
                if request.stream {
                    return Ok(Body::Stream(chunks));
                }
                // Some servers stream whatever they are asked.
                let whole = Generation::collect(chunks).await;
                return whole
                    .map(|whole| Body::Whole(Whole::Generation(whole)))
                    .map_err(|error| self.failed(error));
            }
            let body = bytes_of(response, self.settings.limits.bytes).await;
            let body = body.map_err(|why| self.failed(self.cut(why)))?;
            self.whole(request.operation, body, own).await.map(Body::Whole)
        });
        match begun.await {
            Ok(body) => Ok(Answer { head, body: body? }),
            Err(_) => Err(self.failed(stream::too_slow(if request.stream {
                first_byte_within
            } else {
                answer_within
            }))),
        }
    }

    /// Judges what came whole.
    async fn whole(&self, operation: Operation, body: Bytes, own: Own) -> Result<Whole, Error> {
        match judge(operation, 200, &body) {
            Verdict::Counts if operation.may_stream() && !body.trim_ascii_start().starts_with(b"{") => {
                // A stream that does not say that it is one.
                let limits = self.settings.limits;
                let parts = futures::stream::iter([Ok(body)]).boxed();
                let end_by = Instant::now() + limits.answer_within;
                let chunks = stream::begin(parts, limits, end_by, own).await;
                let whole = Generation::collect(chunks.map_err(|error| self.failed(error))?).await;
                whole.map(Whole::Generation).map_err(|error| self.failed(error))
            }
            Verdict::Counts => {
                own.check(&body).map_err(|error| self.failed(error))?;
                Ok(Whole::Foreign(operation, body))
            }
            Verdict::NoAnswer(why) => Err(self.no_answer(why)),
            Verdict::NoRoute => Err(self.no_answer(NoAnswer::OtherShape)),
        }
    }

    /// A status that is no success. What speaks of the operator's own standing with the server is not passed on.
    async fn refusal(&self, status: u16, response: reqwest::Response) -> Error {
        let verdict = crate::judge::of_status(status);
        if let Verdict::NoAnswer(why) = verdict {
            return self.no_answer(why);
        }
        let own_words = bytes_of(response, ERROR_BYTES).await.ok();
        let own_words = own_words.filter(|body| body.trim_ascii_start().starts_with(b"{"));
        if let Some(overflow) = own_words.as_deref().and_then(overflow) {
            return overflow;
        }
        // A server may echo what it was told, the operator's key among it.
        let told = || self.settings.extra.values().cloned();
        let own_words = own_words.and_then(|body| harmless_body(&body, told()));
        Error {
            status,
            own_words,
            ..Error::new(
                Code::BackendRefused,
                format!("the service's backend refuses the request with status {status}"),
            )
        }
    }

    fn no_answer(&self, why: NoAnswer) -> Error {
        let code = match why {
            NoAnswer::Status(429 | 503) => Code::BackendBusy,
            NoAnswer::Status(_)
            | NoAnswer::Empty
            | NoAnswer::NotJson
            | NoAnswer::OtherShape
            | NoAnswer::Failed => Code::BackendFailed,
        };
        self.failed(Error::new(code, why.to_string()))
    }

    fn cut(&self, why: Cut) -> Error {
        match why {
            Cut::TooLarge => too_large(self.settings.limits.bytes),
            Cut::Broken(why) => Error::new(Code::AnswerBrokeOff, format!("it broke off: {why}")),
        }
    }

    /// Says at which address it failed.
    fn failed(&self, error: Error) -> Error {
        at(&self.address, error)
    }
}

/// llama.cpp's word for a conversation that is too long, which no client knows, as OpenAI says it.
fn overflow(body: &[u8]) -> Option<Error> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = json.get("error")?;
    (error.get("type")? == "exceed_context_size_error").then_some(())?;
    let tokens = |name: &str| error.get(name)?.as_u64();
    Some(Error::context_overflow(
        tokens("n_prompt_tokens")?,
        tokens("n_ctx")?,
    ))
}

fn at(address: &str, error: Error) -> Error {
    Error {
        message: format!("the backend at {address} fails: {}", error.message),
        ..error
    }
}

fn broken(error: &reqwest::Error) -> Error {
    Error::new(Code::AnswerBrokeOff, format!("it broke off: {}", chain(error)))
}

fn unreachable(address: &str, why: String) -> Error {
    Error::new(
        Code::BackendUnreachable,
        format!("the backend at {address} cannot be reached: {why}"),
    )
}

fn is_stream(response: &reqwest::Response) -> bool {
    let content_type = response.headers().get("content-type");
    content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(sse::MEDIA_TYPE))
}

/// Why a body did not come whole.
enum Cut {
    TooLarge,
    Broken(String),
}

async fn bytes_of(response: reqwest::Response, limit: usize) -> Result<Bytes, Cut> {
    let mut all = BytesMut::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| Cut::Broken(chain(&error.without_url())))?;
        if all.len() + part.len() > limit {
            return Err(Cut::TooLarge);
        }
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

#[async_trait]
impl Backend for UrlBackend {
    async fn answer(&self, request: Request, _principal: &Principal) -> Result<Answer, Error> {
        let Answer { head, body } = self.answered(&request).await.inspect_err(|error| {
            if error.is_of_the_backend() {
                self.state.failed(&request, error);
            }
        })?;
        let body = match body {
            Body::Whole(whole) => {
                self.state.well();
                Body::Whole(whole)
            }
            Body::Stream(chunks) => {
                let address = self.address.clone();
                let words = move |error| at(&address, error);
                Body::Stream(state::noted(chunks, Arc::clone(&self.state), request, words))
            }
        };
        Ok(Answer { head, body })
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        self.probe(None).await
    }

    async fn probe(&self, _model: Option<&str>) -> Result<(), Error> {
        self.look().await?;
        match self.state.health.ailment() {
            None => Ok(()),
            Some(why) => Err(Error::new(Code::BackendNotReady, why)),
        }
    }

    async fn recover(&self) -> Result<(), Error> {
        self.look().await?;
        self.try_again().await
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        if self.listed.lock().is_none() {
            self.look().await?;
        }
        Ok(self.listed.lock().as_ref().map(List::entries).unwrap_or_default())
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity {
            slots: self.settings.slots.max(1),
        }
    }

    fn health(&self) -> &Health {
        &self.state.health
    }

    fn address(&self) -> Option<&str> {
        Some(&self.address)
    }
}

#[cfg(test)]
mod tests;
