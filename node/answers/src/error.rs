//! Why there is no answer: one type for every source and every edge.

use bytes::Bytes;
use hearth_engine::{GenerateError, LoadError};
use serde::Serialize;

use crate::judge::{self, Verdict};

/// Whose fault a refusal is, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    InvalidRequestError,
    AuthenticationError,
    PermissionError,
    NotFoundError,
    RateLimitError,
    ServerError,
}

impl ErrorType {
    fn of(status: u16) -> ErrorType {
        match status {
            401 => ErrorType::AuthenticationError,
            403 => ErrorType::PermissionError,
            404 => ErrorType::NotFoundError,
            429 => ErrorType::RateLimitError,
            500.. => ErrorType::ServerError,
            _ => ErrorType::InvalidRequestError,
        }
    }
}

/// One code for each fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidJson,
    InvalidValue,
    TooManyValues,
    InvalidPrompt,
    ContextLengthExceeded,
    ChatTemplate,
    WrongModelKind,
    NoTools,
    UnknownUrl,
    MethodNotAllowed,
    ModelNotFound,
    /// The model is known, and cannot be used as it is until a person does something.
    ModelUnsupported,
    ModelTooLarge,
    ModelDamaged,
    ChatTemplateBroken,
    ModelUnloaded,
    EngineOverloaded,
    EngineStopped,
    Cancelled,
    Internal,
    /// Another server, which cannot be reached, is not well, gave no answer, or broke off.
    BackendUnreachable,
    BackendNotReady,
    BackendFailed,
    BackendBusy,
    BackendTooSlow,
    BackendTooLarge,
    AnswerBrokeOff,
    /// Another server's own refusal of the request, with its status.
    BackendRefused,
    DailyCapReached,
    /// The price of an answer is above what was set aside for it.
    PriceRose,
    OutOfStake,
    ApplicationNotReady,
    GatewayNotReady,
    SupplierFailed,
    NetworkUnavailable,
    /// One of the surface on which it is said.
    Of(&'static str),
}

impl Code {
    /// The stable word and the status that belongs to it.
    #[must_use]
    pub fn word_and_status(self) -> (&'static str, u16) {
        match self {
            Code::InvalidJson => ("invalid_json", 400),
            Code::InvalidValue => ("invalid_value", 400),
            Code::TooManyValues => ("too_many_values", 400),
            Code::InvalidPrompt => ("invalid_prompt", 400),
            Code::ContextLengthExceeded => ("context_length_exceeded", 400),
            Code::ChatTemplate => ("chat_template", 400),
            Code::WrongModelKind => ("wrong_model_kind", 400),
            Code::NoTools => ("no_tools", 400),
            Code::UnknownUrl => ("unknown_url", 404),
            Code::MethodNotAllowed => ("method_not_allowed", 405),
            Code::ModelNotFound => ("model_not_found", 404),
            Code::ModelUnsupported => ("model_unsupported", 422),
            Code::ModelTooLarge => ("model_too_large", 422),
            Code::ModelDamaged => ("model_damaged", 422),
            Code::ChatTemplateBroken => ("chat_template_broken", 422),
            Code::ModelUnloaded => ("model_unloaded", 503),
            Code::EngineOverloaded => ("engine_overloaded", 503),
            Code::EngineStopped => ("engine_stopped", 503),
            Code::Cancelled => ("cancelled", 503),
            Code::Internal => ("internal_error", 500),
            Code::BackendUnreachable => ("backend_unreachable", 502),
            Code::BackendNotReady => ("backend_not_ready", 503),
            Code::BackendFailed => ("backend_failed", 502),
            Code::BackendBusy => ("backend_busy", 503),
            Code::BackendTooSlow => ("backend_too_slow", 504),
            Code::BackendTooLarge => ("backend_too_large", 502),
            Code::AnswerBrokeOff => ("broken_off", 502),
            Code::BackendRefused => ("refused_by_backend", 400),
            Code::DailyCapReached => ("daily_cap_reached", 402),
            Code::PriceRose => ("price_rose", 402),
            Code::OutOfStake => ("out_of_stake", 402),
            Code::ApplicationNotReady => ("application_not_ready", 402),
            Code::GatewayNotReady => ("gateway_not_ready", 503),
            Code::SupplierFailed => ("supplier_failed", 502),
            Code::NetworkUnavailable => ("network_unavailable", 503),
            Code::Of(word) => (word, 400),
        }
    }

