//! Any OpenAI-compatible server: vLLM, llama.cpp, Ollama, another Hearth.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use hearth_base::ServiceId;
use hearth_outbound::{Client, Config, Inward};
use serde_json::Value;
use url::Url;

use super::{Backend, BackendAnswer, BackendBody, BackendError, BackendRequest, Capacity, headers};

/// A line of a stream that is longer is passed on as it is.
const MAX_LINE: usize = 256 << 10;
/// How long a connection to the server may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Method and path of what is passed on.
const ROUTES: [(&str, &str); 4] = [
    ("POST", "chat/completions"),
    ("POST", "completions"),
    ("POST", "embeddings"),
    ("GET", "models"),
];

/// Passes requests on to a server.
#[derive(Clone, Debug)]
pub struct UrlBackend {
    client: reqwest::Client,
    base: Url,
    /// The server's name for the model of each service; empty leaves the request's name.
    services: BTreeMap<ServiceId, String>,
    /// Headers that are added, such as `Authorization`.
    extra: BTreeMap<String, String>,
    slots: usize,
}

impl UrlBackend {
    /// Passes requests on to the server at `base`, with or without `/v1` at its end.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(
        base: Url,
        services: BTreeMap<ServiceId, String>,
        extra: BTreeMap<String, String>,
        slots: usize,
    ) -> Result<UrlBackend, BackendError> {
        // Times are limited by whoever asks; redirects could lead anywhere.
        let client = Client::new(Config::new(Inward::Allowed, CONNECT_WITHIN))
            .map_err(|error| BackendError::Unreachable(error.to_string()))?
            .pick(&base)
            .clone();
        Ok(UrlBackend {
            client,
            base,
            services,
            extra,
            slots: slots.max(1),
        })
    }

    fn model(&self, service: &ServiceId) -> Result<Option<&str>, BackendError> {
        let model = self.services.get(service);
        let model = model.ok_or_else(|| BackendError::NoService {
            service: service.clone(),
        })?;
        Ok(Some(model.as_str()).filter(|model| !model.is_empty()))
    }

    fn with_extra(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        self.extra
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    /// The URL for a request's path, which may or may not have `/v1`, as may the base.
    fn url(&self, method: &str, path: &str) -> Result<(reqwest::Method, Url), BackendError> {
        let (plain, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let asked = plain.trim_matches('/');
        let asked = asked.strip_prefix("v1/").unwrap_or(asked);
        let not_served = || BackendError::NotServed {
            method: method.to_owned(),
            path: plain.to_owned(),
        };
        // Only what is in the table leaves: anything else at that address may be somebody's administration.
        let (method, asked) = ROUTES
            .iter()
            .find(|(route_method, route)| *route_method == method && *route == asked)
            .ok_or_else(not_served)?;
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|_| not_served())?;
        let base = self.base.path().trim_end_matches('/');
        let root = format!("{}/v1/", base.strip_suffix("/v1").unwrap_or(base));
        let mut url = self.base.clone();
        url.set_path(&format!("{root}{asked}"));
        url.set_query(query);
        if url.path().starts_with(&root) {
            Ok((method, url))
        } else {
            Err(not_served())
        }
    }
}

#[async_trait]
impl Backend for UrlBackend {
    async fn prepare(&self, service: &ServiceId) -> Result<(), BackendError> {
        self.model(service)?;
        let (method, url) = self.url("GET", "models")?;
        let request = self
            .with_extra(self.client.request(method, url))
            .timeout(std::time::Duration::from_secs(10));
        // Any answer shows that a server is there; not every one lists its models.
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| BackendError::Unreachable(error.without_url().to_string()))
    }

    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError> {
        let model = self.model(&request.service)?;
        let (body, asked) = match model {
            Some(model) => replace_model(&request.body, model),
            None => (request.body.clone(), None),
        };
        let (method, url) = self.url(&request.method, &request.path)?;
        let mut outgoing = self.with_extra(self.client.request(method, url)).body(body);
        for name in ["Content-Type", "Accept"] {
            for value in request.headers.get(name).into_iter().flatten() {
                outgoing = outgoing.header(name, value);
            }
        }
        let answer = outgoing
            .header("Accept-Encoding", "identity")
            .send()
            .await
            .map_err(|error| BackendError::Unreachable(error.without_url().to_string()))?;
        let status = answer.status().as_u16();
        let content_type = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/json").to_owned();
        let is_stream = ["text/event-stream", "application/x-ndjson"]
            .iter()
            .any(|kind| content_type.starts_with(kind));
        let parts = answer
            .bytes_stream()
            .map_err(|error| BackendError::BrokenOff(error.without_url().to_string()));
        let body = if is_stream {
            BackendBody::Stream(match asked {
                Some(asked) => rename_lines(parts.boxed(), asked),
                None => parts.boxed(),
            })
        } else {
            BackendBody::Parts {
                parts: parts.boxed(),
                finish: Box::new(move |body| match &asked {
                    Some(asked) => rename(&body, asked).unwrap_or(body),
                    None => body,
                }),
            }
        };
        Ok(BackendAnswer {
            status,
            headers: headers([("content-type", content_type)]),
            body,
        })
    }

    fn capacity(&self, _service: &ServiceId) -> Capacity {
        Capacity { slots: self.slots }
    }
}

