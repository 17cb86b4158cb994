//! What counts as an answer: the one rule by which a supplier counts what it sold and a buyer what it paid for.
//!
//! | what a backend gave | verdict |
//! |---|---|
//! | success in the shape of the operation; a whole stream with content and without an error | [`Verdict::Counts`] |
//! | an error of the request itself: 400, 413, 415, 422 … | [`Verdict::Counts`] |
//! | 404, 405: no such route, no such model | [`Verdict::NoRoute`]: signed, and not counted |
//! | 401, 403, 429, redirects, 5xx, nothing, HTML, JSON of another shape | [`Verdict::NoAnswer`]: refused |

use serde::{Deserialize, de::IgnoredAny};

use crate::{operation::Operation, sse, wire};

/// What a whole answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is signed, counted and paid.
    Counts,
    /// It is signed, so that the route is known to be missing, and neither counted nor paid.
    NoRoute,
    /// It is refused: neither signed nor counted nor paid.
    NoAnswer(NoAnswer),
}

/// Why something is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its answer is empty")]
    Empty,
    #[error("its answer is no JSON")]
    NotJson,
    #[error("its answer is JSON of another shape than what was asked for")]
    OtherShape,
    #[error("its stream has an error in it")]
    Failed,
}

/// Judges a whole answer.
#[must_use]
pub fn judge(operation: Operation, status: u16, body: &[u8]) -> Verdict {
    match status {
        200..=299 => match shape(operation, body) {
            Ok(()) => Verdict::Counts,
            Err(why) => Verdict::NoAnswer(why),
        },
        _ => of_status(status),
    }
}

/// Judges an answer that is an error, by its status.
#[must_use]
pub fn of_status(status: u16) -> Verdict {
    match status {
        404 | 405 => Verdict::NoRoute,
        // These speak of the supplier's own standing with its backend, or of the backend's state.
        401 | 402 | 403 | 407 | 408 | 421 | 423 | 424 | 425 | 429 => {
            Verdict::NoAnswer(NoAnswer::Status(status))
        }
        400..=499 => Verdict::Counts,
        _ => Verdict::NoAnswer(NoAnswer::Status(status)),
    }
}

fn shape(operation: Operation, body: &[u8]) -> Result<(), NoAnswer> {
    #[derive(Deserialize)]
    struct Fields {
        data: Option<Vec<IgnoredAny>>,
        results: Option<Vec<IgnoredAny>>,
        tokens: Option<Vec<IgnoredAny>>,
        prompt: Option<IgnoredAny>,
    }
    let body = body.trim_ascii();
    let wrong = |error: serde_json::Error| {
        if error.is_data() {
            NoAnswer::OtherShape
        } else {
            NoAnswer::NotJson
        }
    };
    if body.is_empty() {
        return Err(NoAnswer::Empty);
    }
    if operation.may_stream() && !body.starts_with(b"{") {
        return whole_stream(body);
    }
    if matches!(operation, Operation::Health | Operation::Other) {
        return serde_json::from_slice::<IgnoredAny>(body)
            .map(drop)
            .map_err(wrong);
    }
    if matches!(operation, Operation::Chat | Operation::Completion) {
        // As those read it who make a stream or another form of it: what they cannot read is no answer for anybody.
        if wire::read(body).is_ok_and(|wire| wire.is_whole(operation == Operation::Completion)) {
            return Ok(());
        }
        // Only what is refused is read once more, to say why.
        serde_json::from_slice::<IgnoredAny>(body).map_err(wrong)?;
        return Err(NoAnswer::OtherShape);
    }
    let fields: Fields = serde_json::from_slice(body).map_err(wrong)?;
    let has_it = match operation {
        Operation::Chat | Operation::Completion => false,
        Operation::Embedding => fields.data.is_some_and(|list| !list.is_empty()),
        // Cohere's and Jina's servers call the list so; some give it as data.
        Operation::Rerank => fields.results.is_some() || fields.data.is_some(),
        Operation::Tokenize => fields.tokens.is_some(),
        Operation::Detokenize => fields.prompt.is_some(),
        Operation::Models | Operation::Health | Operation::Other => fields.data.is_some(),
    };
    if has_it { Ok(()) } else { Err(NoAnswer::OtherShape) }
}

fn whole_stream(body: &[u8]) -> Result<(), NoAnswer> {
    let mut judge = StreamJudge::default();
    let mut reader = sse::Reader::new();
    // Event by event, so that a long text is not held twice.
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        for event in reader.push(line).map_err(|_| NoAnswer::OtherShape)? {
            judge.event(&event.data);
        }
    }
    if let Some(event) = reader.finish() {
        judge.event(&event.data);
    }
    judge.verdict()
}

/// What one event of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A part of the answer.
    Content,
    /// The answer failed.
    Error,
    /// The end.
    Done,
    /// Usage, or something that nobody asked for.
    Other,
}

/// Judges a stream as its events arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamJudge {
    has_content: bool,
    has_finished: bool,
    has_failed: bool,
    is_done: bool,
}

impl StreamJudge {
    /// Takes what the next part of an answer brings: something of it, the model's last word.
    pub fn part(&mut self, has_content: bool, has_finished: bool) {
        self.has_content |= has_content;
        self.has_finished |= has_finished;
    }

