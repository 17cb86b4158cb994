//! Entry functions for fuzzing: each takes the bytes of a stranger and must neither panic nor believe them.

use crate::{armor::Block, derive::Path, mnemonic::Words, morse::Sealed};

/// What people paste where a key is asked for: an export, a path, words. Nothing is stretched.
pub fn key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Block::parse(&text);
    let _ = Sealed::parse(&text);
    let _ = text
        .parse::<Path>()
        .map(|path| assert_eq!(path.to_string().parse(), Ok(path)));
    let _ = Words::parse(&text);
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
            let folder = format!("{}/../../fuzz/corpus/wallet_key", env!("CARGO_MANIFEST_DIR"));
            for file in std::fs::read_dir(&folder).unwrap() {
                let mut bytes = std::fs::read(file.unwrap().path()).unwrap();
                key(&bytes);
                for (at, value) in &flips {
                    let at = at.index(bytes.len());
                    bytes[at] = *value;
                }
                if shall_cut {
                    bytes.truncate(cut.index(bytes.len()));
                }
                key(&bytes);
            }
        }
    }
}
