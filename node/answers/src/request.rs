//! What is asked, as values. A request that came as JSON keeps its text beside it, for those who pass it on.

mod chat;
mod completion;
mod embedding;
mod sampling;
mod tokens;
mod unserved;

use std::borrow::Cow;

use bytes::Bytes;
use hearth_base::Amount;
use uuid::Uuid;

pub use chat::{ChatMessage, ChatRequest, Content, Part, ResponseFormat, Tool, ToolChoice};
pub(crate) use chat::{read_choice, read_kwargs, set_effort};
pub use completion::{CompletionRequest, TextPrompt};
pub use embedding::{EmbeddingInput, EmbeddingRequest};
pub use sampling::SamplingParams;
pub(crate) use sampling::{stops, top_logprobs};
pub use tokens::{DetokenizeRequest, TokenizeRequest};
pub(crate) use unserved::{refuse_of_responses, refuse_verbosity};

use crate::{
    error::Error,
    json::{fields::Fields, scan::Scan, size, surrogates},
    operation::Operation,
};

/// What is asked of a backend.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the request to its receipt.
    pub id: Uuid,
    pub operation: Operation,
    /// The model by the backend's name; `None` leaves the choice to it.
    pub model: Option<String>,
    /// The name that the client knows and finds in the answer; `None` where it named none.
    pub asked: Option<String>,
    /// Whether the answer is wanted in parts.
    pub stream: bool,
    /// Whether a stream shall end with the counts.
    pub with_usage: bool,
    /// The most that the answer may cost, where it is bought.
    pub most: Option<Amount>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Typed(Box<RequestBody>),
    Json(Bytes, Scan),
}

/// The content of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    Chat(ChatRequest),
    Completion(CompletionRequest),
    Embedding(EmbeddingRequest),
    Tokenize(TokenizeRequest),
    Detokenize(DetokenizeRequest),
}

impl Request {
    /// A conversation, in parts or whole.
    #[must_use]
    pub fn chat(model: Option<String>, stream: bool, chat: ChatRequest) -> Request {
        Request {
            id: Uuid::now_v7(),
            operation: Operation::Chat,
            asked: model.clone(),
            model,
            stream,
            with_usage: stream,
            most: None,
            source: Source::Typed(Box::new(RequestBody::Chat(chat))),
        }
    }

    /// A request of another kind, answered whole.
    #[must_use]
    pub fn whole(model: Option<String>, body: RequestBody) -> Request {
        let operation = match &body {
            RequestBody::Chat(_) => Operation::Chat,
            RequestBody::Completion(_) => Operation::Completion,
            RequestBody::Embedding(_) => Operation::Embedding,
            RequestBody::Tokenize(_) => Operation::Tokenize,
            RequestBody::Detokenize(_) => Operation::Detokenize,
        };
        Request {
            id: Uuid::now_v7(),
            operation,
            asked: model.clone(),
            model,
            stream: false,
            with_usage: false,
            most: None,
            source: Source::Typed(Box::new(body)),
        }
    }

    /// Reads the body of an HTTP request as far as everybody needs it; its content is read by whoever answers it.
    ///
    /// # Errors
    /// What is no JSON object.
    pub fn read(operation: Operation, body: Bytes) -> Result<Request, Error> {
        const BOM: &[u8] = b"\xEF\xBB\xBF";
        let body = if body.starts_with(BOM) {
            body.slice(BOM.len()..)
        } else {
            body
        };
        let body = match surrogates::replaced(&body) {
            Cow::Borrowed(_) => body,
            Cow::Owned(repaired) => repaired.into(),
        };
        let scan = Scan::of(&body)?;
        Ok(Request {
            id: Uuid::now_v7(),
            operation,
            model: scan.model.clone(),
            asked: scan.model.clone(),
            stream: scan.stream && operation.may_stream(),
            with_usage: scan.include_usage,
            most: None,
            source: Source::Json(body, scan),
        })
    }

    /// The same for a backend that calls the model so; `None` leaves the choice to it.
    #[must_use]
    pub fn for_model(mut self, model: Option<String>) -> Request {
        self.model = model;
        self
    }

    /// How many texts are asked for: prompts times `n`.
    #[must_use]
    pub fn n_texts(&self) -> u64 {
        match &self.source {
            Source::Json(_, scan) => scan.n_texts(),
            Source::Typed(body) => match body.as_ref() {
                RequestBody::Chat(chat) => chat.sampling.n.unwrap_or(1).into(),
                RequestBody::Completion(completion) => {
                    let n = u64::from(completion.sampling.n.unwrap_or(1));
                    n.saturating_mul(completion.prompts.len() as u64)
                }
                RequestBody::Embedding(_) | RequestBody::Tokenize(_) | RequestBody::Detokenize(_) => 1,
            },
        }
    }

    /// The name for the answer.
    #[must_use]
    pub fn shown_model<'a>(&'a self, used: &'a str) -> &'a str {
        self.asked.as_deref().unwrap_or(used)
    }