/// Puts the server's name for the model into a body. Returns the name that was asked for.
fn replace_model(body: &Bytes, model: &str) -> (Bytes, Option<String>) {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return (body.clone(), None);
    };
    let Some(Value::String(asked)) = fields.insert("model".to_owned(), Value::String(model.to_owned()))
    else {
        return (Value::Object(fields).to_string().into(), None);
    };
    (Value::Object(fields).to_string().into(), Some(asked))
}

/// Puts the name that was asked for back into an answer.
fn rename(body: &[u8], asked: &str) -> Option<Bytes> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return None;
    };
    let model = fields.get_mut("model")?;
    *model = Value::String(asked.to_owned());
    Some(Value::Object(fields).to_string().into())
}

/// As [`rename`], in every event of a stream.
fn rename_lines(
    parts: BoxStream<'static, Result<Bytes, BackendError>>,
    asked: String,
) -> BoxStream<'static, Result<Bytes, BackendError>> {
    let state = (parts, BytesMut::new(), asked, false);
    futures::stream::unfold(state, |(mut parts, mut rest, asked, ended)| async move {
        if ended {
            return None;
        }
        loop {
            match parts.next().await {
                Some(Err(error)) => return Some((Err(error), (parts, rest, asked, true))),
                Some(Ok(part)) => rest.extend_from_slice(&part),
                None if rest.is_empty() => return None,
                None => {
                    let last = renamed(&rest.split(), &asked);
                    return Some((Ok(last), (parts, rest, asked, true)));
                }
            }
            let whole = rest
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let whole = if whole == 0 && rest.len() > MAX_LINE {
                rest.len()
            } else {
                whole
            };
            if whole > 0 {
                let lines = renamed(&rest.split_to(whole), &asked);
                return Some((Ok(lines), (parts, rest, asked, false)));
            }
        }
    })
    .boxed()
}

