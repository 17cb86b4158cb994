//! Any OpenAI-compatible server: vLLM, llama.cpp, Ollama, another Hearth.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use futures::TryStreamExt as _;
use futures::stream::StreamExt as _;
use hearth_answers::answer::{Operation, Verdict, judge};
use hearth_base::{ServiceId, failure::chain};
use hearth_outbound::{Client, Config, PrivateAddresses};
use parking_lot::Mutex;
use url::Url;

use super::{
    Backend, BackendAnswer, BackendBody, BackendError, BackendRequest, Capacity, ModelName, headers,
    known_route,
};

/// How long a connection may take, and a look at the server.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of a list of models.
const MODELS_BYTES: usize = 4 << 20;
/// A name that clients of the network use for whatever model a service has.
const ANY_MODEL: &str = "pocket_network";

/// What a backend by URL is told. It may hold a key, so it is not printed.
#[derive(Clone)]
pub struct UrlSettings {
    /// The server's address, with or without `/v1` at its end.
    pub base: Url,
    /// The server's name for the model of each service; empty leaves the request's name.
    pub services: BTreeMap<ServiceId, String>,
    /// Headers that are added, such as `Authorization`.
    pub extra: BTreeMap<String, String>,
    /// Answers at once.
    pub slots: usize,
    /// The path that says whether the server is well; `None` asks for its models.
    pub health: Option<String>,
    /// Other names under which clients ask for a service's model.
    pub aliases: BTreeMap<String, ServiceId>,
}

/// Passes requests on to a server.
pub struct UrlBackend {
    client: reqwest::Client,
    settings: UrlSettings,
    /// The address as it is shown: without a password.
    address: String,
    /// The first model that the server lists.
    first_model: Mutex<Option<String>>,
}

/// Reads the address of a server.
///
/// # Errors
/// What is wrong with it and how it should be written.
pub fn check_address(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err(format!(
            "\"{text}\" does not say how the server is spoken to: write http://{text}"
        ));
    }
    let url = Url::parse(text)
        .map_err(|error| format!("\"{text}\" is no address ({error}): write it as http://localhost:11434"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!(
            "\"{text}\" is no address of a web server: write it as http://localhost:11434"
        ));
    }
    let path = url.path().trim_end_matches('/');
    let routes = ["/chat/completions", "/completions", "/embeddings", "/models"];
    if let Some(root) = routes.iter().find_map(|route| path.strip_suffix(route)) {
        let mut right = url.clone();
        right.set_path(root);
        right.set_query(None);
        return Err(format!(
            "\"{text}\" is one route of the server: write the address before it, {right}"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("\"{text}\" has more than an address: leave out ? and #"));
    }
    Ok(url)
}

