//! The stream of a server within its limits of time.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::Instant;

use super::{Limits, own::Own};
use crate::{
    answer::{Chunk, ChunkStream},
    error::{Code, Error},
    openai::ChunkReader,
};

/// Reads a stream to its first content, so that one that fails before it is an error and no answer. The first part that
/// names a model says whose answer it is.
///
/// # Errors
/// It ended or failed before anything came.
pub(super) async fn begin(
    parts: BoxStream<'static, Result<Bytes, Error>>,
    limits: Limits,
    end_by: Instant,
    own: Own,
) -> Result<ChunkStream, Error> {
    let mut reader = Reader {
        chunks: ChunkReader::new(parts, limits.bytes, limits.parts),
        own: Some(own),
    };
    let mut first = Vec::new();
    while !reader.chunks.judge().has_content() {
        match reader.next().await? {
            Some(chunk) => first.push(Ok(chunk)),
            None => break,
        }
    }
    // An end without anything is no answer.
    reader
        .chunks
        .judge()
        .verdict()
        .map_err(|why| Error::new(Code::BackendFailed, why.to_string()))?;
    let rest = stream::unfold(Some(reader), move |state| async move {
        let mut reader = state?;
        let next = tokio::time::timeout_at(end_by, reader.next()).await;
        let judge = reader.chunks.judge();
        match next.unwrap_or_else(|_| Err(too_slow(limits.answer_within))) {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(reader))),
            // Without the last line or the model's last word, some of it may be missing.
            Ok(None) if !judge.is_done() && !judge.has_finished() => {
                let error = Error::new(Code::AnswerBrokeOff, "its stream ended before its end");
                Some((Err(error), None))
            }
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(stream::iter(first).chain(rest).boxed())
}

struct Reader {
    chunks: ChunkReader,
    /// Until a part has named its model.
    own: Option<Own>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Chunk>, Error> {
        let chunk = self.chunks.next().await?;
        if let (Some(own), Some(text)) = (&self.own, chunk.as_ref().and_then(|chunk| chunk.foreign.as_ref()))
            && own.check(text)?
        {
            self.own = None;
        }
        Ok(chunk)
    }
}

pub(super) fn too_slow(within: Duration) -> Error {
    let seconds = within.as_secs();
    Error::new(
        Code::BackendTooSlow,
        format!("it gave no answer within {seconds} s"),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::list::List, *};
    use crate::answer::Generation;

    async fn read(pieces: &[&'static str]) -> Result<Generation, Error> {
        let parts = stream::iter(
            pieces
                .iter()
                .map(|piece| Ok(Bytes::from_static(piece.as_bytes()))),
        );
        let end_by = Instant::now() + Duration::from_secs(600);
        let limits = Limits {
            bytes: 4096,
            ..Limits::default()
        };
        let parts = parts.collect::<Vec<_>>().await.into_stream();
        Generation::collect(begin(parts, limits, end_by, Own::new("m", List::default())).await?).await
    }

    trait IntoStream {
        fn into_stream(self) -> BoxStream<'static, Result<Bytes, Error>>;
    }

    impl IntoStream for Vec<Result<Bytes, Error>> {
        fn into_stream(self) -> BoxStream<'static, Result<Bytes, Error>> {
            stream::iter(self).boxed()
        }
    }

    const WORD: &str = "data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    const LAST: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3}}\r\n\r\n";

    #[tokio::test]
    async fn streams_are_read_as_servers_write_them() {
        for pieces in [
            vec![": hello\n\n", WORD, LAST, "data: [DONE]\n\n"],
            vec![WORD, LAST],
            vec![WORD, "data: no json\n\n", LAST, "data:[DONE]", "\n\ndata: more"],
        ] {
            let whole = read(&pieces).await.unwrap();
            assert_eq!(whole.choices[0].text, "a", "{pieces:?}");
            assert_eq!(whole.usage.unwrap().prompt_tokens, 3);
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        let large =
            "data: {\"choices\":[{\"delta\":{\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}]}\n\n";
        for (pieces, code) in [
            (vec![""], Code::BackendFailed),
            (vec!["data: [DONE]\n\n"], Code::BackendFailed),
            (vec!["data: hello\n\n"], Code::BackendFailed),
            (
                vec![WORD, "data: {\"error\":{\"message\":\"x\"}}\n\n"],
                Code::AnswerBrokeOff,
            ),
            (
                vec!["data: {\"error\":{\"message\":\"x\"}}\n\n"],
                Code::AnswerBrokeOff,
            ),
            (vec![large; 100], Code::BackendTooLarge),
            (vec![WORD], Code::AnswerBrokeOff),
        ] {
            assert_eq!(read(&pieces).await.unwrap_err().code, code, "{pieces:?}");
        }
    }
}
