//! The answers that are being written, by id: what is there of each, who reads it, and how it is stopped.
//!
//! An answer is one text that grows. A reader is a place in it: whoever is slow or comes late holds nobody up and
//! misses nothing, and whoever goes away stops nothing.

use std::{collections::BTreeMap, sync::Arc};

use futures::{Stream, stream};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::types::{AnswerEvent, Message};

/// The answers that are being written.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeMap<String, Entry>>>);

struct Entry {
    conversation_id: String,
    stop: CancellationToken,
    live: Live,
}

/// What is there of an answer.
#[derive(Clone)]
struct Live {
    /// As it began.
    answer: Arc<Message>,
    text: Arc<Mutex<String>>,
    grown: watch::Receiver<Grown>,
}

#[derive(Clone, Default)]
struct Grown {
    /// Of the text.
    bytes: usize,
    /// The last event, once it has ended.
    end: Option<Arc<AnswerEvent>>,
}

/// Whoever writes an answer. Takes the entry away when the answer has ended.
pub(crate) struct RunningGuard {
    running: Running,
    id: String,
    live: Live,
    grow: watch::Sender<Grown>,
    pub(crate) stop: CancellationToken,
}

/// Whoever reads an answer.
pub(crate) struct Reader {
    live: Live,
    /// What is said first.
    started: Option<AnswerEvent>,
    /// How much of the text was read.
    at: usize,
    is_over: bool,
}

impl Running {
    pub(crate) fn begin(&self, conversation_id: &str, answer: &Message) -> RunningGuard {
        let stop = CancellationToken::new();
        let (grow, grown) = watch::channel(Grown::default());
        let live = Live {
            answer: Arc::new(answer.clone()),
            text: Arc::default(),
            grown,
        };
        let entry = Entry {
            conversation_id: conversation_id.to_owned(),
            stop: stop.clone(),
            live: live.clone(),
        };
        self.0.lock().insert(answer.id.clone(), entry);
        RunningGuard {
            running: self.clone(),
            id: answer.id.clone(),
            live,
            grow,
            stop,
        }
    }

    /// A reader of an answer from its beginning, as long as it is written.
    pub(crate) fn follow(&self, conversation_id: &str, id: &str) -> Option<Reader> {
        let entries = self.0.lock();
        let entry = entries
            .get(id)
            .filter(|entry| entry.conversation_id == conversation_id)?;
        let live = entry.live.clone();
        let content = live.text.lock().clone();
        Some(Reader {
            at: content.len(),
            started: Some(AnswerEvent::Started {
                question: None,
                answer: Message {
                    content,
                    ..Message::clone(&live.answer)
                },
            }),
            live,
            is_over: false,
        })
    }

    /// The answer that is being written in a conversation, the newest if there are several.
    pub(crate) fn of(&self, conversation_id: &str) -> Option<String> {
        // Ids are in the order of time.
        let entries = self.0.lock();
        let mut of = entries
            .iter()
            .rev()
            .filter(|(_, entry)| entry.conversation_id == conversation_id);
        of.next().map(|(id, _)| id.clone())
    }

    /// Stops an answer. Says whether it ran.
    pub(crate) fn stop(&self, conversation_id: &str, id: &str) -> bool {
        let entries = self.0.lock();
        let entry = entries
            .get(id)
            .filter(|entry| entry.conversation_id == conversation_id);
        entry.inspect(|entry| entry.stop.cancel()).is_some()
    }