impl UrlBackend {
    /// Passes requests on to a server.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(settings: UrlSettings) -> Result<UrlBackend, BackendError> {
        let mut shown = settings.base.clone();
        // Only an address without host has no place for them, and is none of a server.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        let address = shown.as_str().trim_end_matches('/').to_owned();
        // Times are limited by whoever asks; redirects could lead anywhere.
        let client = Client::new(Config::new(PrivateAddresses::Allowed, CONNECT_WITHIN))
            .map_err(|error| BackendError::Unreachable {
                address: address.clone(),
                why: error.to_string(),
            })?
            .pick(&settings.base)
            .clone();
        Ok(UrlBackend {
            client,
            settings,
            address,
            first_model: Mutex::default(),
        })
    }

    /// What the server calls the model that is asked for; `None` leaves the request's name.
    fn model(&self, service: &ServiceId, asked: Option<&str>) -> Result<Option<String>, BackendError> {
        let model = self.settings.services.get(service);
        let model = model.ok_or_else(|| BackendError::NoService {
            service: service.clone(),
        })?;
        if !model.is_empty() {
            return Ok(Some(model.clone()));
        }
        let is_alias = asked.is_some_and(|asked| {
            asked == ANY_MODEL
                || asked.strip_prefix("pocket/").unwrap_or(asked) == service.as_str()
                || self.settings.aliases.get(asked) == Some(service)
        });
        Ok(is_alias.then(|| self.first_model.lock().clone()).flatten())
    }

    fn ask(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url);
        self.settings
            .extra
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    /// The URL of a route, whether the base has `/v1` or not.
    fn url(&self, route: &str, query: Option<&str>) -> Url {
        let base = self.settings.base.path().trim_end_matches('/');
        let root = base.strip_suffix("/v1").unwrap_or(base);
        let mut url = self.settings.base.clone();
        url.set_path(&format!("{root}/v1/{route}"));
        url.set_query(query);
        url
    }

    fn unreachable(&self, error: reqwest::Error) -> BackendError {
        BackendError::Unreachable {
            address: self.address.clone(),
            why: chain(&error.without_url()),
        }
    }

    /// Asks whether the server is well, and learns which models it has.
    async fn look(&self) -> Result<(), BackendError> {
        let (url, path) = match &self.settings.health {
            Some(path) => {
                let mut url = self.settings.base.clone();
                url.set_path(path);
                (url, path.as_str())
            }
            None => (self.url("models", None), "/v1/models"),
        };
        let not_ready = |why: String| BackendError::NotReady {
            address: self.address.clone(),
            why,
        };
        let answer = self.ask(reqwest::Method::GET, url).send().await;
        let answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status().as_u16();
        let hint = match status {
            200..=299 => return self.learn(answer).await.map_err(not_ready),
            401 | 403 => ": is the key in miner.backend_key_file right?",
            404 | 405 => {
                ": is miner.backend the server's address, with or without /v1? A server that lists no models needs \
                 miner.backend_health"
            }
            _ => "",
        };
        Err(not_ready(format!(
            "it answers GET {path} with status {status}{hint}"
        )))
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
        }
        if self.settings.health.is_some() {
            return Ok(());
        }
        let mut body = BytesMut::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| chain(&error.without_url()))?;
            if body.len() + part.len() > MODELS_BYTES {
                return Err(format!("its list of models is larger than {MODELS_BYTES} bytes"));
            }
            body.extend_from_slice(&part);
        }
        match judge(Operation::Models, 200, &body) {
            Verdict::Counts => {}
            Verdict::NoAnswer(why) => return Err(format!("GET /v1/models: {why}")),
            Verdict::NoRoute => return Err("GET /v1/models: it has no such route".to_owned()),
        }
        // A list of another form is a list all the same; only no name is learnt from it.
        let list = serde_json::from_slice::<List>(&body).ok();
        *self.first_model.lock() = list
            .and_then(|list| list.data.into_iter().next())
            .map(|model| model.id);
        Ok(())
    }
}

#[async_trait]
impl Backend for UrlBackend {
    async fn prepare(&self, service: &ServiceId) -> Result<(), BackendError> {
        self.probe(service).await
    }

    async fn probe(&self, service: &ServiceId) -> Result<(), BackendError> {
        self.model(service, None)?;
        match tokio::time::timeout(PROBE_WITHIN, self.look()).await {
            Ok(looked) => looked,
            Err(_) => Err(BackendError::Unreachable {
                address: self.address.clone(),
                why: format!("it gave no answer within {} s", PROBE_WITHIN.as_secs()),
            }),
        }
    }

    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError> {
        let route = known_route(&request.method, &request.path)?;
        let named = ModelName::find(&request.body);
        let asked = named.as_ref().and_then(|named| named.asked.clone());
        let model = self.model(&request.service, asked.as_deref())?;
        let (body, asked) = match (named, model) {
            (Some(named), Some(model)) => (named.set(&request.body, &model), asked),
            (_, _) => (request.body.clone(), None),
        };
        let query = request.path.split_once('?').map(|(_, query)| query);
        let mut outgoing = self.ask(reqwest::Method::POST, self.url(route, query)).body(body);
        for name in ["Content-Type", "Accept"] {
            for value in request.headers.get(name).into_iter().flatten() {
                outgoing = outgoing.header(name, value);
            }
        }
        let answer = outgoing
            .header("Accept-Encoding", "identity")
            .send()
            .await
            .map_err(|error| self.unreachable(error))?;
        let status = answer.status().as_u16();
        let content_type = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/json").to_owned();
        let parts = answer
            .bytes_stream()
            .map_err(|error| BackendError::BrokenOff(chain(&error.without_url())))
            .boxed();
        let body = if content_type.starts_with("text/event-stream") {
            BackendBody::Stream(parts)
        } else {
            BackendBody::Parts(parts)
        };
        Ok(BackendAnswer {
            status,
            headers: headers([("content-type", content_type)]),
            body,
            model: asked,
        })
    }

    fn capacity(&self, _service: &ServiceId) -> Capacity {
        Capacity {
            slots: self.settings.slots.max(1),
        }
    }

    fn address(&self) -> Option<&str> {
        Some(&self.address)
    }
}

#[cfg(test)]
mod tests;
