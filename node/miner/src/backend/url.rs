//! Any OpenAI-compatible server: vLLM, llama.cpp, Ollama, another Hearth.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use hearth_base::ServiceId;
use serde_json::Value;
use url::Url;

use super::{Backend, BackendAnswer, BackendBody, BackendError, BackendRequest, Capacity, headers};

/// A line of a stream that is longer is passed on as it is.
const MAX_LINE: usize = 256 << 10;

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
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| BackendError::Unreachable(error.to_string()))?;
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

    /// The URL for a request's path, which may or may not have `/v1`, as may the base.
    fn url(&self, path: &str) -> Result<Url, BackendError> {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let leaves = path
            .split('/')
            .any(|segment| segment == ".." || segment.eq_ignore_ascii_case("%2e%2e"));
        if leaves {
            return Err(BackendError::Path {
                path: path.to_owned(),
            });
        }
        let path = path.trim_start_matches('/');
        let path = if path == "v1" {
            ""
        } else {
            path.strip_prefix("v1/").unwrap_or(path)
        };
        let base = self.base.path().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let mut url = self.base.clone();
        url.set_path(&format!("{base}/v1/{path}"));
        url.set_query(query);
        Ok(url)
    }
}

#[async_trait]
impl Backend for UrlBackend {
    async fn prepare(&self, service: &ServiceId) -> Result<(), BackendError> {
        self.model(service)?;
        let request = self
            .client
            .get(self.url("models")?)
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
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap_or(reqwest::Method::POST);
        let mut outgoing = self.client.request(method, self.url(&request.path)?).body(body);
        for name in ["Content-Type", "Accept"] {
            for value in request.headers.get(name).into_iter().flatten() {
                outgoing = outgoing.header(name, value);
            }
        }
        for (name, value) in &self.extra {
            outgoing = outgoing.header(name, value);
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
            let bytes = parts.try_fold(BytesMut::new(), |mut all, part| async move {
                all.extend_from_slice(&part);
                Ok(all)
            });
            let bytes = bytes.await?.freeze();
            BackendBody::Full(match &asked {
                Some(asked) => rename(&bytes, asked).unwrap_or(bytes),
                None => bytes,
            })
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
        for base in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
            for path in ["/v1/chat/completions", "/chat/completions", "chat/completions"] {
                assert_eq!(
                    backend(base).url(path).unwrap().as_str(),
                    "http://h:1/v1/chat/completions"
                );
            }
        }
        assert_eq!(
            backend("http://h:1/a/v1").url("/v1/x?y=1").unwrap().as_str(),
            "http://h:1/a/v1/x?y=1"
        );
        assert!(matches!(
            backend("http://h:1").url("/v1/../admin"),
            Err(BackendError::Path { .. })
        ));
        assert!(matches!(
            backend("http://h:1").url("/%2E%2e/admin"),
            Err(BackendError::Path { .. })
        ));
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
        let BackendBody::Full(body) = answer.body else {
            panic!("a stream")
        };
        assert_eq!(body, r#"{"id":"1","model":"pocket/svc"}"#);
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
