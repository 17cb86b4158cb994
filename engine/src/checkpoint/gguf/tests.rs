//! Headers that are right, wrong, cut short and flipped.

use proptest::prelude::*;

use super::*;
use crate::testing::{GgufWriter, WriteType, llama_gguf};

fn small() -> GgufWriter {
    GgufWriter::default()
        .text("general.architecture", "llama")
        .number("a.count", 7)
        .figure("a.figure", 0.5)
        .flag("a.flag", true)
        .texts("a.texts", &["x".to_owned(), "é".to_owned()])
        .numbers("a.numbers", &[-1, 2])
        .tensor("w", &[2, 32], WriteType::Q8_0, &[0.5; 64])
}

#[test]
fn values_and_tensors_are_read() {
    let bytes = small().bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    assert_eq!(gguf.text("general.architecture").unwrap(), "llama");
    assert_eq!(gguf.count("a.count", 0..8).unwrap(), 7);
    assert_eq!(gguf.optional_figure("a.figure").unwrap(), Some(0.5));
    assert_eq!(gguf.optional_bool("a.flag"), Some(true));
    assert_eq!(gguf.texts("a.texts").unwrap(), ["x", "é"]);
    assert_eq!(gguf.integers("a.numbers"), Some(&[-1, 2][..]));
    let tensor = gguf.tensor("w", &[2, 32]).unwrap();
    assert_eq!(
        (tensor.dtype, tensor.range.len(), tensor.elements()),
        (TensorType::Q8_0, 68, 64)
    );
    assert_eq!(tensor.range.end, bytes.len() - 28);
}

#[test]
fn wrong_values_are_named() {
    let gguf = Gguf::parse(&small().bytes()).unwrap();
    assert_eq!(
        gguf.text("none"),
        Err(GgufError::MissingKey {
            key: "none".to_owned()
        })
    );
    assert_eq!(
        gguf.count("a.count", 0..7).unwrap_err().to_string(),
        "the header value a.count is 7, expected a number from 0 to 6: choose another file"
    );
    assert!(matches!(gguf.texts("a.count"), Err(GgufError::BadValue { .. })));
    let shape = gguf.tensor("w", &[32, 2]).unwrap_err();
    assert!(
        matches!(shape, GgufError::TensorShape { ref found, .. } if found == &[2, 32]),
        "{shape}"
    );
    assert!(matches!(
        gguf.tensor("v", &[1]),
        Err(GgufError::MissingTensor { .. })
    ));
}

#[test]
fn foreign_files_and_versions_are_refused() {
    assert_eq!(
        Gguf::parse(b"PK\x03\x04rest"),
        Err(GgufError::NotGguf {
            found: b"PK\x03\x04".to_vec()
        })
    );
    assert_eq!(
        Gguf::parse(b"GG"),
        Err(GgufError::NotGguf {
            found: b"GG".to_vec()
        })
    );
    let mut bytes = small().bytes();
    bytes[4] = 9;
    assert_eq!(Gguf::parse(&bytes), Err(GgufError::Version { version: 9 }));
}

#[test]
fn unsupported_types_are_named() {
    let bytes = GgufWriter::default()
        .raw_tensor("blk.0.w", &[1, 32], 35, vec![0; 18])
        .bytes();
    let refused = Gguf::parse(&bytes).unwrap_err().to_string();
    assert!(
        refused.contains("blk.0.w") && refused.contains("TQ2_0") && refused.contains("Q4_K"),
        "{refused}"
    );
    let bytes = GgufWriter::default()
        .raw_tensor("w", &[1, 32], 16, vec![0; 17])
        .bytes();
    assert!(Gguf::parse(&bytes).unwrap_err().to_string().contains("IQ2_XXS"));
}

