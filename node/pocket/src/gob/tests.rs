//! Streams of Go, recorded and made up.

use proptest::prelude::*;

use super::{
    writer::{int, uint},
    *,
};
use crate::{
    golden::{bytes, list, load},
    trie::{CompactClosestProof, CompactProof},
};

#[test]
fn golden_streams_read_and_write_the_same() {
    let golden = load("smst");
    let mut n_checked = 0;
    let tries = list(&golden["tries"])
        .iter()
        .flat_map(|trie| list(&trie["closest_proofs"]));
    let bulk = list(&golden["bulk_by_rule"]["cases"])
        .iter()
        .map(|case| &case["closest_proof"]);
    for proof in tries.chain(bulk) {
        let stream = bytes(&proof["compact"]["gob"]);
        let decoded = decode(&stream).unwrap();
        assert_eq!(decoded.path, bytes(&proof["compact"]["path"]));
        assert_eq!(hex::encode(encode(&decoded)), hex::encode(&stream));
        n_checked += 1;
    }
    assert_eq!(n_checked, 81);
}

#[allow(clippy::too_many_lines, reason = "one stream, byte by byte")]
/// Writes a stream as another Go process might: other ids, the inner types first, fields in another order, one that
/// we do not know, and definitions of types that nobody uses.
fn foreign_stream(proof: &CompactClosestProof) -> Vec<u8> {
    fn text(out: &mut Vec<u8>, text: &str) {
        uint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    fn message(stream: &mut Vec<u8>, body: &[u8]) {
        uint(stream, body.len() as u64);
        stream.extend_from_slice(body);
    }
    fn structure(id: i64, name: &str, fields: &[(&str, i64)]) -> Vec<u8> {
        let mut out = Vec::new();
        int(&mut out, -id);
        out.extend_from_slice(&[3, 1, 1]);
        text(&mut out, name);
        out.push(1);
        int(&mut out, id);
        out.extend_from_slice(&[0, 1]);
        uint(&mut out, fields.len() as u64);
        for (name, id) in fields {
            out.push(1);
            text(&mut out, name);
            out.push(1);
            int(&mut out, *id);
            out.push(0);
        }
        out.extend_from_slice(&[0, 0]);
        out
    }
    fn slice(id: i64, elem: i64) -> Vec<u8> {
        let mut out = Vec::new();
        int(&mut out, -id);
        out.extend_from_slice(&[2, 1, 1]);
        text(&mut out, "[][]uint8");
        out.push(1);
        int(&mut out, id);
        out.extend_from_slice(&[0, 1]);
        int(&mut out, elem);
        out.extend_from_slice(&[0, 0]);
        out
    }
    let mut stream = Vec::new();
    message(&mut stream, &slice(300, 5));
    // A map from text to a list of interface values.
    message(&mut stream, &slice(301, 8));
    let mut map = Vec::new();
    int(&mut map, -302);
    map.extend_from_slice(&[4, 1, 1]);
    text(&mut map, "M");
    map.extend_from_slice(&[0, 1]);
    int(&mut map, 6);
    map.push(1);
    int(&mut map, 301);
    map.extend_from_slice(&[0, 0]);
    message(&mut stream, &map);
    message(
        &mut stream,
        &structure(
            70,
            "Inner",
            &[("NumSideNodes", 2), ("SideNodes", 300), ("BitMask", 5)],
        ),
    );
    message(
        &mut stream,
        &structure(
            99,
            "Outer",
            &[
                ("Later", 302),
                ("ClosestProof", 70),
                ("Depth", 5),
                ("Path", 5),
                ("Ratio", 4),
                ("FlippedBits", 300),
            ],
        ),
    );

    let inner = proof.closest_proof.as_ref().unwrap();
    let mut value = Vec::new();
    int(&mut value, 99);
    value.push(1);
    uint(&mut value, 1);
    text(&mut value, "key");
    uint(&mut value, 2);
    uint(&mut value, 0);
    text(&mut value, "main.T");
    int(&mut value, 5);
    value.extend_from_slice(&[3, 2, 0xaa, 0xbb]);
    value.push(1);
    value.push(1);
    int(&mut value, inner.num_side_nodes);
    value.push(1);
    uint(&mut value, inner.side_nodes.len() as u64);
    for node in &inner.side_nodes {
        uint(&mut value, node.len() as u64);
        value.extend_from_slice(node);
    }
    value.push(0);
    for part in [&proof.depth, &proof.path] {
        value.push(1);
        uint(&mut value, part.len() as u64);
        value.extend_from_slice(part);
    }
    value.push(1);
    uint(&mut value, 0x40f0);
    value.extend_from_slice(&[1, 1, 1, 7, 0]);
    message(&mut stream, &value);
    stream.extend_from_slice(b"what follows is ignored");
    stream
}

#[test]
fn a_stream_of_another_process_reads_by_name() {
    let proof = CompactClosestProof {
        path: vec![7; 32],
        flipped_bits: vec![vec![7]],
        depth: vec![1, 0],
        closest_proof: Some(CompactProof {
            side_nodes: vec![vec![1; 48], vec![], vec![2; 300]],
            num_side_nodes: -3,
            ..CompactProof::default()
        }),
        ..CompactClosestProof::default()
    };
    assert_eq!(decode(&foreign_stream(&proof)), Ok(proof));
}

#[test]
fn broken_streams_are_refused() {
    let proof = CompactClosestProof {
        path: vec![1; 32],
        ..CompactClosestProof::default()
    };
    let stream = encode(&proof);
    for len in 0..stream.len() {
        assert_eq!(decode(&stream[..len]), Err(DecodeError::Truncated), "{len}");
    }
    assert_eq!(
        decode(&[3, 0xff, 0x80, 0]),
        Err(DecodeError::UnknownType { id: 64 })
    );
    let twice = [&stream[..137], &stream[..137]].concat();
    assert_eq!(decode(&twice), Err(DecodeError::TypeDefinedTwice { id: 64 }));
    let mut other_type = stream.clone();
    let at = stream.windows(4).position(|window| window == b"Path").unwrap();
    // Type 5 (bytes) becomes type 6 (string).
    other_type[at + 5] = 0x0c;
    assert_eq!(decode(&other_type), Err(DecodeError::FieldType { name: "Path" }));
}

proptest! {
    #[test]
    fn any_proof_round_trips(
        path: Vec<u8>,
        flipped_bits: Vec<Vec<u8>>,
        depth: Vec<u8>,
        side_nodes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        num_side_nodes: i64,
        sibling_data: Vec<u8>,
        has_inner: bool,
    ) {
        let inner = CompactProof { side_nodes, num_side_nodes, sibling_data, ..CompactProof::default() };
        let proof = CompactClosestProof {
            path,
            flipped_bits,
            depth,
            closest_proof: has_inner.then_some(inner),
            ..CompactClosestProof::default()
        };
        prop_assert_eq!(decode(&encode(&proof)), Ok(proof));
    }

    #[test]
    fn garbage_never_panics(mut stream: Vec<u8>, flips: Vec<(usize, u8)>) {
        let _ = decode(&stream);
        let mut real = foreign_stream(&CompactClosestProof {
            closest_proof: Some(CompactProof::default()),
            ..CompactClosestProof::default()
        });
        let len = real.len();
        for (at, mask) in flips {
            real[at % len] ^= mask;
        }
        let _ = decode(&real);
        real.append(&mut stream);
        let _ = decode(&real);
    }
}