    /// The stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.word_and_status().0
    }
}

/// A refusal. Its message never has a path, a prompt or a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    pub status: u16,
    /// What happened, and what to do where no remedy says it.
    pub message: String,
    /// The field at fault, by its path in the request.
    pub param: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// When it makes sense to ask again.
    pub retry_after_seconds: Option<u32>,
    /// Figures of the message by name, for a page that says it in another language.
    pub values: Vec<(&'static str, String)>,
    /// What another server said itself, where it is JSON: it is passed on as it is.
    pub own_words: Option<Bytes>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorType,
    param: Option<&'a str>,
    code: &'a str,
}

impl Error {
    /// A refusal with the status of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error {
            code,
            status: code.word_and_status().1,
            message: message.into(),
            param: None,
            remedy: None,
            retry_after_seconds: None,
            values: Vec::new(),
            own_words: None,
        }
    }

    /// The body cannot be read.
    pub fn bad_json(message: impl Into<String>) -> Error {
        Error::new(Code::InvalidJson, message)
    }

    /// A field of the request is wrong.
    pub fn bad_field(param: &str, message: impl Into<String>) -> Error {
        Error::new(Code::InvalidValue, message).param(param)
    }

    /// A conversation is longer than the model's context. litellm, LangChain and others know it by these first words of
    /// OpenAI's.
    #[must_use]
    pub fn context_overflow(prompt_tokens: u64, context_tokens: u64) -> Error {
        let message = format!(
            "This model's maximum context length is {context_tokens} tokens. However, your messages resulted in \
             {prompt_tokens} tokens, and the answer needs one more. Please reduce the length of the messages."
        );
        Error::new(Code::ContextLengthExceeded, message).param("messages")
    }

    /// There is no such model.
    #[must_use]
    pub fn no_model(name: &str) -> Error {
        let message = format!(
            "there is no model \"{name}\" here: GET /v1/models, or `hearth model list` at the node, lists those there are"
        );
        Error::new(Code::ModelNotFound, message).param("model")
    }

    /// What is asked for is none of the requests that are served. `allowed` is the method of that route, if it is one.
    #[must_use]
    pub fn not_served(method: &str, path: &str, allowed: Option<&str>) -> Error {
        let shown: String = path.chars().take(100).collect();
        match allowed {
            Some(allowed) => Error::new(
                Code::MethodNotAllowed,
                format!("{method} is not allowed for {shown}: use {allowed}"),
            ),
            None => {
                let why = missing(path).map_or(String::new(), |why| format!(", {why}"));
                Error::new(
                    Code::UnknownUrl,
                    format!(
                        "there is no route {shown} here{why}: use /v1/chat/completions, /v1/completions, \
                         /v1/responses, /v1/messages, /v1/embeddings or /v1/models"
                    ),
                )
            }
        }
    }

    /// A stream that ended before its end.
    #[must_use]
    pub fn broken_off() -> Error {
        Error::new(Code::AnswerBrokeOff, "the answer broke off").remedy("Try again.")
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, param: &str) -> Error {
        self.param = Some(param.to_owned());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says when to ask again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Error {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Whose fault it is: what is the request's own counts as an answer.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        judge::of_status(self.status)
    }

    /// Whether another backend may do better.
    #[must_use]
    pub fn is_of_the_backend(&self) -> bool {
        matches!(self.verdict(), Verdict::NoAnswer(_))
    }

    /// The same towards somebody who pays: a model that cannot be used is no fault of the request.
    #[must_use]
    pub fn towards_a_buyer(mut self) -> Error {
        if matches!(
            self.code,
            Code::ModelUnsupported
                | Code::ModelTooLarge
                | Code::ModelDamaged
                | Code::ChatTemplateBroken
                | Code::ModelNotFound
        ) {
            self.status = 503;
        }
        self
    }

    /// What happened and what to do, in one text.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}. {remedy}", self.message.trim_end_matches('.')),
            None => self.message.clone(),
        }
    }

    /// The body of the answer, in OpenAI's shape.
    #[must_use]
    pub fn body(&self) -> Bytes {
        if let Some(own) = &self.own_words {
            return own.clone();
        }
        let message = self.text();
        let inner = Inner {
            message: &message,
            kind: ErrorType::of(self.status),
            param: self.param.as_deref(),
            code: self.code.word(),
        };
        serde_json::to_vec(&Body { error: inner })
            .unwrap_or_default()
            .into()
    }
}

