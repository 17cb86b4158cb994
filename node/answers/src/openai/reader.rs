//! Another server's stream, part by part: read as leniently as servers write it, and no more of it than is allowed.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};

use super::foreign;
use crate::{
    answer::{Chunk, ChunkStream, Delta, FinishReason},
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
    /// Texts that have begun, and whether the model said its last word of them.
    texts: BTreeMap<u32, bool>,
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
            texts: BTreeMap::new(),
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
                return Ok(self.closing());
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

    /// The last word of texts for which the server said none, where it said that the answer is whole: it is so in one
    /// piece, too.
    fn closing(&mut self) -> Option<Chunk> {
        let is_whole = self.judge.is_done() || self.judge.has_finished();
        let open = std::mem::take(&mut self.texts).into_iter();
        let ended = open.filter(|(_, has_ended)| !has_ended).map(|(index, _)| Delta {
            finish_reason: Some(FinishReason::Stop),
            ..Delta::of(index)
        });
        let chunk = Chunk {
            choices: ended.filter(|_| is_whole).collect(),
            ..Chunk::default()
        };
        Some(chunk).filter(|chunk| !chunk.choices.is_empty())
    }

    /// A part of the answer, if the event is one. What is no JSON at all is passed over, as OpenAI's clients do.
    fn read(&mut self, event: Event) -> Result<Option<Chunk>, Error> {
        let json = Bytes::from(event.data);
        if serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_err() {
            return Ok(None);
        }
        let mut chunk = foreign::chunk(json)?;
        chunk.usage = chunk
            .usage
            .map(|usage| usage.within(self.limit - self.bytes_left));
        chunk.show(&mut self.judge);
        for delta in &chunk.choices {
            *self.texts.entry(delta.index).or_default() |= delta.finish_reason.is_some();
        }
        Ok(Some(chunk))
    }
}

pub(crate) fn too_large(limit: usize) -> Error {
    Error::new(
        Code::BackendTooLarge,
        format!("its answer has more than {limit} bytes, or too many parts"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Generation;

    fn reader(text: &str) -> ChunkReader {
        let parts = stream::iter([Ok(Bytes::copy_from_slice(text.as_bytes()))]).boxed();
        ChunkReader::new(parts, 1 << 20, 1 << 10)
    }

    #[tokio::test]
    async fn a_stream_that_is_whole_is_so_in_one_piece_too() {
        let first = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n";
        let last = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
        let after = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"completion_tokens\":4000000000}}\n\n";
        let done = "data: [DONE]\n\n";
        let text = [first, last, after, done].concat();
        let whole = Generation::collect(reader(&text).into_stream()).await.unwrap();
        let ends: Vec<_> = whole
            .choices
            .iter()
            .map(|choice| choice.finish_reason.clone())
            .collect();
        assert_eq!(ends, [Some(FinishReason::Length), Some(FinishReason::Stop)]);
        // A count is believed as far as bytes came.
        assert!(whole.usage.unwrap().completion_tokens < 100_000);
        let whole = Generation::collect(reader(&[first, done].concat()).into_stream()).await;
        assert_eq!(whole.unwrap().choices.len(), 2);
        // Without either mark some of it may be missing.
        let cut = Generation::collect(reader(first).into_stream()).await;
        assert_eq!(cut.unwrap_err().code, Code::AnswerBrokeOff);
    }
}
