//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the test below
//! with its corpus and with changed copies of it; none may panic or take memory beyond its limits.

use crate::{
    sse::Reader,
    types::{ChatRequest, CompletionRequest, EmbeddingRequest},
};

/// A parser with its name; the folder of its corpus is `openai_` and the name.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[("request", request), ("sse", sse)];

/// A body that a client sends.
pub fn request(bytes: &[u8]) {
    let _ = serde_json::from_slice::<ChatRequest>(bytes);
    let _ = serde_json::from_slice::<CompletionRequest>(bytes);
    let _ = serde_json::from_slice::<EmbeddingRequest>(bytes);
}

/// A stream of server-sent events. However it is cut into pieces, the events are the same.
pub fn sse(bytes: &[u8]) {
    let _ = crate::answer::judge(crate::answer::Operation::Chat, 200, bytes);
    let step = usize::from(bytes.first().copied().unwrap_or(1)).max(1);
    assert_eq!(
        events(bytes.chunks(step)),
        events(std::iter::once(bytes)),
        "pieces of {step} bytes"
    );
}

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Vec<String>> {
    let mut reader = Reader::new();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(reader.push(piece).ok()?);
    }
    events.extend(reader.finish());
    Some(events.iter().map(|event| format!("{event:?}")).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_corpus_and_changed_copies_of_it_are_survived(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut: prop::sample::Index,
            shall_cut: bool,
        ) {
            for (name, target) in TARGETS {
                let folder = format!("{}/../../fuzz/corpus/openai_{name}", env!("CARGO_MANIFEST_DIR"));
                for file in std::fs::read_dir(&folder).unwrap() {
                    let mut bytes = std::fs::read(file.unwrap().path()).unwrap();
                    target(&bytes);
                    for (at, value) in &flips {
                        let at = at.index(bytes.len());
                        bytes[at] = *value;
                    }
                    if shall_cut {
                        bytes.truncate(cut.index(bytes.len()));
                    }
                    target(&bytes);
                }
            }
        }
    }
}
