//! `/v1/embeddings`.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    error::Error,
    generation,
    http::{HttpAnswer, HttpRequest, json, names},
    models::Models,
    types::{EmbeddingAnswer, EmbeddingItem, EmbeddingRequest, EmbeddingUsage, EmbeddingVector},
};

pub(crate) async fn embeddings(
    models: &Models,
    http: &HttpRequest,
    request: EmbeddingRequest,
) -> Result<HttpAnswer, Error> {
    let (model, name) = names(http, request.model.as_deref())?;
    let as_base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message = format!("encoding_format \"{other}\" is not known: use \"float\" or \"base64\"");
            return Err(Error::bad_field("encoding_format", message));
        }
    };
    let embeddings = models
        .embed(&model, generation::embedding(&request, http.priority)?)
        .await?;
    let width = embeddings.vectors.first().map_or(0, Vec::len);
    if let Some(dimensions) = request.dimensions
        && usize::try_from(dimensions) != Ok(width)
    {
        let message = format!("dimensions is {dimensions}: this model makes {width}, and they cannot be cut");
        return Err(Error::bad_field("dimensions", message));
    }
    let data = embeddings
        .vectors
        .into_iter()
        .enumerate()
        .map(|(index, vector)| EmbeddingItem {
            object: "embedding",
            index,
            embedding: if as_base64 {
                EmbeddingVector::Base64(base64(&vector))
            } else {
                EmbeddingVector::Floats(vector)
            },
        });
    json(&EmbeddingAnswer {
        object: "list",
        data: data.collect(),
        model: name,
        usage: EmbeddingUsage {
            prompt_tokens: embeddings.prompt_tokens,
            total_tokens: embeddings.prompt_tokens,
        },
    })
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}