    /// Stops all answers of a conversation.
    pub(crate) fn stop_all(&self, conversation_id: &str) {
        for entry in self
            .0
            .lock()
            .values()
            .filter(|entry| entry.conversation_id == conversation_id)
        {
            entry.stop.cancel();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl RunningGuard {
    /// The reader who asked.
    pub(crate) fn reader(&self, started: AnswerEvent) -> Reader {
        Reader {
            live: self.live.clone(),
            started: Some(started),
            at: 0,
            is_over: false,
        }
    }

    /// Adds to the text.
    pub(crate) fn push(&self, more: &str) {
        let bytes = {
            let mut text = self.live.text.lock();
            text.push_str(more);
            text.len()
        };
        self.grow.send_modify(|grown| grown.bytes = bytes);
    }

    /// Says how it ended, to all who read it; whoever comes from now on finds it where it is kept.
    pub(crate) fn finish(self, end: AnswerEvent) {
        self.running.0.lock().remove(&self.id);
        self.grow.send_modify(|grown| grown.end = Some(Arc::new(end)));
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.id);
    }
}

impl Reader {
    /// What was not read yet, as it comes, to the end of the answer.
    pub(crate) fn events(self) -> impl Stream<Item = AnswerEvent> + Send + 'static {
        stream::unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((event, reader))
        })
    }

    async fn next(&mut self) -> Option<AnswerEvent> {
        if let Some(started) = self.started.take() {
            return Some(started);
        }
        while !self.is_over {
            let grown = self.live.grown.borrow_and_update().clone();
            if grown.bytes > self.at {
                let text = self.live.text.lock()[self.at..grown.bytes].to_owned();
                self.at = grown.bytes;
                return Some(AnswerEvent::Delta { text });
            }
            if let Some(end) = grown.end {
                self.is_over = true;
                return Some(AnswerEvent::clone(&end));
            }
            // An error says that the writer is gone without a word, which only a fault does.
            self.is_over = self.live.grown.changed().await.is_err();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::control::types::{MessageRole, MessageState, Timestamp};

    fn answer(id: &str) -> Message {
        Message {
            id: id.into(),
            parent_id: None,
            role: MessageRole::Assistant,
            content: String::new(),
            state: MessageState::Streaming,
            created_at: Timestamp::from_ms(1),
            model: None,
            error: None,
            receipt: None,
            thought_ms: None,
            attachments: Vec::new(),
        }
    }

    fn started() -> AnswerEvent {
        AnswerEvent::Started {
            question: None,
            answer: answer("a"),
        }
    }

    /// The text that somebody has read in the end, whatever came in how many pieces.
    async fn text_of(reader: Reader) -> (String, usize) {
        let events: Vec<AnswerEvent> = reader.events().collect().await;
        let mut text = String::new();
        for event in &events {
            match event {
                AnswerEvent::Started { answer, .. } => text.push_str(&answer.content),
                AnswerEvent::Delta { text: more } => text.push_str(more),
                AnswerEvent::Finished { .. } | AnswerEvent::Failed { .. } => {}
            }
        }
        assert!(matches!(events.first(), Some(AnswerEvent::Started { .. })));
        (text, events.len())
    }

    #[tokio::test]
    async fn a_reader_who_is_slow_or_late_misses_nothing_and_holds_nobody_up() {
        let running = Running::default();
        let guard = running.begin("c", &answer("a"));
        let slow = guard.reader(started());
        guard.push("one ");
        let late = running.follow("c", "a").unwrap();
        // Far more than any queue would hold, while nobody reads.
        for _ in 0..10_000 {
            guard.push("ä");
        }
        let last = running.follow("c", "a").unwrap();
        drop(running.follow("c", "a"));
        assert_eq!(running.of("c").as_deref(), Some("a"));
        guard.finish(AnswerEvent::Finished { answer: answer("a") });
        let whole = format!("one {}", "ä".repeat(10_000));
        assert_eq!(text_of(slow).await, (whole.clone(), 3));
        assert_eq!(text_of(late).await, (whole.clone(), 3));
        assert_eq!(text_of(last).await, (whole, 2));
        assert!(running.follow("c", "a").is_none());
        assert_eq!((running.count(), running.of("c")), (0, None));
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_ends_its_readers() {
        let running = Running::default();
        let guard = running.begin("c", &answer("a"));
        guard.push("half");
        let reader = guard.reader(started());
        drop(guard);
        assert_eq!(text_of(reader).await, ("half".to_owned(), 2));
    }

    #[tokio::test]
    async fn answers_are_found_by_their_conversation_alone() {
        let running = Running::default();
        let one = running.begin("c", &answer("1"));
        let two = running.begin("c", &answer("2"));
        assert_eq!(running.of("c").as_deref(), Some("2"));
        assert!(running.follow("other", "1").is_none());
        assert!(!running.stop("other", "1"));
        running.stop_all("c");
        assert!(one.stop.is_cancelled() && two.stop.is_cancelled());
    }
}