/// Why a part of OpenAI's API is not here.
fn missing(path: &str) -> Option<&'static str> {
    match crate::operation::route(path)
        .split('/')
        .next()
        .unwrap_or_default()
    {
        "audio" | "images" | "videos" | "realtime" => {
            Some("models of this node read and write text: no sound, pictures or films")
        }
        "files" | "uploads" | "vector_stores" | "containers" => {
            Some("no files are kept for answers: send their text in the request")
        }
        "assistants" | "threads" | "conversations" => {
            Some("conversations are the client's: send their messages, or previous_response_id")
        }
        "batches" | "fine_tuning" | "evals" | "moderations" => Some("a node answers, and does nothing else"),
        _ => None,
    }
}

impl From<GenerateError> for Error {
    fn from(error: GenerateError) -> Error {
        let message = error.to_string();
        match error {
            GenerateError::ContextOverflow {
                prompt_tokens,
                context_tokens,
            } => Error::context_overflow(prompt_tokens as u64, context_tokens as u64),
            GenerateError::PromptTooLong {
                bytes,
                limit_bytes,
                context_tokens,
            } => Error::new(
                Code::ContextLengthExceeded,
                format!(
                    "This model's maximum context length is {context_tokens} tokens. However, your messages have \
                     {bytes} bytes, and it cannot hold more than {limit_bytes}. Please reduce the length of the messages."
                ),
            )
            .param("messages"),
            GenerateError::CacheTooLarge { .. } => {
                Error::new(Code::ContextLengthExceeded, message).param("max_tokens")
            }
            GenerateError::TextTooLong { .. } | GenerateError::TextTooLarge { .. } => {
                Error::new(Code::ContextLengthExceeded, message).param("input")
            }
            GenerateError::BadConstraint { .. } => Error::bad_field("response_format", message),
            GenerateError::BadParameter { field, .. } => Error::bad_field(field, message),
            GenerateError::EmptyPrompt | GenerateError::UnknownToken { .. } => {
                Error::new(Code::InvalidPrompt, message).param("prompt")
            }
            GenerateError::NoChatTemplate | GenerateError::Template { .. } => {
                Error::new(Code::ChatTemplate, message)
            }
            GenerateError::TemplateBroken { .. } => {
                Error::new(Code::ChatTemplateBroken, message).param("model")
            }
            GenerateError::NotGenerative { .. } | GenerateError::NotEmbedding { .. } => {
                Error::new(Code::WrongModelKind, message).param("model")
            }
            GenerateError::Busy { .. } | GenerateError::CachesFull { .. } => {
                Error::new(Code::EngineOverloaded, message).retry_after(1)
            }
            // Nobody hears it: only a reader who is gone cancels.
            GenerateError::Cancelled => Error::new(Code::Cancelled, message),
            GenerateError::Stopped => Error::new(Code::EngineStopped, message),
            GenerateError::WeightsChanged { .. } => Error::new(
                Code::ModelDamaged,
                "the model's files changed on disk after loading: verify the model and load it again",
            )
            .param("model"),
            GenerateError::Internal { .. } => internal(),
        }
    }
}

impl From<crate::dialect::ToolError> for Error {
    fn from(error: crate::dialect::ToolError) -> Error {
        let code = if error.param == "tools" {
            Code::NoTools
        } else {
            Code::InvalidValue
        };
        Error::new(code, error.message).param(&error.param)
    }
}

