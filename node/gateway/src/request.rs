//! What is asked of a service, and what of it travels.

use bytes::Bytes;
use hearth_answers::Principal;
use hearth_base::{Amount, ServiceId};
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
    /// Who asks here: the receipt keeps it, nothing of it travels.
    pub principal: Option<Principal>,
    /// The most that the answer may cost.
    pub most: Option<Amount>,
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
            principal: None,
            most: None,
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
            body: self.body.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

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
