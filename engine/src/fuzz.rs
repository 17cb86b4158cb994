//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the test below
//! with its corpus and with changed copies of it; none may panic or take memory beyond its limits.

use crate::{checkpoint::Gguf, constraint, tokenizer::Tokenizer};

/// A parser with its name; the folder of its corpus is `engine_` and the name.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[("gguf", gguf), ("schema", schema)];

/// The header of a GGUF file, and the tokenizer in it.
pub fn gguf(bytes: &[u8]) {
    if let Ok(gguf) = Gguf::parse(bytes) {
        let _ = Tokenizer::from_gguf(&gguf);
    }
}

/// A JSON schema, looked over before it is compiled.
pub fn schema(bytes: &[u8]) {
    if let Ok(schema) = serde_json::from_slice(bytes) {
        let _ = constraint::looked_over(&schema);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/../fuzz/corpus/engine_{name}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn the_corpus_holds_a_whole_file() {
        let files = corpus("gguf");
        assert!(
            files
                .iter()
                .any(|bytes| Gguf::parse(bytes).is_ok_and(|gguf| Tokenizer::from_gguf(&gguf).is_ok()))
        );
    }

    proptest! {
        #[test]
        fn changed_copies_of_the_corpus_are_survived(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut: prop::sample::Index,
            shall_cut: bool,
        ) {
            for (name, target) in TARGETS {
                for mut bytes in corpus(name) {
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
