//! Writing an answer into a conversation: asked once, streamed to the reader, kept whatever happens.
//!
//! A task owns the answer, not the connection: when the reader goes away the task stops the model and still writes
//! down what is there.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hearth_answers::{
    Request,
    answer::{Chunk, FinishReason},
    request::{ChatMessage, ChatRequest, SamplingParams},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{is_network, send};
use crate::{
    app::App,
    auth::Caller,
    control::types::{
        AnswerEvent, AnswerParams, Event, Message, MessageRole, MessageState, ModelKind, NewAnswer, Receipt,
        TokenUsage,
    },
    error::ApiError,
    metering::Asker,
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
            ApiError::refused("no_model_chosen", "no model is chosen")
                .remedy("Choose one in the list of models.")
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
    let request = request(&model, system.as_deref(), &turns, &new.params.unwrap_or_default());
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
        writer.run(caller, request).await;
    });
    Ok(receiver)
}

/// What the model is asked.
fn request(model: &str, system: Option<&str>, turns: &[PromptMessage], params: &AnswerParams) -> Request {
    let system = system.map(|content| ChatMessage::new("system", content));
    let turns = turns.iter().map(|turn| {
        let role = match turn.role {
            MessageRole::User => "user",
            MessageRole::Assistant => "assistant",
        };
        ChatMessage::new(role, without_reasoning(&turn.content))
    });
    let chat = ChatRequest {
        messages: system.into_iter().chain(turns).collect(),
        sampling: SamplingParams {
            temperature: params.temperature.map(single),
            top_p: params.top_p.map(single),
            top_k: params.top_k,
            seed: params.seed,
            max_tokens: params.max_tokens,
            frequency_penalty: params.frequency_penalty.map(single),
            presence_penalty: params.presence_penalty.map(single),
            stop: params.stop.clone().unwrap_or_default(),
            ..SamplingParams::default()
        },
        ..ChatRequest::default()
    };
    Request::chat(Some(model.to_owned()), true, chat)
}

/// What reasoning is kept between, at the beginning of an answer: the page folds it.
const REASONING: (&str, &str) = ("<think>", "</think>");

/// An answer as a later turn has it: models are not told what they thought before.
fn without_reasoning(content: &str) -> &str {
    let (open, close) = REASONING;
    let Some(rest) = content.trim_start().strip_prefix(open) else {
        return content;
    };
    rest.split_once(close)
        .map_or("", |(_, answer)| answer.trim_start())
}

