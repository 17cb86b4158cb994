//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the test below
//! with its corpus and with changed copies of it; none may panic or take memory beyond its limits.

use bytes::Bytes;

use crate::{
    Operation, Request, anthropic::Messages, ollama::Asked, openai::foreign, responses::Create, sse::Reader,
};

/// A parser with its name; the folder of its corpus is `answers_` and the name.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[("request", request), ("sse", sse)];

/// A body that a client sends, and one that a server answers with.
pub fn request(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    for operation in [
        Operation::Chat,
        Operation::Completion,
        Operation::Embedding,
        Operation::Tokenize,
        Operation::Detokenize,
    ] {
        if let Ok(request) = Request::read(operation, body.clone()) {
            let _ = request.body();
            let renamed = request.for_model(Some("other".to_owned()));
            assert!(Request::read(operation, renamed.json()).is_ok());
        }
    }
    if let Ok(create) = Create::read(bytes) {
        let _ = create.request();
    }
    if let Ok(messages) = Messages::read(bytes) {
        let _ = messages.request();
    }
    for read in [Asked::chat, Asked::generate, |bytes: &[u8]| {
        Asked::embed(bytes, false)
    }] {
        let _ = read(bytes);
    }
    let _ = foreign::generation(body);
}

/// A stream of server-sent events. However it is cut into pieces, the events are the same.
pub fn sse(bytes: &[u8]) {
    let _ = crate::judge::judge(Operation::Chat, 200, bytes);
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
                let folder = format!("{}/../../fuzz/corpus/answers_{name}", env!("CARGO_MANIFEST_DIR"));
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
