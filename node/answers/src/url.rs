//! Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, LM Studio, another Hearth.

mod address;
mod stream;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use hearth_base::{Clock, failure::chain};
use hearth_outbound::{Client, Config, PrivateAddresses};
use parking_lot::Mutex;
use tokio::time::Instant;
use url::Url;

pub use address::check_address;

use crate::{
    answer::{Answer, Body, Generation, Head, Whole},
    backend::{Backend, Capacity, Health, ModelEntry},
    error::{Code, Error},
    judge::{NoAnswer, Verdict, judge},
    openai::too_large,
    operation::Operation,
    principal::Principal,
    request::Request,
    sse,
};

/// How long a connection may take, and a look at the server.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of a list of models, and of an error.
const MODELS_BYTES: usize = 4 << 20;
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
    /// The models that the server listed last.
    listed: Mutex<Vec<ModelEntry>>,
    health: Health,
}

/// Another setting of a server whose address is in `setting`: `miner.backend` has `miner.backend_health` beside it, and
/// `backends.box.url` has `backends.box.health`.
fn setting_beside(setting: &str, other: &str) -> String {
    match setting.strip_suffix(".url") {
        Some(table) => format!("{table}.{other}"),
        None => format!("{setting}_{other}"),
    }
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
            health: Health::default(),
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

    /// Asks whether the server is well, and learns which models it has.
    async fn look(&self) -> Result<(), Error> {
        let (url, path) = match &self.settings.health {
            Some(path) => {
                let mut url = self.settings.base.clone();
                url.set_path(path);
                (url, path.as_str())
            }
            None => (self.url("models"), "/v1/models"),
        };
        let answer = self.ask(reqwest::Method::GET, url).send().await;
        let answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status().as_u16();
        let setting = &self.settings.setting;
        let hint = match status {
            200..=299 => return self.learn(answer).await.map_err(|why| self.not_ready(&why)),
            401 | 403 => format!(": is the key in {} right?", setting_beside(setting, "key_file")),
            404 | 405 => format!(
                ": is {setting} the server's address, with or without /v1? A server that lists no models needs {}",
                setting_beside(setting, "health")
            ),
            _ => String::new(),
        };
        Err(self.not_ready(&format!("it answers GET {path} with status {status}{hint}")))
    }

    fn not_ready(&self, why: &str) -> Error {
        let address = &self.address;
        Error::new(
            Code::BackendNotReady,
            format!("the backend at {address} is not ready: {why}"),
        )
    }

    /// Reads the list of models, where that was asked for.
    async fn learn(&self, answer: reqwest::Response) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        struct List {
            data: Vec<Model>,
        }
        #[derive(serde::Deserialize)]
        struct Model {
            id: String,
            #[serde(default)]
            created: Option<i64>,
        }
        if self.settings.health.is_some() {
            return Ok(());
        }
        let body = bytes_of(answer, MODELS_BYTES).await.map_err(|why| match why {
            Cut::TooLarge => format!("its list of models is larger than {MODELS_BYTES} bytes"),
            Cut::Broken(why) => why,
        })?;
        match judge(Operation::Models, 200, &body) {
            Verdict::Counts => {}
            Verdict::NoAnswer(why) => return Err(format!("GET /v1/models: {why}")),
            Verdict::NoRoute => return Err("GET /v1/models: it has no such route".to_owned()),
        }
        // A list of another form is a list all the same; only no name is learnt from it.
        let list = serde_json::from_slice::<List>(&body).ok();
        let models = list.into_iter().flat_map(|list| list.data);
        *self.listed.lock() = models
            .map(|model| ModelEntry {
                name: model.id,
                added_at: model.created.unwrap_or(0),
            })
            .collect();
        Ok(())
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
        let mut request = request.clone();
        if request.model.is_none() {
            request.model = self.listed.lock().first().map(|model| model.name.clone());
        }
        let name = request.model.clone().unwrap_or_default();
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
                let chunks = stream::begin(parts.boxed(), self.settings.limits, end_by).await;
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
            self.whole(request.operation, body).await.map(Body::Whole)
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
    async fn whole(&self, operation: Operation, body: Bytes) -> Result<Whole, Error> {
        match judge(operation, 200, &body) {
            Verdict::Counts if operation.may_stream() && !body.trim_ascii_start().starts_with(b"{") => {
                // A stream that does not say that it is one.
                let limits = self.settings.limits;
                let parts = futures::stream::iter([Ok(body)]).boxed();
                let chunks = stream::begin(parts, limits, Instant::now() + limits.answer_within).await?;
                Ok(Whole::Generation(Generation::collect(chunks).await?))
            }
            Verdict::Counts => Ok(Whole::Foreign(operation, body)),
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
        Error {
            message: format!("the backend at {} fails: {}", self.address, error.message),
            ..error
        }
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
        let answered = self.answered(&request).await;
        match &answered {
            // A stream may still fail.
            Ok(_) => self.health.well(),
            Err(error) if error.is_of_the_backend() => self.health.failed(&error.message),
            Err(_) => {}
        }
        answered
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        self.probe(None).await
    }

    async fn probe(&self, _model: Option<&str>) -> Result<(), Error> {
        let looked = tokio::time::timeout(PROBE_WITHIN, self.look()).await;
        let looked = looked.unwrap_or_else(|_| {
            let seconds = PROBE_WITHIN.as_secs();
            Err(unreachable(
                &self.address,
                format!("it gave no answer within {seconds} s"),
            ))
        });
        match &looked {
            Ok(()) => self.health.well(),
            Err(error) => self.health.failed(&error.message),
        }
        looked
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        if self.listed.lock().is_empty() {
            self.probe(None).await?;
        }
        Ok(self.listed.lock().clone())
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity {
            slots: self.settings.slots.max(1),
        }
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn address(&self) -> Option<&str> {
        Some(&self.address)
    }
}

#[cfg(test)]
mod tests;