    /// The content.
    ///
    /// # Errors
    /// A field that is wrong, by its path; too many values.
    pub fn body(&self) -> Result<Cow<'_, RequestBody>, Error> {
        let (json, _) = match &self.source {
            Source::Typed(body) => return Ok(Cow::Borrowed(body)),
            Source::Json(json, scan) => (json, scan),
        };
        size::check(json)?;
        let value = serde_json::from_slice(json)
            .map_err(|error| Error::bad_json(format!("the body {}", hearth_base::json::fault(&error))))?;
        let mut fields = Fields::of_body(value)?;
        let body = match self.operation {
            Operation::Chat => RequestBody::Chat(ChatRequest::read(&mut fields)?),
            Operation::Completion => RequestBody::Completion(CompletionRequest::read(&mut fields)?),
            Operation::Embedding => RequestBody::Embedding(EmbeddingRequest::read(&mut fields)?),
            Operation::Tokenize => RequestBody::Tokenize(TokenizeRequest::read(&mut fields)?),
            Operation::Detokenize => RequestBody::Detokenize(DetokenizeRequest::read(&mut fields)?),
            Operation::Rerank => {
                return Err(Error::bad_field(
                    "model",
                    "this computer's engine has no rerankers yet: name a model of a server that has one",
                ));
            }
            Operation::Models | Operation::Health | Operation::Other => {
                return Err(Error::not_served("POST", "this", None));
            }
        };
        Ok(Cow::Owned(body))
    }

    /// The request as JSON, with the backend's name for the model.
    #[must_use]
    pub fn json(&self) -> Bytes {
        match (&self.source, &self.model) {
            (Source::Json(json, scan), Some(model)) if scan.model.as_ref() != Some(model) => {
                scan.with_model(json, model)
            }
            (Source::Json(json, _), _) => json.clone(),
            (Source::Typed(body), model) => {
                let mut value = body.to_json();
                if let Some(model) = model {
                    value["model"] = model.as_str().into();
                }
                if self.stream {
                    value["stream"] = true.into();
                    value["stream_options"] = serde_json::json!({ "include_usage": true });
                }
                value.to_string().into()
            }
        }
    }
}

impl RequestBody {
    fn to_json(&self) -> serde_json::Value {
        match self {
            RequestBody::Chat(chat) => chat.to_json(),
            RequestBody::Completion(completion) => completion.to_json(),
            RequestBody::Embedding(embedding) => embedding.to_json(),
            RequestBody::Tokenize(tokenize) => tokenize.to_json(),
            RequestBody::Detokenize(detokenize) => serde_json::json!({ "tokens": detokenize.tokens }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &str) -> Result<Request, Error> {
        Request::read(Operation::Chat, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn what_everybody_needs_is_read_at_once_t12_t51_t52() {
        let body = "\u{feff}{\"model\":\"a\",\"model\":\"b\",\"temperature\":1,\"temperature\":0.5,\"stream\":true,\
                    \"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d x\"}],\"stream_options\":{\"include_usage\":true}}";
        let request = read(body).unwrap();
        assert_eq!(request.model.as_deref(), Some("b"));
        assert!(request.stream && request.with_usage);
        let typed = request.body().unwrap();
        let RequestBody::Chat(chat) = typed.as_ref() else {
            panic!("a chat")
        };
        assert_eq!(chat.sampling.temperature, Some(0.5));
        assert_eq!(
            chat.messages[0].content.as_ref().unwrap().text(),
            Ok("\u{fffd} x".to_owned())
        );
        for broken in ["", "[1]", "{", "{} {}", "7"] {
            let error = read(broken).unwrap_err();
            assert_eq!(
                (error.status, error.code.word()),
                (400, "invalid_json"),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_request_is_passed_on_as_it_came_but_for_the_name() {
        let mut request = read("{\"model\":\"a\", \"odd\": 1e400}").unwrap();
        assert_eq!(request.json(), "{\"model\":\"a\", \"odd\": 1e400}");
        request.model = Some("b".to_owned());
        assert_eq!(request.json(), "{\"model\":\"b\", \"odd\": 1e400}");
        assert_eq!(request.shown_model("b"), "a");
    }

    #[test]
    fn a_typed_request_says_the_same_as_json() {
        let chat = ChatRequest {
            messages: vec![ChatMessage::new("user", "hello")],
            sampling: SamplingParams {
                temperature: Some(0.5),
                stop: vec!["x".to_owned()],
                max_tokens: Some(7),
                ..SamplingParams::default()
            },
            ..ChatRequest::default()
        };
        let typed = Request::chat(Some("m".to_owned()), true, chat.clone());
        let json: Value = serde_json::from_slice(&typed.json()).unwrap();
        assert_eq!(
            json,
            json!({
                "messages": [{"role": "user", "content": "hello"}], "temperature": 0.5, "stop": ["x"], "max_tokens": 7,
                "model": "m", "stream": true, "stream_options": {"include_usage": true},
            })
        );
        let again = Request::read(Operation::Chat, typed.json()).unwrap();
        assert_eq!(*again.body().unwrap(), RequestBody::Chat(chat));
    }
}
