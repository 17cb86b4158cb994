//! `/tokenize` and `/detokenize`, in the words of vLLM and llama.cpp's server.

use serde_json::{Value, json};

use super::{chat::ChatRequest, sampling::token_ids};
use crate::{error::Error, json::fields::Fields};

/// What to split into tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenizeRequest {
    /// A text, with the tokens that begin a text or without them.
    Text { text: String, add_special: bool },
    /// A conversation as the model's template writes it.
    Chat(Box<ChatRequest>),
}

/// Tokens to make a text of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetokenizeRequest {
    pub tokens: Vec<u32>,
}

impl TokenizeRequest {
    pub(crate) fn read(fields: &mut Fields) -> Result<TokenizeRequest, Error> {
        // vLLM says prompt, llama.cpp content.
        let prompt = fields.text("prompt")?;
        let text = match prompt {
            Some(text) => Some(text),
            None => fields.text("content")?,
        };
        let add_special = fields.flag("add_special_tokens")?;
        let add_special = match add_special {
            Some(flag) => flag,
            None => fields.flag("add_special")?.unwrap_or(true),
        };
        match text {
            Some(text) => Ok(TokenizeRequest::Text { text, add_special }),
            None => {
                let chat = ChatRequest::read(fields).map_err(|error| match error.param.as_deref() {
                    Some("messages") => Error::bad_field("prompt", "there is neither a prompt nor messages"),
                    _ => error,
                })?;
                Ok(TokenizeRequest::Chat(Box::new(chat)))
            }
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            TokenizeRequest::Text { text, add_special } => {
                json!({ "prompt": text, "add_special_tokens": add_special })
            }
            TokenizeRequest::Chat(chat) => chat.to_json(),
        }
    }
}

impl DetokenizeRequest {
    pub(crate) fn read(fields: &mut Fields) -> Result<DetokenizeRequest, Error> {
        Ok(DetokenizeRequest {
            tokens: token_ids(fields, "tokens")?,
        })
    }
}