/// The precision that the engine has.
#[allow(
    clippy::cast_possible_truncation,
    reason = "these numbers are small and of few digits"
)]
fn single(number: f64) -> f32 {
    number as f32
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
    finish_reason: Option<FinishReason>,
    /// Where it is in its reasoning.
    reasoning: Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reasoning {
    None,
    Open,
    Closed,
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
            reasoning: Reasoning::None,
        }
    }

    /// What a part adds to the kept text: reasoning between its marks, then the answer.
    fn marked(&mut self, reasoning: &str, text: &str) -> String {
        let mut marked = String::new();
        if !reasoning.is_empty() {
            if self.reasoning == Reasoning::None && self.content.is_empty() {
                marked.push_str(REASONING.0);
                self.reasoning = Reasoning::Open;
            }
            if self.reasoning == Reasoning::Open {
                marked.push_str(reasoning);
            }
        }
        if !text.is_empty() {
            if self.reasoning == Reasoning::Open {
                marked.push_str(REASONING.1);
                marked.push_str("\n\n");
                self.reasoning = Reasoning::Closed;
            }
            marked.push_str(text);
        }
        marked
    }

    /// Takes a chunk and gives its text.
    fn take(&mut self, chunk: Chunk) -> String {
        if let Some(usage) = chunk.usage {
            self.usage = Some(TokenUsage {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
            });
        }
        // Nobody asks for more than one text.
        let Some(delta) = chunk.choices.into_iter().next() else {
            return String::new();
        };
        if delta.finish_reason.is_some() {
            self.finish_reason = delta.finish_reason;
        }
        let mut text = self.marked(&delta.reasoning, &delta.text);
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
    async fn run(self, caller: Caller, request: Request) {
        let mut text = Text::begin();
        let (id, is_network) = (request.id, is_network(&self.app, &request));
        let mut has_begun = false;
        let result = tokio::select! {
            biased;
            () = self.guard.stop.cancelled() => Ok(MessageState::Stopped),
            () = self.sender.closed() => Ok(MessageState::Stopped),
            () = self.app.cut.cancelled() => Ok(MessageState::Stopped),
            result = self.read(caller, request, &mut text, &mut has_begun) => result,
        };
        let (state, error) = match result {
            Ok(state) => (state, None),
            Err(error) => (MessageState::Failed, Some(error.detail())),
        };
        // What was stopped before it began may be claimed all the same; what failed before it may have a receipt.
        let relayed = if is_network {
            self.receipt_of(id, has_begun || state == MessageState::Stopped)
                .await
        } else {
            None
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
        request: Request,
        text: &mut Text,
        has_begun: &mut bool,
    ) -> Result<MessageState, ApiError> {
        let answered = send(&self.app, caller, &Asker::Owner, request).await?;
        let (_, mut chunks) = answered.answer.into_stream()?;
        *has_begun = true;
        let mut progress = Progress::default();
        while let Some(chunk) = chunks.next().await {
            let new = text.take(chunk?);
            if !new.is_empty() {
                // A reader who is gone is noticed by the caller.
                let _ = self.sender.send(AnswerEvent::Delta { text: new }).await;
            }
            progress.keep(&self.app, &self.answer.id, &text.content).await?;
            if text.content.len() > MAX_TEXT_BYTES {
                return Ok(MessageState::Cut);
            }
        }
        match text.finish_reason {
            None => Err(hearth_answers::Error::broken_off().into()),
            Some(FinishReason::Length) => Ok(MessageState::Cut),
            Some(_) => Ok(MessageState::Done),
        }
    }

    /// What a network answer cost. Where it was sent, the gateway is about to write it.
    async fn receipt_of(&self, id: Uuid, was_sent: bool) -> Option<RelayReceipt> {
        let until = Instant::now() + RECEIPT_WITHIN;
        loop {
            if let Ok(Some(bought)) = self.app.parts.relay.receipt(id).await {
                return Some(RelayReceipt {
                    cost: bought.cost,
                    network: bought.receipt,
                });
            }
            if !was_sent || Instant::now() > until {
                return None;
            }
            tokio::time::sleep(RECEIPT_EVERY).await;
        }
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

#[cfg(test)]
mod tests {
    use hearth_answers::{
        answer::{Delta, Usage},
        request::RequestBody,
    };

    use super::*;

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
        let body = request.body().unwrap();
        let RequestBody::Chat(chat) = body.as_ref() else {
            panic!("a chat")
        };
        assert_eq!(
            chat.messages,
            [
                ChatMessage::new("system", "be kind"),
                ChatMessage::new("user", "hi")
            ]
        );
        assert_eq!(chat.sampling.temperature, Some(0.0));
        assert_eq!(chat.sampling.top_p, None);
    }

    #[test]
    fn reasoning_is_kept_between_its_marks_and_not_told_again() {
        let mut text = Text::begin();
        let part = |reasoning: &str, said: &str| {
            Chunk::of(Delta {
                reasoning: reasoning.to_owned(),
                text: said.to_owned(),
                ..Delta::of(0)
            })
        };
        let shown: Vec<String> = [part("a", ""), part("b", "c"), part("", "d")]
            .into_iter()
            .map(|chunk| text.take(chunk))
            .collect();
        assert_eq!(shown, ["<think>a", "b</think>\n\nc", "d"]);
        assert_eq!(text.content, "<think>ab</think>\n\ncd");
        assert_eq!(without_reasoning(&text.content), "cd");
        assert_eq!(without_reasoning("<think>cut"), "");
        assert_eq!(without_reasoning("plain <think>"), "plain <think>");
    }

    #[test]
    fn chunks_add_up() {
        let mut text = Text::begin();
        text.take(Chunk::of(Delta {
            opens: true,
            ..Delta::of(0)
        }));
        assert!(text.first.is_none());
        text.take(Chunk::of(Delta {
            text: "a".to_owned(),
            ..Delta::of(0)
        }));
        text.take(Chunk::of(Delta {
            finish_reason: Some(FinishReason::Length),
            ..Delta::of(0)
        }));
        text.take(Chunk::counted(Usage {
            prompt_tokens: 3,
            completion_tokens: 1,
            ..Usage::default()
        }));
        assert_eq!(
            (text.content.as_str(), text.finish_reason),
            ("a", Some(FinishReason::Length))
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
