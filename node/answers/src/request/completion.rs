//! `/v1/completions`.

use serde_json::{Map, Value};

use super::{
    chat::ResponseFormat,
    sampling::{SamplingParams, token_id, top_logprobs},
};
use crate::{
    error::Error,
    json::fields::{Fields, wrong},
};

/// The most prompts at once, as OpenAI has it.
const MAX_PROMPTS: usize = 2048;

/// Plain texts to go on with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompletionRequest {
    pub prompts: Vec<TextPrompt>,
    pub sampling: SamplingParams,
    /// Reports each token with so many alternatives.
    pub logprobs: Option<u8>,
    /// Whether the answer begins with the prompt.
    pub echo: bool,
    pub response_format: ResponseFormat,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPrompt {
    Text(String),
    Tokens(Vec<u32>),
}

impl CompletionRequest {
    pub(crate) fn read(fields: &mut Fields) -> Result<CompletionRequest, Error> {
        let prompts = match fields.any("prompt") {
            None => return Err(Error::bad_field("prompt", "prompt is missing")),
            Some(prompt) => prompts(prompt)?,
        };
        // It was looked at before; what is no flag is refused here.
        fields.flag("stream")?;
        let sampling = SamplingParams::read(fields)?;
        if let Some(best_of) = fields.limit("best_of")?
            && best_of > 1
        {
            return Err(Error::bad_field(
                "best_of",
                format!(
                    "best_of is {best_of}: texts are not judged here, nor made to be thrown away; use n, and choose yourself"
                ),
            ));
        }
        if fields.text("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
            return Err(Error::bad_field(
                "suffix",
                "suffix is not supported: leave it out",
            ));
        }
        // OpenAI has a number here; some clients send the flag of the chat route.
        let logprobs = match fields.any("logprobs") {
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(0),
            Some(value) => match value.as_u64().and_then(|top| u32::try_from(top).ok()) {
                Some(top) => Some(top_logprobs("logprobs", top)?),
                None => return Err(wrong("logprobs", &value, "a whole number, 0 or more")),
            },
        };
        Ok(CompletionRequest {
            prompts,
            sampling,
            logprobs,
            echo: fields.flag("echo")?.unwrap_or(false),
            response_format: ResponseFormat::read(fields)?,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut request = Map::new();
        let prompt = |prompt: &TextPrompt| match prompt {
            TextPrompt::Text(text) => Value::from(text.as_str()),
            TextPrompt::Tokens(tokens) => tokens.clone().into(),
        };
        let prompts = match self.prompts.as_slice() {
            [only] => prompt(only),
            several => several.iter().map(prompt).collect(),
        };
        request.insert("prompt".to_owned(), prompts);
        self.sampling.write(&mut request);
        if let Some(top) = self.logprobs {
            request.insert("logprobs".to_owned(), top.into());
        }
        if self.echo {
            request.insert("echo".to_owned(), true.into());
        }
        request.into()
    }
}

/// A text, tokens, or a list of either.
fn prompts(value: Value) -> Result<Vec<TextPrompt>, Error> {
    let bad = |value: &Value| wrong("prompt", value, "a text, a list of tokens, or a list of either");
    let list = match value {
        Value::String(text) => return Ok(vec![TextPrompt::Text(text)]),
        Value::Array(list) => list,
        other @ Value::Null
        | other @ Value::Bool(_)
        | other @ Value::Number(_)
        | other @ Value::Object(_) => return Err(bad(&other)),
    };
    if list.first().is_some_and(Value::is_number) {
        return Ok(vec![TextPrompt::Tokens(tokens(&list).ok_or_else(|| {
            Error::bad_field("prompt", "prompt is a list with something else than tokens in it")
        })?)]);
    }
    if list.is_empty() || list.len() > MAX_PROMPTS {
        let message = format!("prompt has {} texts: send 1 to {MAX_PROMPTS}", list.len());
        return Err(Error::bad_field("prompt", message));
    }
    list.into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            Value::String(text) => Ok(TextPrompt::Text(text)),
            Value::Array(list) => tokens(&list).map(TextPrompt::Tokens).ok_or_else(|| {
                let at = format!("prompt[{index}]");
                Error::bad_field(&at, format!("{at} has something else than tokens in it"))
            }),
            other @ Value::Null
            | other @ Value::Bool(_)
            | other @ Value::Number(_)
            | other @ Value::Object(_) => Err(wrong(
                &format!("prompt[{index}]"),
                &other,
                "a text or a list of tokens",
            )),
        })
        .collect()
}

fn tokens(list: &[Value]) -> Option<Vec<u32>> {
    list.iter().map(token_id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<CompletionRequest, Error> {
        CompletionRequest::read(&mut Fields::of_body(body).unwrap())
    }

    #[test]
    fn a_prompt_has_four_forms_c01() {
        let prompts = |value| read(json!({ "prompt": value })).unwrap().prompts;
        let text = |text: &str| TextPrompt::Text(text.to_owned());
        assert_eq!(prompts(json!("a")), [text("a")]);
        assert_eq!(prompts(json!([1, 2])), [TextPrompt::Tokens(vec![1, 2])]);
        assert_eq!(prompts(json!(["a", "b"])), [text("a"), text("b")]);
        assert_eq!(
            prompts(json!([[1], [2]])),
            [TextPrompt::Tokens(vec![1]), TextPrompt::Tokens(vec![2])]
        );
        let json = read(json!({"prompt": ["a", "b"], "echo": true}))
            .unwrap()
            .to_json();
        assert_eq!(json, json!({"prompt": ["a", "b"], "echo": true}));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, param) in [
            (json!({}), "prompt"),
            (json!({"prompt": 5}), "prompt"),
            (json!({"prompt": []}), "prompt"),
            (json!({"prompt": [1, "a"]}), "prompt"),
            (json!({"prompt": ["a", 1]}), "prompt[1]"),
            (json!({"prompt": "a", "best_of": 2}), "best_of"),
            (json!({"prompt": "a", "best_of": 2, "n": 2}), "best_of"),
            (json!({"prompt": "a", "suffix": "b"}), "suffix"),
            (json!({"prompt": "a", "logprobs": 21}), "logprobs"),
            (json!({"prompt": "a", "logprobs": "x"}), "logprobs"),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert_eq!(
                (error.status, error.param.as_deref()),
                (400, Some(param)),
                "{body}"
            );
        }
        assert!(read(json!({"prompt": "a", "n": 2, "best_of": 1, "logprobs": true})).is_ok());
    }
}
