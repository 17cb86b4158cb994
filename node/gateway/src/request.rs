//! What is asked of a service, and what of it travels.

use bytes::Bytes;
use hearth_base::ServiceId;
use hearth_pocket::payload::{Headers, HttpRequest};
use uuid::Uuid;

/// What is asked of a service.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id that its receipt gets.
    pub id: Uuid,
    pub service: ServiceId,
    pub method: String,
    /// With or without `/v1`; suppliers get it without.
    pub path: String,
    /// The type of the answer that is wanted. Where nothing is said: events if the body asks for a stream, else JSON.
    pub accept: Option<String>,
    pub body: Bytes,
}

impl Request {
    /// A `POST` of JSON.
    #[must_use]
    pub fn post(service: ServiceId, path: &str, body: Bytes) -> Request {
        Request {
            id: Uuid::now_v7(),
            service,
            method: "POST".to_owned(),
            path: path.to_owned(),
            accept: None,
            body,
        }
    }

    /// The request as it travels. Nothing of the reader goes along but what is asked: no cookies, keys or names.
    pub(crate) fn pack(&self) -> Bytes {
        let path = self
            .path
            .strip_prefix("/v1")
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(&self.path);
        // A supplier answers in parts only where events are accepted.
        let usual = if self.asks_for_stream() {
            "text/event-stream"
        } else {
            "application/json"
        };
        let accept = self.accept.clone().unwrap_or_else(|| usual.to_owned());
        let mut headers = Headers::new();
        headers.insert("Accept".to_owned(), vec![accept]);
        headers.insert("Content-Type".to_owned(), vec!["application/json".to_owned()]);
        let request = HttpRequest {
            method: self.method.clone(),
            headers,
            // The host says nothing to a supplier; it keeps path and query.
            url: format!("http://{}{path}", self.service),
            body: with_own_model_name(&self.body, &self.service),
        };
        request.encode()
    }

    /// Whether the body has `"stream": true` at its top.
    pub(crate) fn asks_for_stream(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Body {
            stream: Option<bool>,
        }
        const WORD: &[u8] = b"\"stream\"";
        let has_word = self.body.windows(WORD.len()).any(|window| window == WORD);
        has_word && serde_json::from_slice::<Body>(&self.body).is_ok_and(|body| body.stream == Some(true))
    }

    /// Whether a whole stream of this request ends with OpenAI's last line.
    pub(crate) fn streams_end_with_done(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        path.ends_with("/completions")
    }
}

/// Replaces the model's name in the network by the service's, which the supplier maps to its own.
fn with_own_model_name(body: &Bytes, service: &ServiceId) -> Bytes {
    const MARK: &[u8] = b"\"pocket/";
    if !body.windows(MARK.len()).any(|window| window == MARK) {
        return body.clone();
    }
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return body.clone();
    };
    let network_name = format!("pocket/{service}");
    match fields.get_mut("model") {
        Some(model) if *model == network_name.as_str() => *model = service.as_str().into(),
        Some(_) | None => return body.clone(),
    }
    serde_json::to_vec(&fields).map_or_else(|_| body.clone(), Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_name_of_a_model_becomes_the_services() {
        let service = ServiceId::new("llm");
        let named = |body: &str| {
            let body = with_own_model_name(&Bytes::copy_from_slice(body.as_bytes()), &service);
            String::from_utf8(body.to_vec()).unwrap()
        };
        assert_eq!(
            named(r#"{"a":1,"model":"pocket/llm","b":"pocket/llm"}"#),
            r#"{"a":1,"model":"llm","b":"pocket/llm"}"#
        );
        for same in [
            r#"{"model": "other"}"#,
            r#"{"model": "pocket/other"}"#,
            "no json, \"pocket/llm\"",
        ] {
            assert_eq!(named(same), same);
        }
    }

    #[test]
    fn events_are_accepted_where_a_stream_is_asked_for() {
        let accept = |body: &'static str| {
            let request = Request::post(ServiceId::new("llm"), "/v1/chat/completions", body.into());
            let packed = HttpRequest::decode(request.pack()).unwrap();
            packed.header("accept").unwrap().to_owned()
        };
        assert_eq!(accept(r#"{"stream": true}"#), "text/event-stream");
        for whole in [
            r#"{"stream":false}"#,
            r#"{"stream":null}"#,
            r#"{"messages":[{"content":"\"stream\":true"}]}"#,
            "no json, \"stream\"",
        ] {
            assert_eq!(accept(whole), "application/json", "{whole}");
        }
    }

    #[test]
    fn suppliers_get_the_path_without_v1_and_nothing_of_the_reader() {
        let packed = |path: &str| {
            HttpRequest::decode(Request::post(ServiceId::new("llm"), path, Bytes::from("{}")).pack()).unwrap()
        };
        for (path, sent) in [
            ("/v1/chat/completions", "/chat/completions"),
            ("/chat/completions", "/chat/completions"),
            ("/v1beta/x", "/v1beta/x"),
            ("/v1/models?a=1", "/models?a=1"),
        ] {
            assert_eq!(packed(path).path_and_query(), sent);
        }
        let names: Vec<String> = packed("/x").headers.into_keys().collect();
        assert_eq!(names, ["Accept", "Content-Type"]);
    }
}
