//! Errors in OpenAI's shape, and the one way into it.

use hearth_engine::{GenerateError, LoadError};
use serde::Serialize;

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

/// A refusal. Its message says what to do; it never has a path, a prompt or a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub status: u16,
    pub kind: ErrorType,
    /// A stable word.
    pub code: &'static str,
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// When it makes sense to ask again.
    pub retry_after_seconds: Option<u32>,
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
    /// A refusal with a status of one's own.
    pub fn new(status: u16, kind: ErrorType, code: &'static str, message: impl Into<String>) -> Error {
        Error {
            status,
            kind,
            code,
            message: message.into(),
            param: None,
            retry_after_seconds: None,
        }
    }

    /// The request is wrong.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Error {
        Error::new(400, ErrorType::InvalidRequestError, code, message)
    }

    /// A field of the request is wrong.
    pub fn bad_field(param: &str, message: impl Into<String>) -> Error {
        Error {
            param: Some(param.to_owned()),
            ..Error::bad_request("invalid_value", message)
        }
    }

    /// There is no such model.
    #[must_use]
    pub fn no_model(name: &str) -> Error {
        let message = format!("there is no model \"{name}\" here: GET /v1/models lists those there are");
        Error {
            param: Some("model".to_owned()),
            ..Error::new(404, ErrorType::NotFoundError, "model_not_found", message)
        }
    }

    /// We cannot at present.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Error {
        Error::new(503, ErrorType::ServerError, code, message)
    }

    /// The same towards somebody who pays: a model that cannot be used is no fault of the request.
    pub(crate) fn towards_a_buyer(self) -> Error {
        match self.code {
            "model_unsupported"
            | "model_too_large"
            | "model_damaged"
            | "chat_template_broken"
            | "model_not_found" => Error::unavailable(self.code, self.message),
            _ => self,
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let inner = Inner {
            message: &self.message,
            kind: self.kind,
            param: self.param.as_deref(),
            code: self.code,
        };
        serde_json::to_vec(&Body { error: inner }).unwrap_or_default()
    }

    /// The same as a value, for a stream that breaks off.
    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body()).unwrap_or_default()
    }
}

impl From<GenerateError> for Error {
    fn from(error: GenerateError) -> Error {
        let message = error.to_string();
        match error {
            GenerateError::ContextOverflow { .. } | GenerateError::PromptTooLong { .. } => Error {
                param: Some("messages".to_owned()),
                ..Error::bad_request("context_length_exceeded", message)
            },
            GenerateError::CacheTooLarge { .. } => Error {
                param: Some("max_tokens".to_owned()),
                ..Error::bad_request("context_length_exceeded", message)
            },
            GenerateError::BadParameter { field, .. } => Error::bad_field(field, message),
            GenerateError::EmptyPrompt | GenerateError::UnknownToken { .. } => {
                Error::bad_request("invalid_prompt", message)
            }
            GenerateError::NoChatTemplate | GenerateError::Template { .. } => {
                Error::bad_request("chat_template", message)
            }
            GenerateError::TemplateBroken { .. } => unusable("chat_template_broken", message),
            GenerateError::NotGenerative { .. } | GenerateError::NotEmbedding { .. } => Error {
                param: Some("model".to_owned()),
                ..Error::bad_request("wrong_model_kind", message)
            },
            GenerateError::Busy { .. } | GenerateError::CachesFull { .. } => Error {
                retry_after_seconds: Some(1),
                ..Error::unavailable("engine_overloaded", message)
            },
            // Nobody hears it: only a reader who is gone cancels.
            GenerateError::Cancelled => Error::unavailable("cancelled", message),
            GenerateError::Stopped => Error::unavailable("engine_stopped", message),
            GenerateError::WeightsChanged { .. } => unusable(
                "model_damaged",
                "the model's files changed on disk after loading: verify the model and load it again"
                    .to_owned(),
            ),
            GenerateError::Internal { .. } => internal(),
        }
    }
}

/// A refusal to load `name`. What names files is for the log alone.
pub(crate) fn load_error(name: &str, error: &LoadError) -> Error {
    match error {
        // Asking again would change nothing, and clients ask again after a 5xx.
        LoadError::UnsupportedArchitecture { .. }
        | LoadError::UnsupportedFeature { .. }
        | LoadError::UnsupportedTensorType { .. } => unusable("model_unsupported", error.to_string()),
        LoadError::TooLarge { .. } => unusable("model_too_large", error.to_string()),
        LoadError::Stopped => Error::unavailable("engine_stopped", error.to_string()),
        LoadError::Unrecognised { .. }
        | LoadError::PartMissing { .. }
        | LoadError::File(_)
        | LoadError::Gguf { .. }
        | LoadError::Damaged { .. } => damaged(name),
    }
}

/// A model whose files are not what they should be. What is wrong with them names paths, which are for the log alone.
pub(crate) fn damaged(name: &str) -> Error {
    let message = format!(
        "the files of {name} are missing, damaged or changed: `hearth model verify {name}` says what is wrong"
    );
    unusable("model_damaged", message)
}

/// The model is known, but cannot be used as it is until a person does something.
fn unusable(code: &'static str, message: String) -> Error {
    Error {
        param: Some("model".to_owned()),
        ..Error::new(422, ErrorType::InvalidRequestError, code, message)
    }
}

/// A defect of ours.
pub(crate) fn internal() -> Error {
    Error::new(
        500,
        ErrorType::ServerError,
        "internal_error",
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
    fn a_model_that_cannot_work_is_no_reason_to_ask_again_but_no_fault_of_a_buyer() {
        let error = load_error(
            "m",
            &LoadError::UnsupportedFeature {
                feature: "the pre-tokenizer \"x\"".into(),
            },
        );
        assert_eq!((error.status, error.code), (422, "model_unsupported"));
        assert_eq!(error.clone().towards_a_buyer().status, 503);
        let broken = GenerateError::TemplateBroken {
            reason: "it takes too much memory".into(),
        };
        let error = Error::from(broken);
        assert_eq!((error.status, error.code), (422, "chat_template_broken"));
        let wrong = Error::bad_field("n", "n is 2");
        assert_eq!(wrong.clone().towards_a_buyer(), wrong);
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
                reason: "gone".into(),
            }),
        );
        assert!(!error.message.contains("/home"), "{error}");
    }
}
