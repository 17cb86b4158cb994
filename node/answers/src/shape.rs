//! What the shapes of other APIs share: reading a body, writing an answer whole or in parts, results of tools.
//!
//! A shape writes an answer by one [`Writer`]: as a stream it gives out what each part adds, and a whole answer is what
//! it has at the end.

use std::borrow::Cow;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    answer::{Answer, Body, Chunk, ChunkStream, FinishReason, Head, ToolCall, Whole},
    error::{Code, Error},
    json::{fields::Fields, size, surrogates},
    openai::{HttpAnswer, HttpBody},
    request::ChatMessage,
};

/// Writes one answer.
pub(crate) trait Writer: Send + Sized + 'static {
    /// What a stream begins with.
    fn begin(&mut self) -> Bytes {
        Bytes::new()
    }

    /// What a part adds. An empty part says that nothing came for a while.
    fn chunk(&mut self, chunk: Chunk) -> Bytes;

    /// The end of an answer.
    ///
    /// # Errors
    /// It ended without a reason.
    fn end(&mut self) -> Result<Bytes, Error>;

    /// What stands in place of the rest of a stream that cannot go on.
    fn error(&mut self, error: &Error) -> Bytes;

    /// What is to be done before the end is given out.
    fn closing(&mut self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// The parts of an answer. One that came whole is whole, also where its server gave no reason for its end.
///
/// # Errors
/// It is an answer of another kind than texts.
pub(crate) fn parts(answer: Answer) -> Result<(Head, ChunkStream), Error> {
    let chunks = match answer.body {
        Body::Stream(chunks) => chunks,
        Body::Whole(whole) => {
            let mut generation = whole.generation()?;
            for choice in &mut generation.choices {
                choice.finish_reason.get_or_insert(FinishReason::Stop);
            }
            generation.into_stream()
        }
    };
    Ok((answer.head, chunks))
}

/// A stream as it is written.
pub(crate) fn stream<W: Writer>(mut writer: W, chunks: ChunkStream) -> BoxStream<'static, Bytes> {
    let begin = writer.begin();
    // `None` ends it.
    let rest = stream::unfold(Some((chunks, writer)), |state| async move {
        let (mut chunks, mut writer) = state?;
        let error = match chunks.next().await {
            Some(Ok(chunk)) => return Some((writer.chunk(chunk), Some((chunks, writer)))),
            Some(Err(error)) => error,
            None => match writer.end() {
                Ok(bytes) => {
                    if let Some(closing) = writer.closing() {
                        closing.await;
                    }
                    return Some((bytes, None));
                }
                Err(error) => error,
            },
        };
        Some((writer.error(&error), None))
    });
    stream::once(std::future::ready(begin))
        .chain(rest)
        .filter(|bytes| std::future::ready(!bytes.is_empty()))
        .boxed()
}

/// The writer at the end of an answer.
///
/// # Errors
/// The answer's own, and an end without a reason.
pub(crate) async fn whole<W: Writer>(mut writer: W, mut chunks: ChunkStream) -> Result<W, Error> {
    writer.begin();
    while let Some(chunk) = chunks.next().await {
        writer.chunk(chunk?);
    }
    writer.end()?;
    if let Some(closing) = writer.closing() {
        closing.await;
    }
    Ok(writer)
}

/// A time that many seconds after the epoch.
pub(crate) fn time_of(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// The fields of a request's body, read as leniently as OpenAI's.
///
/// # Errors
/// What is no JSON object, too many values.
pub(crate) fn fields(body: &[u8]) -> Result<Fields, Error> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let body: Cow<'_, [u8]> = surrogates::replaced(body);
    size::check(&body)?;
    let value = serde_json::from_slice(&body)
        .map_err(|error| Error::bad_json(format!("the body {}", hearth_base::json::fault(&error))))?;
    Fields::of_body(value)
}

/// The name of a model; an empty one is none.
pub(crate) fn model(fields: &mut Fields) -> Result<Option<String>, Error> {
    Ok(fields.text("model")?.filter(|name| !name.is_empty()))
}

/// A text that must be there.
///
/// # Errors
/// It is not.
pub(crate) fn required(fields: &mut Fields, name: &str) -> Result<String, Error> {
    let at = fields.path(name);
    fields
        .text(name)?
        .ok_or_else(|| Error::bad_field(&at, format!("{at} is missing")))
}

/// A new id with the prefix of its kind.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::now_v7().simple())
}

/// What an error says, also one in another server's words.
pub(crate) fn said(error: &Error) -> String {
    let own = error.own_words.as_ref();
    let own: Option<Value> = own.and_then(|json| serde_json::from_slice(json).ok());
    let own = own.and_then(|own| {
        let message = [&own["error"]["message"], &own["error"], &own["message"]];
        message.into_iter().find_map(Value::as_str).map(str::to_owned)
    });
    own.unwrap_or_else(|| error.text())
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: HttpBody::Full(body.to_string().into()),
    }
}

/// A refusal of this body.
pub(crate) fn refusal(error: &Error, body: &Value) -> HttpAnswer {
    let mut answer = json(error.status, body);
    if let Some(seconds) = error.retry_after_seconds {
        answer.headers.push(("retry-after", seconds.to_string()));
    }
    answer
}

/// An answer in parts.
pub(crate) fn streamed(media_type: &str, parts: BoxStream<'static, Bytes>) -> HttpAnswer {
    HttpAnswer {
        status: 200,
        headers: vec![
            ("content-type", media_type.to_owned()),
            ("cache-control", "no-cache".to_owned()),
            // Asks proxies not to collect the stream.
            ("x-accel-buffering", "no".to_owned()),
        ],
        body: HttpBody::Stream(parts),
    }
}