    /// Takes the data of the next event.
    pub fn event(&mut self, data: &str) -> Seen {
        let data = data.trim();
        if data == sse::DONE {
            self.is_done = true;
            return Seen::Done;
        }
        // As those read it who pass it on: what they cannot read ends it, unless it is no JSON at all.
        match wire::read(data.as_bytes()) {
            Err(_) if serde_json::from_str::<IgnoredAny>(data).is_err() => Seen::Other,
            Err(_) => {
                self.has_failed = true;
                Seen::Error
            }
            Ok(wire) if !wire.choices.is_empty() => {
                self.part(
                    true,
                    wire.choices.iter().any(|choice| choice.finish_reason.is_some()),
                );
                Seen::Content
            }
            Ok(_) => Seen::Other,
        }
    }

    /// Whether a part of the answer came.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether the model said why it ended: what follows is no part of the answer's text.
    #[must_use]
    pub fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// Whether an error came.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether the last event came.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether a stream that ended properly is an answer.
    ///
    /// # Errors
    /// Why it is none.
    pub fn verdict(&self) -> Result<(), NoAnswer> {
        if self.has_failed {
            Err(NoAnswer::Failed)
        } else if self.has_content {
            Ok(())
        } else if self.is_done {
            Err(NoAnswer::Empty)
        } else {
            Err(NoAnswer::NotJson)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &[u8] = br#"{"choices":[{"message":{"content":"a"}}]}"#;

    fn chat(status: u16, body: &[u8]) -> Verdict {
        judge(Operation::Chat, status, body)
    }

    #[test]
    fn success_and_errors_of_the_request_count_and_nothing_else_r40() {
        assert_eq!(chat(200, CHAT), Verdict::Counts);
        for status in [400, 409, 413, 415, 422, 431] {
            assert_eq!(chat(status, b"<html>no</html>"), Verdict::Counts, "{status}");
        }
        for status in [404, 405] {
            assert_eq!(chat(status, b"404 page not found"), Verdict::NoRoute);
        }
        for status in [100, 301, 307, 401, 402, 403, 429, 500, 502, 503, 504, 0, 999] {
            let wanted = Verdict::NoAnswer(NoAnswer::Status(status));
            assert_eq!(chat(status, CHAT), wanted, "{status}");
        }
    }

    #[test]
    fn success_without_the_shape_of_the_operation_is_no_answer_r10_r11() {
        for (body, why) in [
            (b"".as_slice(), NoAnswer::Empty),
            (b" \n ", NoAnswer::Empty),
            (b"<html>login</html>", NoAnswer::NotJson),
            (b"{\"choices\":[{}", NoAnswer::NotJson),
            (b"{}", NoAnswer::OtherShape),
            (br#"{"choices":[]}"#, NoAnswer::OtherShape),
            (br#"{"choices":7}"#, NoAnswer::OtherShape),
            (br#"{"error":{"message":"no credit"}}"#, NoAnswer::OtherShape),
            (br#"{"data":[1]}"#, NoAnswer::OtherShape),
            (br#"{"choices":[1]}"#, NoAnswer::OtherShape),
            (br#"{"choices":[{}]}"#, NoAnswer::OtherShape),
            (br#"{"choices":[{"text":"a"}]}"#, NoAnswer::OtherShape),
            (
                br#"{"choices":[{"message":{"content":[1]}}]}"#,
                NoAnswer::OtherShape,
            ),
            (
                br#"{"choices":[{"message":{"content":"a"}}],"error":{"message":"x"}}"#,
                NoAnswer::OtherShape,
            ),
            (br#"["choices"]"#, NoAnswer::NotJson),
        ] {
            assert_eq!(chat(200, body), Verdict::NoAnswer(why), "{}", body.escape_ascii());
        }
        let completion = |body: &[u8]| judge(Operation::Completion, 200, body);
        assert_eq!(completion(br#"{"choices":[{"text":"a"}]}"#), Verdict::Counts);
        assert_eq!(completion(CHAT), Verdict::Counts);
        let embedding = |body: &[u8]| judge(Operation::Embedding, 200, body);
        assert_eq!(embedding(br#"{"data":[{"embedding":[1]}]}"#), Verdict::Counts);
        assert_eq!(embedding(CHAT), Verdict::NoAnswer(NoAnswer::OtherShape));
        assert_eq!(judge(Operation::Models, 200, br#"{"data":[]}"#), Verdict::Counts);
        assert_eq!(judge(Operation::Other, 200, b"[1]"), Verdict::Counts);
    }

    #[test]
    fn a_stream_counts_when_it_has_content_and_no_error() {
        let content = "data:{\"choices\":[{\"delta\":{}}]}\n\n";
        let error = "data: {\"error\":{\"message\":\"x\"}}\n\n";
        let done = "data: [DONE]\n\n";
        for (text, wanted) in [
            ([content, done].concat(), Verdict::Counts),
            ([content, content].concat(), Verdict::Counts),
            ([": hello\n\n", content, done].concat(), Verdict::Counts),
            ([content, error].concat(), Verdict::NoAnswer(NoAnswer::Failed)),
            (error.to_owned(), Verdict::NoAnswer(NoAnswer::Failed)),
            (done.to_owned(), Verdict::NoAnswer(NoAnswer::Empty)),
            // What cannot be passed on is no answer, in a stream as in one piece.
            (
                [content, "data: {\"choices\":[1]}\n\n", done].concat(),
                Verdict::NoAnswer(NoAnswer::Failed),
            ),
            ("data: hello\n\n".to_owned(), Verdict::NoAnswer(NoAnswer::NotJson)),
        ] {
            assert_eq!(chat(200, text.as_bytes()), wanted, "{text}");
        }
    }
}
