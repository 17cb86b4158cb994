//! A backend's stream, event by event: read as leniently as servers write it, written as every client reads it.
//!
//! What comes out are whole events, each `data: …` and an empty line, and `data: [DONE]` at the end, also where the
//! backend left it out. An event with an error in it is the last but `[DONE]`; it has our words, since the backend's may
//! tell of the operator's computer.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::BoxStream};
use hearth_answers::{
    answer::{Seen, StreamJudge},
    sse::{self, Event, Reader},
};

use crate::{
    backend::{BackendError, ModelName},
    config::Config,
    refusal::Refusal,
};

/// An event as it is handed out.
pub(super) struct Written {
    pub(super) bytes: Bytes,
    pub(super) seen: Seen,
    pub(super) tokens: Option<u32>,
}

/// The events of a stream.
pub(super) struct Events {
    parts: BoxStream<'static, Result<Bytes, BackendError>>,
    /// `None` once the backend has no more.
    reader: Option<Reader>,
    ready: VecDeque<Event>,
    /// The name to put into the events.
    model: Option<String>,
    judge: StreamJudge,
    /// Nothing follows.
    is_over: bool,
    room: Room,
}

/// What the backend may still send.
struct Room {
    limit: usize,
    n_bytes: usize,
    n_parts: usize,
}

impl Events {
    pub(super) fn new(
        parts: BoxStream<'static, Result<Bytes, BackendError>>,
        model: Option<String>,
        config: &Config,
    ) -> Events {
        Events {
            parts,
            reader: Some(Reader::new()),
            ready: VecDeque::new(),
            model,
            judge: StreamJudge::default(),
            is_over: false,
            room: Room {
                limit: config.max_answer_bytes,
                n_bytes: config.max_answer_bytes,
                n_parts: config.max_answer_parts,
            },
        }
    }

    /// What the events so far are worth.
    pub(super) fn judge(&self) -> StreamJudge {
        self.judge
    }

    /// The next event; `None` after the last. It may be given up and asked again.
    pub(super) async fn next(&mut self) -> Result<Option<Written>, Refusal> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(self.write(&event)));
            }
            let Some(reader) = &mut self.reader else {
                self.is_over = true;
                return Ok(Some(Written {
                    bytes: sse::done(),
                    seen: Seen::Done,
                    tokens: None,
                }));
            };
            // A backend that always has more must not keep the clock from being looked at.
            tokio::task::consume_budget().await;
            match self.parts.next().await {
                Some(Ok(part)) => {
                    self.room.take(part.len())?;
                    let events = reader.push(&part);
                    self.ready.extend(events.map_err(|_| self.room.too_large())?);
                }
                Some(Err(error)) => {
                    return Err(Refusal::Backend {
                        why: error.to_string(),
                    });
                }
                None => self.ready.extend(self.reader.take().and_then(Reader::finish)),
            }
        }
    }

    fn write(&mut self, event: &Event) -> Written {
        let seen = self.judge.event(&event.data);
        let bytes = match seen {
            Seen::Done => sse::done(),
            Seen::Error => broken_off(&Refusal::Backend {
                why: event.data.clone(),
            }),
            Seen::Content | Seen::Other => self.renamed(event),
        };
        self.is_over = matches!(seen, Seen::Done | Seen::Error);
        Written {
            bytes,
            seen,
            tokens: super::answer::completion_tokens(event.data.as_bytes()),
        }
    }

    fn renamed(&self, event: &Event) -> Bytes {
        let model = self.model.as_deref();
        let renamed = model.and_then(|model| ModelName::replaced(event.data.as_bytes(), model));
        match renamed.and_then(|data| String::from_utf8(data.into()).ok()) {
            Some(data) => Event {
                name: event.name.clone(),
                data,
            }
            .encode(),
            None => event.encode(),
        }
    }

    /// All of the stream as one text, for a client that reads it so. One that fails is refused: nothing of it was
    /// handed out, so another supplier can be asked.
    pub(super) async fn collect(mut self) -> Result<Bytes, Refusal> {
        let mut all = BytesMut::new();
        while let Some(written) = self.next().await? {
            if all.len() + written.bytes.len() > 2 * self.room.limit {
                return Err(self.room.too_large());
            }
            all.extend_from_slice(&written.bytes);
        }
        Ok(all.freeze())
    }
}

impl Room {
    fn take(&mut self, n_bytes: usize) -> Result<(), Refusal> {
        let bytes_left = self.n_bytes.checked_sub(n_bytes);
        let parts_left = self.n_parts.checked_sub(1);
        (self.n_bytes, self.n_parts) = bytes_left.zip(parts_left).ok_or_else(|| self.too_large())?;
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        Refusal::AnswerTooLarge { limit: self.limit }
    }
}

/// The end of a stream that cannot go on.
pub(super) fn broken_off(refusal: &Refusal) -> Bytes {
    let error =
        hearth_answers::Error::unavailable("answer_broke_off", format!("the answer broke off: {refusal}"));
    let event = Event {
        name: String::new(),
        data: String::from_utf8(error.body()).unwrap_or_default(),
    };
    [event.encode(), sse::done()].concat().into()
}
