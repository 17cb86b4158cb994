//! Writing an answer into a conversation: asked once, read by whoever wants to, kept whatever happens.
//!
//! The answer belongs to the conversation, not to a connection: a task writes it, and goes on when its readers go away.
//! It ends with the model, by a call that stops it, with its conversation, or when the program stops.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hearth_answers::{Request, answer::FinishReason};
use hearth_chats::{AnswerEnd, NewMessage, Role};
use uuid::Uuid;

use super::{
    is_network,
    prompt::{conversation, over},
    send,
    text::{MAX_TEXT_BYTES, Text},
};
use crate::{
    app::App,
    auth::Caller,
    chats::{check_params, kept_state, text_of},
    control::types::{AnswerEvent, ErrorDetail, Event, Message, MessageState, NewAnswer, Receipt},
    error::ApiError,
    metering::Asker,
    parts::RelayReceipt,
    storage::{Reader, RunningGuard},
};

/// How long the receipt of an answer may take after its last byte.
const RECEIPT_WITHIN: Duration = Duration::from_secs(5);
/// How often a stopped answer's receipt is looked for.
const RECEIPT_EVERY: Duration = Duration::from_millis(50);
/// How often the text so far is written down.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Asks, and gives a reader of the answer. The answer goes on in a task.
pub(crate) async fn ask(
    app: &App,
    caller: Caller,
    conversation_id: &str,
    new: NewAnswer,
) -> Result<Reader, ApiError> {
    let chat = app.conversations.get(conversation_id).await?;
    let settings = app.settings.get().await?;
    let model = new
        .model
        .clone()
        .filter(|model| !model.is_empty())
        .or(chat.model)
        .or(settings.default_model)
        .ok_or_else(|| {
            ApiError::refused("no_model_chosen", "no model is chosen")
                .remedy("Choose one in the list of models.")
        })?;
    new.params.as_ref().map_or(Ok(()), check_params)?;
    let params = over(
        new.params.clone().unwrap_or_default(),
        app.params(chat.params, || format!("conversation {conversation_id}")),
    );
    let (question, parent_id) = question(app, conversation_id, chat.head_id, new).await?;
    let turns = app.conversations.path_to(conversation_id, &parent_id).await?;
    let system = chat.system_prompt.or(settings.system_prompt);
    let request = conversation(system.as_deref(), &turns, &params);
    let request = Request::chat(Some(model.clone()), true, request);
    let answer = NewMessage {
        parent_id: Some(&parent_id),
        role: Role::Assistant,
        content: "",
        model: Some(&model),
        attachments: &[],
    };
    let answer = app.message(app.conversations.add(conversation_id, answer).await?);
    let guard = app.running.begin(conversation_id, &answer);
    let reader = guard.reader(AnswerEvent::Started {
        question,
        answer: answer.clone(),
    });
    let writer = Writer {
        app: app.clone(),
        conversation_id: conversation_id.to_owned(),
        answer,
        model,
        guard,
    };
    app.tasks.spawn("answer", writer.run(caller, request));
    Ok(reader)
}

/// The message that is answered, and the new one if there is one.
async fn question(
    app: &App,
    conversation_id: &str,
    head_id: Option<String>,
    new: NewAnswer,
) -> Result<(Option<Message>, String), ApiError> {
    let Some(content) = new.content else {
        let parent_id = new
            .parent_id
            .ok_or_else(|| ApiError::bad_request("neither content nor parent_id is given"))?;
        let parent = app.conversations.message(conversation_id, &parent_id).await?;
        if parent.role != Role::User {
            return Err(ApiError::bad_request(
                "parent_id is not a message of yours: only those are answered",
            ));
        }
        if !new.attachments.is_empty() {
            return Err(ApiError::bad_request(
                "files go with a new question: give its content",
            ));
        }
        return Ok((None, parent_id));
    };
    let parent_id = if new.at_root {
        None
    } else {
        new.parent_id.or(head_id)
    };
    if let Some(parent_id) = &parent_id {
        app.conversations.message(conversation_id, parent_id).await?;
    }
    let question = NewMessage {
        parent_id: parent_id.as_deref(),
        role: Role::User,
        content: &content,
        model: None,
        attachments: &new.attachments,
    };
    let question = app.message(app.conversations.add(conversation_id, question).await?);
    let id = question.id.clone();
    Ok((Some(question), id))
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
    guard: RunningGuard,
}

impl Writer {
    async fn run(self, caller: Caller, request: Request) {
        // Other pages follow it from its beginning.
        tell(&self.app, &self.conversation_id).await;
        let mut text = Text::begin();
        let (id, is_network) = (request.id, is_network(&self.app, &request));
        let mut has_begun = false;
        let result = tokio::select! {
            biased;
            () = self.guard.stop.cancelled() => Ok(MessageState::Stopped),
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
        self.end(text, state, error, receipt).await;
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
                self.guard.push(&new);
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

    async fn end(
        self,
        text: Text,
        state: MessageState,
        error: Option<ErrorDetail>,
        receipt: Option<Receipt>,
    ) {
        let (app, conversation_id, thought_ms) = (self.app, self.conversation_id, text.thought_ms());
        let kept = async {
            let ending = AnswerEnd {
                content: text.content.clone(),
                state: kept_state(state),
                error: text_of(error.as_ref())?,
                receipt: text_of(receipt.as_ref())?,
                thought_ms,
            };
            let ended = app
                .conversations
                .end(&conversation_id, &self.answer.id, &ending)
                .await;
            Ok::<Message, ApiError>(app.message(ended?))
        };
        let answer = match kept.await {
            Ok(answer) => answer,
            // The conversation was deleted meanwhile, or the disk is full: readers still get all of it.
            Err(reason) => {
                tracing::warn!(error = %reason, "an answer could not be kept");
                Message {
                    content: text.content,
                    state,
                    error: error.clone(),
                    receipt,
                    thought_ms,
                    ..self.answer
                }
            }
        };
        self.guard.finish(match error {
            Some(error) => AnswerEvent::Failed { answer, error },
            None => AnswerEvent::Finished { answer },
        });
        tell(&app, &conversation_id).await;
    }
}

/// Says how a conversation is in the list. One that is gone meanwhile needs no word.
async fn tell(app: &App, conversation_id: &str) {
    if let Ok(summary) = app.conversations.summary(conversation_id).await {
        app.tell(Event::Conversation(app.summary(summary)));
    }
}