/// A refusal to load `name`. What names files is for the log alone.
pub(crate) fn load_error(name: &str, error: &LoadError) -> Error {
    match error {
        // Asking again would change nothing, and clients ask again after a 5xx.
        LoadError::UnsupportedArchitecture { .. }
        | LoadError::UnsupportedFeature { .. }
        | LoadError::UnsupportedTokenizer { .. }
        | LoadError::UnsupportedTensorType { .. } => {
            Error::new(Code::ModelUnsupported, error.to_string()).param("model")
        }
        LoadError::TooLarge { .. } => Error {
            values: error.fact().1,
            ..Error::new(Code::ModelTooLarge, error.to_string()).param("model")
        },
        LoadError::Stopped => Error::new(Code::EngineStopped, error.to_string()),
        LoadError::Unrecognised { .. }
        | LoadError::PartMissing { .. }
        | LoadError::File(_)
        | LoadError::Gguf { .. }
        | LoadError::Truncated { .. }
        | LoadError::Damaged { .. } => damaged(name),
    }
}

/// A model whose files are not what they should be. What is wrong with them names paths, which are for the log alone.
pub(crate) fn damaged(name: &str) -> Error {
    let message = format!(
        "the files of {name} are missing, damaged or changed: `hearth model verify {name}` says what is wrong"
    );
    Error::new(Code::ModelDamaged, message).param("model")
}

/// A defect of ours.
pub(crate) fn internal() -> Error {
    Error::new(
        Code::Internal,
        "the engine failed inside: try again, and report it if it stays",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_openais_shape() {
        let body: serde_json::Value = serde_json::from_slice(&Error::no_model("m").body()).unwrap();
        assert_eq!(body["error"]["type"], "not_found_error");
        assert_eq!(body["error"]["code"], "model_not_found");
        assert_eq!(body["error"]["param"], "model");
    }

    #[test]
    fn what_is_not_served_says_why() {
        let message = |path| Error::not_served("POST", path, None).message;
        assert!(message("/v1/audio/speech").contains("no sound"));
        assert!(message("/v1/images/generations").contains("pictures"));
        assert!(message("/v1/files").contains("no files"));
        assert!(message("/v1/assistants").contains("previous_response_id"));
        assert!(message("/v1/nothing").starts_with("there is no route /v1/nothing here: use"));
    }

    #[test]
    fn a_model_that_cannot_work_is_no_reason_to_ask_again_but_no_fault_of_a_buyer() {
        let error = load_error(
            "m",
            &LoadError::UnsupportedFeature {
                feature: "the pre-tokenizer \"x\"".into(),
            },
        );
        assert_eq!((error.status, error.code), (422, Code::ModelUnsupported));
        assert_eq!(error.clone().towards_a_buyer().status, 503);
        let broken = GenerateError::TemplateBroken {
            reason: "it takes too much memory".into(),
        };
        let error = Error::from(broken);
        assert_eq!((error.status, error.code), (422, Code::ChatTemplateBroken));
        let wrong = Error::bad_field("n", "n is 2");
        assert_eq!(wrong.clone().towards_a_buyer(), wrong);
    }

    #[test]
    fn an_overflow_is_said_in_the_words_that_clients_look_for_l21() {
        let error = Error::from(GenerateError::ContextOverflow {
            prompt_tokens: 9_001,
            context_tokens: 8_192,
        });
        let wanted = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens";
        assert!(error.message.starts_with(wanted), "{error}");
        assert_eq!(
            (error.status, error.code.word()),
            (400, "context_length_exceeded")
        );
    }

    #[test]
    fn inner_words_stay_inside() {
        let error = Error::from(GenerateError::Internal {
            reason: "index 7 of 3".into(),
        });
        assert_eq!(error.status, 500);
        assert!(!error.message.contains("index"), "{error}");
        let error = load_error(
            "m",
            &LoadError::File(hearth_engine::FileError::Read {
                file: "/home/me/x.gguf".into(),
                kind: std::io::ErrorKind::NotFound,
                reason: "gone".into(),
            }),
        );
        assert!(!error.message.contains("/home"), "{error}");
    }
}
