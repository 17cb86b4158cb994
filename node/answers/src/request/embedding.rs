//! `/v1/embeddings`.

use serde_json::{Value, json};

use super::sampling::token_id;
use crate::{
    error::Error,
    json::fields::{Fields, wrong},
};

/// The most texts of one request, as OpenAI has it.
const MAX_TEXTS: usize = 2048;

/// Texts to make vectors of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingRequest {
    pub inputs: Vec<EmbeddingInput>,
    /// Vectors as base64 of little-endian 32-bit floats, which the official clients ask for.
    pub as_base64: bool,
    /// Cuts the vectors to so many numbers.
    pub dimensions: Option<u32>,
    /// Cuts texts that are too long instead of refusing them.
    pub truncate: bool,
}

/// A text, also as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddingInput {
    Text(String),
    Tokens(Vec<u32>),
}

impl EmbeddingRequest {
    pub(crate) fn read(fields: &mut Fields) -> Result<EmbeddingRequest, Error> {
        let inputs = match fields.any("input") {
            None => return Err(Error::bad_field("input", "input is missing")),
            Some(input) => inputs(input)?,
        };
        let as_base64 = match fields.text("encoding_format")?.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                return Err(Error::bad_field(
                    "encoding_format",
                    format!("encoding_format \"{other}\" is not known: use \"float\" or \"base64\""),
                ));
            }
        };
        let dimensions = fields.limit("dimensions")?;
        if dimensions == Some(0) {
            return Err(Error::bad_field(
                "dimensions",
                "dimensions is 0: it must be at least 1",
            ));
        }
        // Ollama has a flag; vLLM the most tokens that are kept, -1 for as many as fit.
        let cuts = fields.any("truncate_prompt_tokens").is_some();
        Ok(EmbeddingRequest {
            inputs,
            as_base64,
            dimensions,
            truncate: fields.flag("truncate")?.unwrap_or(cuts),
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let input: Value = self
            .inputs
            .iter()
            .map(|input| match input {
                EmbeddingInput::Text(text) => Value::from(text.as_str()),
                EmbeddingInput::Tokens(tokens) => tokens.clone().into(),
            })
            .collect();
        let mut request = json!({ "input": input });
        if self.as_base64 {
            request["encoding_format"] = "base64".into();
        }
        if let Some(dimensions) = self.dimensions {
            request["dimensions"] = dimensions.into();
        }
        if self.truncate {
            request["truncate"] = true.into();
        }
        request
    }
}

fn inputs(value: Value) -> Result<Vec<EmbeddingInput>, Error> {
    let list = match value {
        Value::String(text) => return Ok(vec![EmbeddingInput::Text(text)]),
        Value::Array(list) => list,
        other @ Value::Null
        | other @ Value::Bool(_)
        | other @ Value::Number(_)
        | other @ Value::Object(_) => return Err(wrong("input", &other, "a text or a list of texts")),
    };
    if list.first().is_some_and(Value::is_number) {
        let tokens = list.iter().map(token_id).collect::<Option<Vec<u32>>>();
        let tokens = tokens.ok_or_else(|| {
            Error::bad_field("input", "input is a list with something else than tokens in it")
        })?;
        return Ok(vec![EmbeddingInput::Tokens(tokens)]);
    }
    if list.is_empty() || list.len() > MAX_TEXTS {
        return Err(Error::bad_field(
            "input",
            format!("input has {} texts: send 1 to {MAX_TEXTS}", list.len()),
        ));
    }
    list.into_iter()
        .enumerate()
        .map(|(index, item)| {
            let at = format!("input[{index}]");
            match item {
                Value::String(text) => Ok(EmbeddingInput::Text(text)),
                Value::Array(tokens) => tokens
                    .iter()
                    .map(token_id)
                    .collect::<Option<Vec<u32>>>()
                    .map(EmbeddingInput::Tokens)
                    .ok_or_else(|| {
                        Error::bad_field(&at, format!("{at} has something else than tokens in it"))
                    }),
                other @ Value::Null
                | other @ Value::Bool(_)
                | other @ Value::Number(_)
                | other @ Value::Object(_) => Err(wrong(&at, &other, "a text")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<EmbeddingRequest, Error> {
        EmbeddingRequest::read(&mut Fields::of_body(body).unwrap())
    }

    #[test]
    fn input_has_four_forms_e03_e04() {
        let inputs = |value| read(json!({ "input": value })).unwrap().inputs;
        let text = |text: &str| EmbeddingInput::Text(text.to_owned());
        assert_eq!(inputs(json!("a")), [text("a")]);
        assert_eq!(inputs(json!(["a", "b"])), [text("a"), text("b")]);
        let tokens = vec![EmbeddingInput::Tokens(vec![15_339, 1_917])];
        assert_eq!(inputs(json!([15_339, 1_917])), tokens);
        assert_eq!(inputs(json!([[15_339, 1_917]])), tokens);
    }

    #[test]
    fn what_is_wrong_is_named_e12() {
        for (body, param) in [
            (json!({}), "input"),
            (json!({"input": 5}), "input"),
            (json!({"input": []}), "input"),
            (json!({"input": vec!["a"; MAX_TEXTS + 1]}), "input"),
            (json!({"input": ["a", {}]}), "input[1]"),
            (json!({"input": "a", "encoding_format": "hex"}), "encoding_format"),
            (json!({"input": "a", "dimensions": 0}), "dimensions"),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert_eq!(
                (error.status, error.param.as_deref()),
                (400, Some(param)),
                "{param}"
            );
        }
    }
}