fn renamed(lines: &[u8], asked: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let (head, json) = match text.strip_prefix(b"data: ") {
            Some(json) => (b"data: ".as_slice(), json),
            None => (b"".as_slice(), text),
        };
        match rename(json, asked) {
            Some(json) => {
                out.extend_from_slice(head);
                out.extend_from_slice(&json);
                out.extend_from_slice(&line[text.len()..]);
            }
            None => out.extend_from_slice(line),
        }
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_partial_json, method, path},
    };

    use super::*;

    fn backend(base: &str) -> UrlBackend {
        hearth_base::tls::init();
        let services = [(ServiceId::new("svc"), "upstream".to_owned())].into();
        UrlBackend::new(base.parse().unwrap(), services, BTreeMap::new(), 4).unwrap()
    }

    fn request(path: &str) -> BackendRequest {
        BackendRequest {
            service: ServiceId::new("svc"),
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: headers([("content-type", "application/json".to_owned())]),
            body: Bytes::from_static(br#"{"model":"pocket/svc","messages":[]}"#),
        }
    }

    #[test]
    fn paths_with_and_without_v1() {
        let url = |base: &str, path: &str| backend(base).url("POST", path).unwrap().1.to_string();
        for base in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
            for path in ["/v1/chat/completions", "/chat/completions", "chat/completions"] {
                assert_eq!(url(base, path), "http://h:1/v1/chat/completions");
            }
        }
        assert_eq!(
            url("http://h:1/a/v1", "/v1/embeddings?y=1"),
            "http://h:1/a/v1/embeddings?y=1"
        );
        for (method, path) in [
            ("POST", "/v1/../admin"),
            ("POST", "/%2E%2e/admin"),
            ("POST", "/v1/.%2e/admin"),
            ("POST", "/v1/%2e./chat/completions"),
            ("POST", "/v1/..\\admin"),
            ("POST", "/v1/models"),
            ("DELETE", "/v1/models"),
            ("PUT", "/v1/chat/completions"),
        ] {
            let refused = backend("http://h:1").url(method, path);
            assert!(
                matches!(refused, Err(BackendError::NotServed { .. })),
                "{method} {path}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_path_leaves_the_api(
            method in "POST|GET|DELETE|PUT|[a-z]{1,5}",
            parts in proptest::collection::vec(
                "/|v1|\\.|\\.\\.|%2e|%2E|%2f|%5c|\\\\|chat/completions|models|\\?|#|@|:|//h2|[ -~]{0,3}",
                0..8,
            ),
            base in "http://h:1(/|/a|/v1|/a/v1/)?",
        ) {
            if let Ok((_, url)) = backend(&base).url(&method, &parts.concat()) {
                let root = if base.contains("/a") { "/a/v1/" } else { "/v1/" };
                let rest = url.path().strip_prefix(root).unwrap();
                proptest::prop_assert!(ROUTES.contains(&(method.as_str(), rest)), "{url}");
                proptest::prop_assert_eq!(url.host_str(), Some("h"));
            }
        }
    }

    async fn whole(body: BackendBody) -> Bytes {
        match body {
            BackendBody::Full(body) => body,
            BackendBody::Parts { parts, finish } => {
                let parts: Vec<Bytes> = parts.try_collect().await.unwrap();
                finish(parts.concat().into())
            }
            BackendBody::Stream(_) => panic!("a stream"),
        }
    }

    #[tokio::test]
    async fn the_key_is_sent_along() {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::header("Authorization", "Bearer secret"))
            .respond_with(ResponseTemplate::new(200).set_body_raw("{}", "application/json"))
            .expect(2)
            .mount(&server)
            .await;
        let services = [(ServiceId::new("svc"), String::new())].into();
        let extra = [("Authorization".to_owned(), "Bearer secret".to_owned())].into();
        let backend = UrlBackend::new(server.uri().parse().unwrap(), services, extra, 4).unwrap();
        backend.prepare(&ServiceId::new("svc")).await.unwrap();
        let answer = backend.serve(request("/v1/chat/completions")).await.unwrap();
        assert_eq!(answer.status, 200);
    }

    #[tokio::test]
    async fn the_model_is_replaced_on_both_sides() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .and(body_partial_json(serde_json::json!({"model": "upstream"})))
            .respond_with(
                ResponseTemplate::new(200)
                    .set_body_raw(r#"{"id":"1","model":"upstream"}"#, "application/json"),
            )
            .mount(&server)
            .await;
        let answer = backend(&server.uri())
            .serve(request("/chat/completions"))
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(whole(answer.body).await, r#"{"id":"1","model":"pocket/svc"}"#);
    }

    #[tokio::test]
    async fn the_model_is_replaced_in_streams() {
        let server = MockServer::start().await;
        let events = "data: {\"model\":\"upstream\",\"n\":1}\n\ndata: [DONE]\n\n";
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(events, "text/event-stream"))
            .mount(&server)
            .await;
        let answer = backend(&server.uri())
            .serve(request("/v1/chat/completions"))
            .await
            .unwrap();
        let BackendBody::Stream(parts) = answer.body else {
            panic!("no stream")
        };
        let parts: Vec<Bytes> = parts.try_collect().await.unwrap();
        assert_eq!(
            parts.concat(),
            b"data: {\"model\":\"pocket/svc\",\"n\":1}\n\ndata: [DONE]\n\n"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_to_be_so() {
        let failed = backend("http://127.0.0.1:1")
            .prepare(&ServiceId::new("svc"))
            .await;
        assert!(matches!(failed, Err(BackendError::Unreachable(_))));
        let unknown = backend("http://127.0.0.1:1")
            .prepare(&ServiceId::new("other"))
            .await;
        assert!(matches!(unknown, Err(BackendError::NoService { .. })));
    }
}
