//! Writing an answer into a conversation: asked once, streamed to the reader, kept whatever happens.
//!
//! A task owns the answer, not the connection: when the reader goes away the task stops the model and still writes
//! down what is there.

use std::time::{Duration, Instant};

use futures::StreamExt;
use hearth_answers::sse;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    chunk::Chunk,
    upstream::{NETWORK_PREFIX, Upstream, send},
};
use crate::{
    app::App,
    auth::Caller,
    control::types::{
        AnswerEvent, AnswerParams, Event, Message, MessageRole, MessageState, ModelKind, NewAnswer, Receipt,
        TokenUsage,
    },
    error::ApiError,
    parts::RelayReceipt,
    storage::{AnswerEnd, PromptMessage, RunningGuard},
};

/// Events that wait for a slow reader. One is a token or so, 100 bytes; the model waits when they are used up.
const WAITING_EVENTS: usize = 256;
/// How long the receipt of an answer may take after its last byte.
const RECEIPT_WITHIN: Duration = Duration::from_secs(5);
/// How often a stopped answer's receipt is looked for.
const RECEIPT_EVERY: Duration = Duration::from_millis(50);
/// How often the text so far is written down.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// The longest text of an answer that is kept: a million tokens and more. What is longer is cut there.
const MAX_TEXT_BYTES: usize = 4 << 20;

/// Asks, and gives the events of the answer. The answer goes on in a task.
pub(crate) async fn ask(
    app: &App,
    caller: Caller,
    conversation_id: &str,
    new: NewAnswer,
) -> Result<mpsc::Receiver<AnswerEvent>, ApiError> {
    let conversation = app.conversations.get(conversation_id).await?;
    let settings = app.settings.get().await?;
    let model = new
        .model
        .filter(|model| !model.is_empty())
        .or(conversation.model)
        .or(settings.default_model)
        .ok_or_else(|| {
            ApiError::bad_request("no model is chosen").remedy("Choose one in the list of models.")
        })?;
    let (question, parent_id) = match new.content {
        Some(content) => {
            let parent_id = if new.at_root {
                None
            } else {
                new.parent_id.or(conversation.head_id)
            };
            if let Some(parent_id) = &parent_id {
                app.conversations.message(conversation_id, parent_id).await?;
            }
            let question = app
                .conversations
                .add(
                    conversation_id,
                    parent_id.as_deref(),
                    MessageRole::User,
                    &content,
                    None,
                )
                .await?;
            let id = question.id.clone();
            (Some(question), id)
        }
        None => {
            let parent_id = new
                .parent_id
                .ok_or_else(|| ApiError::bad_request("neither content nor parent_id is given"))?;
            let parent = app.conversations.message(conversation_id, &parent_id).await?;
            if parent.role != MessageRole::User {
                return Err(ApiError::bad_request(
                    "parent_id is not a message of yours: only those are answered",
                ));
            }
            (None, parent_id)
        }
    };
    let turns = app.conversations.path_to(conversation_id, &parent_id).await?;
    let system = conversation.system_prompt.or(settings.system_prompt);
    let body = request(&model, system.as_deref(), &turns, &new.params.unwrap_or_default());
    let answer = app
        .conversations
        .add(
            conversation_id,
            Some(&parent_id),
            MessageRole::Assistant,
            "",
            Some(&model),
        )
        .await?;
    let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
    let guard = app.running.begin(conversation_id, &answer.id);
    let started = AnswerEvent::Started {
        question,
        answer: answer.clone(),
    };
    let writer = Writer {
        app: app.clone(),
        conversation_id: conversation_id.to_owned(),
        answer,
        model,
        sender,
        guard,
    };
    app.tasks.spawn("answer", async move {
        // A reader who is gone already is noticed at the next event.
        let _ = writer.sender.send(started).await;
        writer.run(caller, body).await;
    });
    Ok(receiver)
}