/// A turn of the model, in the form that chat templates know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<ToolCall>,
}

impl Turn {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Turn::default()
    }

    /// The turn as a message, and an empty turn in its place.
    pub(crate) fn take(&mut self) -> Option<ChatMessage> {
        let turn = std::mem::take(self);
        if turn.is_empty() {
            return None;
        }
        let mut message = ChatMessage::new("assistant", turn.text);
        if !turn.reasoning.is_empty() {
            message
                .extra
                .insert("reasoning_content".to_owned(), turn.reasoning.into());
        }
        if !turn.calls.is_empty() {
            let calls = turn.calls.into_iter().map(|call| {
                let function = json!({ "name": call.name, "arguments": call.arguments });
                json!({ "id": call.id, "type": "function", "function": function })
            });
            message.extra.insert("tool_calls".to_owned(), calls.collect());
        }
        Some(message)
    }
}

/// What a tool gave back. Some templates want the tool's name as well.
pub(crate) fn tool_result(call_id: &str, name: Option<&str>, text: String) -> ChatMessage {
    let mut message = ChatMessage::new("tool", text);
    if !call_id.is_empty() {
        message.extra.insert("tool_call_id".to_owned(), call_id.into());
    }
    if let Some(name) = name {
        message.extra.insert("name".to_owned(), name.into());
    }
    message
}

/// How many tokens there are, from the answer to a request for them.
///
/// # Errors
/// It is an answer of another kind.
pub(crate) fn token_count(answer: Answer) -> Result<u64, Error> {
    let tokens = match answer.body {
        Body::Whole(Whole::Tokens(tokens)) => return Ok(u64::try_from(tokens.len()).unwrap_or(u64::MAX)),
        Body::Whole(Whole::Foreign(_, json)) => json,
        Body::Whole(Whole::Generation(_) | Whole::Embeddings(_) | Whole::Text(_)) | Body::Stream(_) => {
            return Err(crate::error::internal());
        }
    };
    let tokens: Value = serde_json::from_slice(&tokens).unwrap_or_default();
    // A server that knows no conversations here answers with an empty list, and none is empty.
    let listed = tokens["tokens"]
        .as_array()
        .and_then(|list| u64::try_from(list.len()).ok())
        .filter(|count| *count > 0);
    tokens["count"].as_u64().or(listed).ok_or_else(|| {
        Error::new(
            Code::BackendFailed,
            "the server of this model does not count tokens",
        )
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::{
        answer::{Delta, ToolCallDelta, Usage},
        sse,
    };

    /// An answer that thinks, says `hello`, and calls `add` twice.
    pub(crate) fn everything() -> Vec<Result<Chunk, Error>> {
        let of = |delta| Ok(Chunk::of(delta));
        let call = |index, id: Option<&str>, arguments: &str| Delta {
            tool_calls: vec![ToolCallDelta {
                index,
                id: id.map(str::to_owned),
                name: id.map(|_| "add".to_owned()),
                arguments: arguments.to_owned(),
            }],
            ..Delta::default()
        };
        let reasoning = |text: &str| Delta {
            reasoning: text.to_owned(),
            ..Delta::default()
        };
        let mut chunks = vec![of(reasoning("hm")), of(reasoning("m"))];
        chunks.extend(["hel", "lo"].map(text));
        chunks.extend(
            [
                call(0, Some("c1"), "{\"a\""),
                call(0, None, ":1}"),
                call(1, Some("c2"), "{}"),
            ]
            .map(of),
        );
        chunks.extend([ends(FinishReason::ToolCalls), Ok(Chunk::counted(usage()))]);
        chunks
    }

    pub(crate) fn text(text: &str) -> Result<Chunk, Error> {
        Ok(Chunk::of(Delta {
            text: text.to_owned(),
            ..Delta::default()
        }))
    }

    pub(crate) fn ends(reason: FinishReason) -> Result<Chunk, Error> {
        Ok(Chunk::of(Delta {
            finish_reason: Some(reason),
            ..Delta::default()
        }))
    }

    pub(crate) fn usage() -> Usage {
        Usage {
            prompt_tokens: 10,
            completion_tokens: 7,
            cached_tokens: 4,
            reasoning_tokens: 2,
        }
    }

    pub(crate) fn answer(chunks: Vec<Result<Chunk, Error>>) -> Answer {
        let head = Head {
            model: "m".to_owned(),
            created: 1_700_000_000,
            ..Head::default()
        };
        Answer {
            head,
            body: Body::Stream(futures::stream::iter(chunks).boxed()),
        }
    }

    /// The JSON of an answer that is not in parts.
    pub(crate) async fn value(answer: HttpAnswer) -> (u16, Value) {
        let body = answer.body.collect().await;
        (answer.status, serde_json::from_slice(&body).unwrap())
    }

    /// The events of a stream; each is named as its data says.
    pub(crate) async fn events(answer: HttpAnswer) -> Vec<Value> {
        let body = answer.body.collect().await;
        let events = sse::Reader::new().push(&body).unwrap().into_iter();
        let values = events.map(|event| {
            let value: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(value["type"], event.name.as_str());
            value
        });
        values.collect()
    }

    pub(crate) fn names(events: &[Value]) -> Vec<&str> {
        events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect()
    }
}
