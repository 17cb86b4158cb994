//! A backend's stream as the events that leave: each `data: …` and an empty line, and `data: [DONE]` at the end. An
//! answer that fails ends with an event that says so in our words, since the backend's may tell of the operator's
//! computer.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use hearth_answers::{
    Code, Error, Request,
    answer::{ChunkStream, Head},
    judge::StreamJudge,
    openai::Writer,
    sse,
};

use crate::refusal::Refusal;

/// An event as it is handed out.
pub(super) struct Written {
    pub(super) bytes: Bytes,
    pub(super) has_content: bool,
    /// Nothing follows.
    pub(super) is_last: bool,
    pub(super) tokens: Option<u32>,
}

/// The events of a stream.
pub(super) struct Events {
    chunks: ChunkStream,
    writer: Writer,
    judge: StreamJudge,
    is_over: bool,
}

impl Events {
    pub(super) fn new(chunks: ChunkStream, request: &Request, head: Head) -> Events {
        Events {
            chunks,
            writer: Writer::new(request, head),
            judge: StreamJudge::default(),
            is_over: false,
        }
    }

    /// The next event; `None` after the last one.
    ///
    /// # Errors
    /// Why the stream cannot go on.
    pub(super) async fn next(&mut self) -> Result<Option<Written>, Error> {
        if self.is_over {
            return Ok(None);
        }
        loop {
            // A backend that always has more must not keep the clock from being looked at.
            tokio::task::consume_budget().await;
            let Some(chunk) = self.chunks.next().await else {
                self.is_over = true;
                let verdict = self.judge.verdict();
                verdict.map_err(|why| Error::new(Code::BackendFailed, why.to_string()))?;
                return Ok(Some(Written {
                    bytes: sse::done(),
                    has_content: false,
                    is_last: true,
                    tokens: None,
                }));
            };
            let chunk = chunk?;
            chunk.show(&mut self.judge);
            let bytes = self.writer.chunk(&chunk);
            let tokens = chunk.usage.map(|usage| usage.completion_tokens);
            if !bytes.is_empty() || tokens.is_some() {
                return Ok(Some(Written {
                    bytes,
                    has_content: !chunk.choices.is_empty(),
                    is_last: false,
                    tokens,
                }));
            }
        }
    }

    /// All of the stream as one text, for a client that reads it so, and how many tokens it has. One that fails is
    /// refused: nothing of it was handed out, so another supplier can be asked.
    pub(super) async fn collect(mut self, limit: usize) -> Result<(Bytes, Option<u32>), Error> {
        let (mut all, mut tokens) = (BytesMut::new(), None);
        while let Some(written) = self.next().await? {
            if all.len() + written.bytes.len() > limit {
                return Err(Error::new(Code::BackendTooLarge, "the answer is too large"));
            }
            all.extend_from_slice(&written.bytes);
            tokens = written.tokens.or(tokens);
        }
        Ok((all.freeze(), tokens))
    }
}

/// The end of a stream that cannot go on.
pub(super) fn broken_off(refusal: &Refusal) -> Bytes {
    let error = Error::new(Code::AnswerBrokeOff, format!("the answer broke off: {refusal}"));
    [Writer::error(&error), sse::done()].concat().into()
}