/// The request in OpenAI's form.
fn request(model: &str, system: Option<&str>, turns: &[PromptMessage], params: &AnswerParams) -> Value {
    let system = system.map(|content| json!({"role": "system", "content": content}));
    let turns = turns.iter().map(|turn| {
        let role = match turn.role {
            MessageRole::User => "user",
            MessageRole::Assistant => "assistant",
        };
        json!({"role": role, "content": turn.content})
    });
    let messages: Vec<Value> = system.into_iter().chain(turns).collect();
    let mut request = json!({
        "model": model, "messages": messages, "stream": true, "stream_options": {"include_usage": true},
    });
    let params = [
        ("temperature", json!(params.temperature)),
        ("top_p", json!(params.top_p)),
        ("top_k", json!(params.top_k)),
        ("seed", json!(params.seed)),
        ("max_tokens", json!(params.max_tokens)),
        ("frequency_penalty", json!(params.frequency_penalty)),
        ("presence_penalty", json!(params.presence_penalty)),
        ("stop", json!(params.stop)),
    ];
    for (name, value) in params.into_iter().filter(|(_, value)| !value.is_null()) {
        request[name] = value;
    }
    request
}

/// How much of an answer's text is written down.
struct Progress {
    at: Instant,
    bytes: usize,
    pieces: u32,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            at: Instant::now(),
            bytes: 0,
            pieces: 0,
        }
    }
}

impl Progress {
    /// Writes down what is new, every now and then.
    async fn keep(&mut self, app: &App, id: &str, content: &str) -> Result<(), ApiError> {
        if self.at.elapsed() > PROGRESS_EVERY && content.len() > self.bytes {
            let new = &content[self.bytes..];
            app.conversations.progress(id, self.pieces, new).await?;
            self.bytes = content.len();
            self.pieces += 1;
            self.at = Instant::now();
        }
        Ok(())
    }
}

/// One answer that is being written.
struct Writer {
    app: App,
    conversation_id: String,
    answer: Message,
    model: String,
    sender: mpsc::Sender<AnswerEvent>,
    guard: RunningGuard,
}

/// What has come so far.
struct Text {
    content: String,
    begun: Instant,
    first: Option<Instant>,
    last: Instant,
    usage: Option<TokenUsage>,
    finish_reason: Option<String>,
}

impl Text {
    fn begin() -> Text {
        let begun = Instant::now();
        Text {
            content: String::new(),
            begun,
            first: None,
            last: begun,
            usage: None,
            finish_reason: None,
        }
    }

    /// Takes a chunk and gives its text.
    fn take(&mut self, chunk: Chunk) -> String {
        if let Some(usage) = chunk.usage {
            self.usage = Some(TokenUsage {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
            });
        }
        let Some(choice) = chunk.choices else {
            return String::new();
        };
        if choice.finish_reason.is_some() {
            self.finish_reason = choice.finish_reason;
        }
        let mut text = [choice.delta, choice.message]
            .into_iter()
            .flatten()
            .find_map(|said| said.content)
            .unwrap_or_default();
        if !text.is_empty() {
            self.last = Instant::now();
            self.first.get_or_insert(self.last);
            // What is cut off here ends the answer.
            let room = (MAX_TEXT_BYTES + 1).saturating_sub(self.content.len());
            text.truncate(text.floor_char_boundary(room));
            self.content.push_str(&text);
        }
        text
    }

    fn receipt(
        &self,
        relayed: Option<RelayReceipt>,
        is_network: bool,
        weights_cid: Option<String>,
    ) -> Receipt {
        let decode = self
            .first
            .map(|first| (self.last - first).as_secs_f64())
            .filter(|seconds| *seconds > 0.0);
        let tokens = self
            .usage
            .map(|usage| f64::from(usage.completion_tokens.saturating_sub(1)));
        let ms = |until: Instant| u64::try_from((until - self.begun).as_millis()).unwrap_or(u64::MAX);
        Receipt {
            kind: if is_network {
                ModelKind::Network
            } else {
                ModelKind::Local
            },
            cost: relayed.as_ref().and_then(|receipt| receipt.cost),
            usage: self.usage,
            first_token_ms: self.first.map(ms),
            total_ms: ms(Instant::now()),
            tokens_per_second: decode.zip(tokens).map(|(seconds, tokens)| tokens / seconds),
            weights_cid,
            network: relayed.map(|receipt| receipt.network),
        }
    }
}

