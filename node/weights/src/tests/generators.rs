//! The contents of the golden files, from their formulas.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::unixfs::{DirectoryMeasure, Profile};

/// Reads a golden file. One that is missing fails the test.
pub(super) fn vectors(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

pub(super) static UNIXFS: LazyLock<Value> = LazyLock::new(|| vectors("unixfs.json"));

pub(super) fn field<T: DeserializeOwned>(value: &Value, name: &str) -> T {
    serde_json::from_value(value[name].clone()).unwrap_or_else(|error| panic!("{name} of {value}: {error}"))
}

/// `splitmix64-le`.
pub(crate) fn splitmix(seed: u64, size: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(size + 8);
    let mut k = 0_u64;
    while bytes.len() < size {
        k += 1;
        let mut z = seed.wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        bytes.extend_from_slice(&z.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// The keystream of `chacha20_generator`, from the 64-byte block `first` on.
pub(super) fn chacha20(seed: &str, first: u32, to: &mut [u8]) {
    let key: [u8; 32] = Sha256::digest(seed.as_bytes()).into();
    let mut state = [0_u32; 16];
    state[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    for (word, bytes) in state[4..12].iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    for (block_idx, out) in to.chunks_mut(64).enumerate() {
        state[12] = first + block_idx as u32;
        let mut work = state;
        for _ in 0..10 {
            for [a, b, c, d] in [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]] {
                quarter(&mut work, a, b, c, d);
            }
            for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
                quarter(&mut work, a, b, c, d);
            }
        }
        for (idx, byte) in out.iter_mut().enumerate() {
            *byte = work[idx / 4].wrapping_add(state[idx / 4]).to_le_bytes()[idx % 4];
        }
    }
}

fn quarter(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    for (x, y, z, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        state[x] = state[x].wrapping_add(state[y]);
        state[z] = (state[z] ^ state[x]).rotate_left(turn);
    }
}

/// The bytes of an input of the golden files: by seed, text or generator.
pub(super) fn content(input: &Value) -> Bytes {
    if let Some(text) = input["ascii"].as_str() {
        return Bytes::copy_from_slice(text.as_bytes());
    }
    let size: usize = field(input, "size");
    let bytes = if input["generator"] == "zeros" {
        vec![0; size].into()
    } else if let Some(seed) = input["chacha20_seed"].as_str() {
        let mut bytes = vec![0; size];
        chacha20(seed, 0, &mut bytes);
        bytes.into()
    } else {
        splitmix(field(input, "seed"), size)
    };
    if let Some(wanted) = input["sha256"].as_str() {
        assert_eq!(
            hex::encode(Sha256::digest(&bytes)),
            wanted,
            "the generator is wrong for {input}"
        );
    }
    bytes
}

/// The configurations of `unixfs.json` as profiles.
pub(super) fn profiles() -> BTreeMap<String, Profile> {
    let configs = UNIXFS["configs"].as_object().unwrap();
    let profile = |(name, config): (&String, &Value)| {
        let version: u64 = field(config, "cid_version");
        let profile = Profile {
            cid_version: if version == 0 {
                cid::Version::V0
            } else {
                cid::Version::V1
            },
            raw_leaves: field(config, "raw_leaves"),
            chunk_bytes: field(config, "chunk_size"),
            max_links: field(config, "max_links"),
            inline_limit: None,
            directory_measure: if name == "v1-2025" {
                DirectoryMeasure::BlockBytes
            } else {
                DirectoryMeasure::LinkBytes
            },
        };
        (name.clone(), profile)
    };
    configs.iter().map(profile).collect()
}