#[test]
fn hostile_counts_allocate_nothing() {
    for (at, what) in [(8, "tensors"), (16, "values")] {
        let mut bytes = small().bytes();
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let refused = Gguf::parse(&bytes).unwrap_err();
        assert!(
            matches!(refused, GgufError::TooMany { what: found, .. } if found == what),
            "{refused}"
        );
    }
    // A text that claims to be longer than memory, and a list that does.
    let mut bytes = small().bytes();
    bytes[24..32].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    assert!(matches!(
        Gguf::parse(&bytes),
        Err(GgufError::Truncated { what: "a key", .. })
    ));
    let list = GgufWriter::default().numbers("k", &[1, 2, 3]).bytes();
    let at = 24 + 8 + 1 + 4 + 4;
    let mut bytes = list;
    bytes[at..at + 8].copy_from_slice(&8_000_000_u64.to_le_bytes());
    assert!(matches!(
        Gguf::parse(&bytes),
        Err(GgufError::Truncated { what: "a list", .. })
    ));
    bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Gguf::parse(&bytes), Err(GgufError::TooMany { .. })));
}

#[test]
fn tensors_stay_inside_the_file() {
    let huge = GgufWriter::default()
        .raw_tensor("w", &[1 << 40, 1 << 40], 0, vec![0; 64])
        .bytes();
    assert!(matches!(Gguf::parse(&huge), Err(GgufError::TensorOutside { .. })));
    let long = GgufWriter::default()
        .raw_tensor("w", &[3, 32], 8, vec![0; 34])
        .bytes();
    assert!(matches!(Gguf::parse(&long), Err(GgufError::TensorOutside { .. })));
    let odd = GgufWriter::default()
        .raw_tensor("w", &[2, 33], 8, vec![0; 96])
        .bytes();
    let refused = Gguf::parse(&odd).unwrap_err();
    assert!(
        matches!(&refused, GgufError::BadShape { tensor, dtype: "Q8_0", columns: 33, block: 32 } if tensor == "w"),
        "{refused}"
    );
    assert!(!refused.to_string().contains("fetch it again"), "{refused}");
    let mut twice = GgufWriter::default().number("k", 1).number("k", 2);
    assert!(matches!(
        Gguf::parse(&twice.bytes()),
        Err(GgufError::Duplicate { .. })
    ));
    twice = GgufWriter::default()
        .tensor("w", &[1], WriteType::F32, &[1.0])
        .tensor("w", &[1], WriteType::F32, &[1.0]);
    assert!(matches!(
        Gguf::parse(&twice.bytes()),
        Err(GgufError::Duplicate { .. })
    ));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = small().bytes();
    // The last 28 bytes only fill the file up to the alignment.
    for len in 0..bytes.len() - 28 {
        assert!(Gguf::parse(&bytes[..len]).is_err(), "cut at {len}");
    }
    assert!(Gguf::parse(&bytes[..bytes.len() - 28]).is_ok());
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(flips in proptest::collection::vec((0_usize..20_000, any::<u8>()), 1..12)) {
        let mut bytes = llama_gguf(WriteType::Q4_1).bytes();
        let header = bytes.len().min(20_000);
        for (at, value) in flips {
            bytes[at % header] = value;
        }
        if let Ok(gguf) = Gguf::parse(&bytes) {
            for tensor in gguf.tensors.values() {
                prop_assert!(tensor.range.end <= bytes.len());
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(noise);
        let _ = Gguf::parse(&bytes);
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let bytes = GgufWriter::default()
        .raw_tensor("a", &[32], 0, vec![1; 128])
        .raw_tensor("b", &[32], 0, vec![2; 128])
        .bytes();
    assert!(Gguf::parse(&bytes).is_ok());
    // The second one's place, just before the data.
    let end = bytes.len() - 256;
    let at = (0..end)
        .rev()
        .find(|at| bytes[*at..*at + 8] == 128_u64.to_le_bytes())
        .unwrap();
    for place in [0_u64, 96] {
        let mut evil = bytes.clone();
        evil[at..at + 8].copy_from_slice(&place.to_le_bytes());
        assert!(
            matches!(Gguf::parse(&evil), Err(GgufError::Overlap { .. })),
            "{place}"
        );
    }
}
