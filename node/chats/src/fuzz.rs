//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the test below
//! with its corpus and with changed copies of it; none may panic or take memory beyond its limits. PDFs are not among
//! them: the library that reads them does both, which is why a process of its own calls it.

use std::io::Cursor;

use crate::{import::split, pdf, text};

/// A parser with its name; the folder of its corpus is `chats_` and the name.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[("import", import), ("file", file)];

/// A file of conversations. Each of its conversations has some bytes of it.
pub fn import(bytes: &[u8]) {
    let mut n_items = 0;
    let _ = split::read(Cursor::new(bytes), |_| {
        n_items += 1;
        true
    });
    assert!(n_items <= bytes.len(), "{n_items} of {} bytes", bytes.len());
}

/// A file that goes with a question, and what a child says of one.
pub fn file(bytes: &[u8]) {
    let _ = text::of(bytes.to_vec());
    pdf::read_any(bytes);
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
                let folder = format!("{}/../../fuzz/corpus/chats_{name}", env!("CARGO_MANIFEST_DIR"));
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