impl Writer {
    async fn run(self, caller: Caller, body: Value) {
        let mut text = Text::begin();
        let mut receipt = None;
        let id = Uuid::now_v7();
        let result = tokio::select! {
            biased;
            () = self.guard.stop.cancelled() => Ok(MessageState::Stopped),
            () = self.sender.closed() => Ok(MessageState::Stopped),
            () = self.app.cut.cancelled() => Ok(MessageState::Stopped),
            result = self.read(caller, &body, id, &mut text, &mut receipt) => result,
        };
        let (state, error) = match result {
            Ok(state) => (state, None),
            Err(error) => (MessageState::Failed, Some(error.detail())),
        };
        let is_network = self.model.starts_with(NETWORK_PREFIX);
        let relayed = match receipt {
            Some(receipt) => tokio::time::timeout(RECEIPT_WITHIN, receipt).await.ok().flatten(),
            // It was stopped or failed before it began; what was sent for it may be claimed all the same.
            None if is_network => self.receipt_of(id, state).await,
            None => None,
        };
        let weights_cid = if is_network { None } else { self.cid().await };
        let kept = text.receipt(relayed, is_network, weights_cid);
        // A failed answer that nobody gave has no receipt.
        let receipt = (state != MessageState::Failed || kept.network.is_some()).then_some(kept);
        let ending = AnswerEnd {
            content: text.content,
            state,
            error: error.clone(),
            receipt,
        };
        self.end(ending).await;
    }

    async fn read(
        &self,
        caller: Caller,
        body: &Value,
        id: Uuid,
        text: &mut Text,
        receipt: &mut Option<futures::future::BoxFuture<'static, Option<RelayReceipt>>>,
    ) -> Result<MessageState, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
        let mut upstream = send(&self.app, caller, "/v1/chat/completions", body.into(), id).await?;
        *receipt = upstream.receipt.take();
        if upstream.status != 200 {
            return Err(refusal(upstream).await);
        }
        let mut reader = sse::Reader::new();
        let mut whole = Vec::new();
        let mut progress = Progress::default();
        while let Some(piece) = upstream.body.next().await {
            let piece = piece?;
            if !upstream.is_stream {
                whole.extend_from_slice(&piece);
                continue;
            }
            let events = reader
                .push(&piece)
                .map_err(|error| ApiError::unavailable("bad_answer", error.to_string()))?;
            for event in events.iter().filter(|event| event.data != sse::DONE) {
                self.pass_on(event.data.as_bytes(), text).await?;
            }
            progress.keep(&self.app, &self.answer.id, &text.content).await?;
            if text.content.len() > MAX_TEXT_BYTES {
                return Ok(MessageState::Cut);
            }
        }
        // A supplier may answer a request for a stream with one piece.
        if !upstream.is_stream {
            self.pass_on(&whole, text).await?;
        }
        match text.finish_reason.as_deref() {
            None => Err(ApiError::unavailable("broken_off", "the answer broke off").remedy("Try again.")),
            Some("length") => Ok(MessageState::Cut),
            Some(_) => Ok(MessageState::Done),
        }
    }

    /// The receipt of an answer that did not begin. After a stop the gateway is about to write it.
    async fn receipt_of(&self, id: Uuid, state: MessageState) -> Option<RelayReceipt> {
        let until = Instant::now() + RECEIPT_WITHIN;
        loop {
            if let Ok(Some(bought)) = self.app.parts.relay.receipt(id).await {
                return Some(RelayReceipt {
                    cost: bought.cost,
                    network: bought.receipt,
                });
            }
            if state != MessageState::Stopped || Instant::now() > until {
                return None;
            }
            tokio::time::sleep(RECEIPT_EVERY).await;
        }
    }

    async fn pass_on(&self, data: &[u8], text: &mut Text) -> Result<(), ApiError> {
        let chunk: Chunk = parse(data)?;
        if chunk.error.is_some() {
            let error: Value = parse(data)?;
            return Err(upstream_error(503, &error["error"]));
        }
        let new = text.take(chunk);
        if !new.is_empty() {
            // A reader who is gone is noticed by the caller.
            let _ = self.sender.send(AnswerEvent::Delta { text: new }).await;
        }
        Ok(())
    }

    async fn cid(&self) -> Option<String> {
        let models = self.app.parts.model_store.list().await.ok()?;
        models.into_iter().find(|model| model.id == self.model)?.cid
    }

    async fn end(self, ending: AnswerEnd) {
        let store = &self.app.conversations;
        let answer = match store.end(&self.conversation_id, &self.answer.id, &ending).await {
            Ok(answer) => answer,
            // The conversation was deleted meanwhile, or the disk is full: the reader still gets all of it.
            Err(error) => {
                tracing::warn!(%error, "an answer could not be kept");
                Message {
                    content: ending.content,
                    state: ending.state,
                    error: ending.error.clone(),
                    receipt: ending.receipt,
                    ..self.answer.clone()
                }
            }
        };
        let event = match ending.error {
            Some(error) => AnswerEvent::Failed { answer, error },
            None => AnswerEvent::Finished { answer },
        };
        let _ = self.sender.send(event).await;
        if let Ok(summary) = store.summary(&self.conversation_id).await {
            self.app.tell(Event::Conversation(summary));
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|_| ApiError::unavailable("bad_answer", "the answer is not in OpenAI's form"))
}

