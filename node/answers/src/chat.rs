//! `/v1/chat/completions`: the engine's events as OpenAI's answer, whole or in chunks.

use bytes::Bytes;
use hearth_engine::{Event, TokenLogprob};

use crate::{
    error::{Error, internal},
    generation,
    http::{HttpAnswer, HttpRequest, json, names, new_id, reason, stream},
    models::Models,
    sse,
    types::{
        ChatAnswer, ChatChoice, ChatChunk, ChatDelta, ChatLogprob, ChatLogprobs, ChatRequest, ChunkChoice,
        OutMessage, Usage,
    },
};

pub(crate) async fn answer(
    models: &Models,
    http: &HttpRequest,
    request: ChatRequest,
) -> Result<HttpAnswer, Error> {
    let (model, name) = names(http, request.model.as_deref())?;
    let generate = generation::chat(&request, http.priority)?;
    let generation = models.generate(&model, generate).await?;
    let head = ChunkHeader {
        id: new_id("chatcmpl"),
        created: models.now_seconds(),
        model: name,
        logprobs: request.logprobs,
    };
    if !request.stream {
        return whole(generation, head).await;
    }
    let with_usage = request
        .stream_options
        .is_some_and(|options| options.include_usage);
    let opening = ChatDelta {
        role: Some("assistant"),
        content: Some(String::new()),
    };
    let first = head
        .chunk(with_usage, opening, &[], None)
        .map_err(|_| internal())?;
    Ok(stream(generation, Some(first), move |event| {
        head.write(with_usage, event)
    }))
}

/// What all chunks of an answer share.
struct ChunkHeader {
    id: String,
    created: i64,
    model: String,
    logprobs: bool,
}

impl ChunkHeader {
    fn write(&self, with_usage: bool, event: &Event) -> Result<Bytes, serde_json::Error> {
        match event {
            Event::Token { text, tokens } if text.is_empty() && (tokens.is_empty() || !self.logprobs) => {
                Ok(Bytes::new())
            }
            Event::Token { text, tokens } => self.chunk(
                with_usage,
                ChatDelta {
                    role: None,
                    content: Some(text.clone()),
                },
                tokens,
                None,
            ),
            Event::Finished {
                reason: why, usage, ..
            } => {
                let last = self.chunk(with_usage, ChatDelta::default(), &[], Some(reason(*why)))?;
                if !with_usage {
                    return Ok(last);
                }
                let usage = sse::event(&self.envelope(Vec::new(), Some(Some((*usage).into()))))?;
                Ok([last, usage].concat().into())
            }
            Event::Started { .. } | Event::Prompt { .. } | Event::Failed(_) => Ok(Bytes::new()),
        }
    }

    fn chunk(
        &self,
        with_usage: bool,
        delta: ChatDelta,
        tokens: &[TokenLogprob],
        finish_reason: Option<&'static str>,
    ) -> Result<Bytes, serde_json::Error> {
        let logprobs = (self.logprobs && !tokens.is_empty()).then(|| of(tokens));
        let choice = ChunkChoice {
            index: 0,
            delta,
            logprobs,
            finish_reason,
        };
        sse::event(&self.envelope(vec![choice], with_usage.then_some(None)))
    }

    fn envelope(&self, choices: Vec<ChunkChoice>, usage: Option<Option<Usage>>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            system_fingerprint: None,
        }
    }
}

async fn whole(mut generation: generation::Generation, head: ChunkHeader) -> Result<HttpAnswer, Error> {
    let (mut content, mut tokens) = (String::new(), Vec::new());
    loop {
        match generation.next().await.ok_or_else(internal)? {
            Event::Started { .. } | Event::Prompt { .. } => {}
            Event::Token { text, tokens: new } => {
                content.push_str(&text);
                tokens.extend(new);
            }
            Event::Failed(error) => return Err(error.into()),
            Event::Finished {
                reason: why, usage, ..
            } => {
                let message = OutMessage {
                    role: "assistant",
                    content,
                    refusal: None,
                };
                let logprobs = head.logprobs.then(|| of(&tokens));
                return json(&ChatAnswer {
                    id: head.id,
                    object: "chat.completion",
                    created: head.created,
                    model: head.model,
                    choices: vec![ChatChoice {
                        index: 0,
                        message,
                        logprobs,
                        finish_reason: reason(why),
                    }],
                    usage: usage.into(),
                    system_fingerprint: None,
                });
            }
        }
    }
}

fn of(tokens: &[TokenLogprob]) -> ChatLogprobs {
    ChatLogprobs {
        content: tokens.iter().map(ChatLogprob::from).collect(),
        refusal: None,
    }
}
