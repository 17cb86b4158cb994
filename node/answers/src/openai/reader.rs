//! Another server's stream, part by part: read as leniently as servers write it, and no more of it than is allowed.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};

use super::foreign;
use crate::{
    answer::{Chunk, ChunkStream},
    error::{Code, Error},
    judge::StreamJudge,
    sse::{self, Event, Reader},
};

/// Reads the bytes of a stream of server-sent events.
pub struct ChunkReader {
    parts: BoxStream<'static, Result<Bytes, Error>>,
    /// `None` once the server has no more.
    reader: Option<Reader>,
    ready: VecDeque<Event>,
    judge: StreamJudge,
    limit: usize,
    bytes_left: usize,
    parts_left: usize,
}

impl ChunkReader {
    /// A reader of so many bytes and pieces at most.
    #[must_use]
    pub fn new(parts: BoxStream<'static, Result<Bytes, Error>>, bytes: usize, pieces: usize) -> ChunkReader {
        ChunkReader {
            parts,
            reader: Some(Reader::new()),
            ready: VecDeque::new(),
            judge: StreamJudge::default(),
            limit: bytes,
            bytes_left: bytes,
            parts_left: pieces,
        }
    }

    /// What came so far.
    #[must_use]
    pub fn judge(&self) -> StreamJudge {
        self.judge
    }

    /// All of it; an error where it ends before its end.
    #[must_use]
    pub fn into_stream(self) -> ChunkStream {
        stream::unfold(Some(self), |state| async {
            let mut reader = state?;
            match reader.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reader))),
                // Without the last line or the model's last word, some of it may be missing.
                Ok(None) if !reader.judge.is_done() && !reader.judge.has_finished() => {
                    Some((Err(Error::broken_off()), None))
                }
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// It broke off, is larger than allowed, or says itself that it failed.
    pub async fn next(&mut self) -> Result<Option<Chunk>, Error> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                if event.data.trim() == sse::DONE {
                    self.judge.event(&event.data);
                    self.reader = None;
                    self.ready.clear();
                    break;
                }
                if let Some(chunk) = self.read(event)? {
                    return Ok(Some(chunk));
                }
            }
            let Some(reader) = &mut self.reader else {
                return Ok(None);
            };
            // A server that always has more must not keep the clock from being looked at.
            tokio::task::consume_budget().await;
            match self.parts.next().await {
                Some(Ok(part)) => {
                    let bytes = self.bytes_left.checked_sub(part.len());
                    let left = bytes.zip(self.parts_left.checked_sub(1));
                    (self.bytes_left, self.parts_left) = left.ok_or_else(|| too_large(self.limit))?;
                    let events = reader.push(&part);
                    self.ready.extend(events.map_err(|_| too_large(self.limit))?);
                }
                Some(Err(error)) => return Err(error),
                None => self.ready.extend(self.reader.take().and_then(Reader::finish)),
            }
        }
    }

    /// A part of the answer, if the event is one. What is no JSON at all is passed over, as OpenAI's clients do.
    fn read(&mut self, event: Event) -> Result<Option<Chunk>, Error> {
        let json = Bytes::from(event.data);
        if serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_err() {
            return Ok(None);
        }
        let chunk = foreign::chunk(json)?;
        chunk.show(&mut self.judge);
        Ok(Some(chunk))
    }
}

pub(crate) fn too_large(limit: usize) -> Error {
    Error::new(
        Code::BackendTooLarge,
        format!("its answer has more than {limit} bytes, or too many parts"),
    )
}
