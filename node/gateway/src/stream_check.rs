//! What a stream of events says of its own end.

use hearth_answers::{
    judge::{NoAnswer, StreamJudge},
    sse,
};

use crate::error::SupplierError;

/// Looks at the events of a stream that passes by.
pub(crate) struct StreamCheck {
    /// `None` where the stream has no events that could be judged.
    events: Option<sse::Reader>,
    judge: StreamJudge,
}

impl StreamCheck {
    /// Watches the answer of an operation that ends as OpenAI's do, or any other.
    pub(crate) fn new(ends_with_done: bool) -> StreamCheck {
        StreamCheck {
            events: ends_with_done.then(sse::Reader::new),
            judge: StreamJudge::default(),
        }
    }

    /// Takes the bytes that come next.
    ///
    /// # Errors
    /// An event beyond all measure.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), SupplierError> {
        let Some(events) = self.events.as_mut() else {
            return Ok(());
        };
        let events = events
            .push(bytes)
            .map_err(|_| SupplierError::NoAnswer(NoAnswer::OtherShape))?;
        for event in events {
            self.judge.event(&event.data);
        }
        Ok(())
    }

    /// Whether all of the answer came: a reader who leaves now has it.
    pub(crate) fn is_done(&self) -> bool {
        self.judge.is_done() && self.judge.verdict().is_ok()
    }

    /// Judges the stream that ended after `bytes`.
    ///
    /// # Errors
    /// A stream that broke off, that failed in its own words, or that is no answer.
    pub(crate) fn end(mut self, bytes: u64) -> Result<(), SupplierError> {
        let Some(events) = self.events.take() else {
            return Ok(());
        };
        // Some servers forget the last line break.
        if let Some(event) = events.finish() {
            self.judge.event(&event.data);
        }
        match self.judge.verdict() {
            // Nothing binds the number of parts: without the last line or the model's last word some may be missing.
            Ok(()) if self.judge.is_done() || self.judge.has_finished() => Ok(()),
            Ok(()) => Err(SupplierError::BrokenOff { bytes }),
            Err(NoAnswer::Failed) => Err(SupplierError::ErrorEvent),
            Err(why) => Err(SupplierError::NoAnswer(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Result<(), SupplierError> {
        let mut stream = StreamCheck::new(true);
        for byte in text.as_bytes() {
            stream.take(std::slice::from_ref(byte))?;
        }
        stream.end(text.len() as u64)
    }

    #[test]
    fn a_stream_is_whole_with_its_last_line_or_the_models_last_word() {
        let word = "data:{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
        let last = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        let error = "data: {\"error\":{\"message\":\"x\"}}\n\n";
        for whole in [
            [word, "data:[DONE]\n\n"].concat(),
            [word, last].concat(),
            [word, last, "data: [DONE]"].concat(),
        ] {
            assert!(end(&whole).is_ok(), "{whole}");
        }
        assert!(matches!(end(word), Err(SupplierError::BrokenOff { .. })));
        assert!(matches!(
            end(&[word, error].concat()),
            Err(SupplierError::ErrorEvent)
        ));
        assert!(matches!(end(""), Err(SupplierError::NoAnswer(_))));
        assert!(matches!(
            end("data: [DONE]\n\n"),
            Err(SupplierError::NoAnswer(NoAnswer::Empty))
        ));
        assert!(StreamCheck::new(false).end(0).is_ok());
    }
}
