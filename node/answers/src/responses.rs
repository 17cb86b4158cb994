//! OpenAI's Responses API (`/v1/responses`) over the same contract: items in, items out, a stream of typed events.
//!
//! An answer that is kept ([`Kept`]) has all items that it was made from, so that a later request goes on from it by
//! `previous_response_id` alone.

mod create;
mod items;
mod list;
mod write;

use futures::future::BoxFuture;
use serde_json::{Value, json};

pub use create::Create;
pub use list::{ListQuery, item_list};

use crate::{
    answer::Answer,
    error::{Code, Error},
    openai::HttpAnswer,
    shape, sse,
};
use write::Writer;

/// An answer to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its id, which the client knows.
    pub id: String,
    /// The items that it was made from, those of the answers before it first.
    pub input: Vec<Value>,
    /// The answer as the client got it.
    pub response: Value,
}

/// Keeps an answer before the client hears its end, so that it can be named at once.
pub type Keeper = Box<dyn FnOnce(Kept) -> BoxFuture<'static, ()> + Send>;

/// The answer to `create` as HTTP. `keeper` is not asked where the client wants nothing kept.
pub async fn written(create: Create, answer: Answer, keeper: Keeper) -> HttpAnswer {
    let is_stream = create.is_stream();
    let (head, chunks) = match shape::parts(answer) {
        Ok(parts) => parts,
        Err(error) => return refused(error),
    };
    let writer = Writer::new(create, &head, keeper);
    if is_stream {
        return shape::streamed(sse::MEDIA_TYPE, shape::stream(writer, chunks));
    }
    match shape::whole(writer, chunks).await {
        Ok(writer) => shape::json(200, writer.response()),
        Err(error) => refused(error),
    }
}

/// The number of tokens of a request, from the answer to [`Create::count`].
///
/// # Errors
/// It is an answer of another kind.
pub fn counted(answer: Answer) -> Result<HttpAnswer, Error> {
    let count = shape::token_count(answer)?;
    Ok(shape::json(
        200,
        &json!({ "object": "response.input_tokens", "input_tokens": count }),
    ))
}

/// A refusal, in OpenAI's shape. The field at fault is called as this API calls it.
#[must_use]
pub fn refused(error: Error) -> HttpAnswer {
    let error = match error.param.as_deref() {
        Some("messages") => error.param("input"),
        Some("max_tokens") => error.param("max_output_tokens"),
        Some(_) | None => error,
    };
    error.into()
}

/// There is no kept answer of this id for whoever asks.
#[must_use]
pub fn not_found(id: &str) -> Error {
    let id: String = id.chars().take(100).collect();
    let message = format!(
        "there is no response \"{id}\" here: responses are kept for a day, for whoever made them, and not at all with \
         \"store\": false"
    );
    Error {
        status: 404,
        ..Error::new(Code::Of("response_not_found"), message).param("response_id")
    }
}

/// What a kept answer that was deleted leaves.
#[must_use]
pub fn deleted(id: &str) -> HttpAnswer {
    shape::json(200, &json!({ "id": id, "object": "response", "deleted": true }))
}

#[cfg(test)]
mod tests;