async fn refusal(upstream: Upstream) -> ApiError {
    let pieces: Vec<_> = upstream
        .body
        .filter_map(|piece| std::future::ready(piece.ok()))
        .collect()
        .await;
    let body: Value = parse(&pieces.concat()).unwrap_or_default();
    upstream_error(upstream.status, body.get("error").unwrap_or(&Value::Null))
}

/// An error in OpenAI's shape. Its code is one of ours where the engine of this computer said it.
fn upstream_error(status: u16, error: &Value) -> ApiError {
    let message = error["message"]
        .as_str()
        .or_else(|| error.as_str())
        .unwrap_or("the model refused and did not say why");
    let known = [
        "model_not_found",
        "context_length_exceeded",
        "engine_overloaded",
        "model_too_large",
        "model_damaged",
    ];
    let code = known
        .into_iter()
        .find(|code| error["code"].as_str() == Some(code))
        .unwrap_or("answer_failed");
    let status = axum::http::StatusCode::from_u16(status).unwrap_or(axum::http::StatusCode::BAD_GATEWAY);
    ApiError::new(status, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(value: Value) -> Chunk {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_request_has_what_was_asked_for_and_nothing_else() {
        let turns = [PromptMessage {
            role: MessageRole::User,
            content: "hi".into(),
        }];
        let params = AnswerParams {
            temperature: Some(0.0),
            ..AnswerParams::default()
        };
        let request = request("m", Some("be kind"), &turns, &params);
        assert_eq!(
            request["messages"],
            json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}])
        );
        assert_eq!(request["temperature"], 0.0);
        assert!(request.get("top_p").is_none());
    }

    #[test]
    fn chunks_add_up() {
        let mut text = Text::begin();
        text.take(chunk(
            json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
        ));
        assert!(text.first.is_none());
        text.take(chunk(
            json!({"choices": [{"delta": {"content": "a"}}], "usage": null}),
        ));
        text.take(chunk(
            json!({"choices": [{"delta": {}, "finish_reason": "length"}]}),
        ));
        text.take(chunk(
            json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
        ));
        assert_eq!(
            (text.content.as_str(), text.finish_reason.as_deref()),
            ("a", Some("length"))
        );
        assert_eq!(
            text.usage,
            Some(TokenUsage {
                prompt_tokens: 3,
                completion_tokens: 1
            })
        );
    }
}
