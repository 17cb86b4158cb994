//! Writing a proof.

use crate::trie::{CompactClosestProof, CompactProof};

/// The definitions of the three types of a proof, with the ids 64, 65 and 66: what a Go process sends that has
/// encoded nothing else before.
const DEFINITIONS: &[u8] = b"\xff\x87\x7f\x03\x01\x01\x1fSparseCompactMerkleClosestProof\x01\xff\x80\x00\x01\x06\
\x01\x04Path\x01\x0a\x00\x01\x0bFlippedBits\x01\xff\x82\x00\x01\x05Depth\x01\x0a\x00\
\x01\x0bClosestPath\x01\x0a\x00\x01\x10ClosestValueHash\x01\x0a\x00\x01\x0cClosestProof\x01\xff\x84\x00\x00\x00\
\x17\xff\x81\x02\x01\x01\x09[][]uint8\x01\xff\x82\x00\x01\x0a\x00\x00\
\x7c\xff\x83\x03\x01\x01\x18SparseCompactMerkleProof\x01\xff\x84\x00\x01\x05\
\x01\x09SideNodes\x01\xff\x82\x00\x01\x15NonMembershipLeafData\x01\x0a\x00\x01\x07BitMask\x01\x0a\x00\
\x01\x0cNumSideNodes\x01\x04\x00\x01\x0bSiblingData\x01\x0a\x00\x00\x00";

/// The bytes of a proof as the chain takes them.
#[must_use]
pub fn encode(proof: &CompactClosestProof) -> Vec<u8> {
    let mut value = Vec::new();
    int(&mut value, 64);
    outer(&mut value, proof);
    let mut stream = Vec::with_capacity(DEFINITIONS.len() + value.len() + 9);
    stream.extend_from_slice(DEFINITIONS);
    uint(&mut stream, value.len() as u64);
    stream.append(&mut value);
    stream
}

fn outer(out: &mut Vec<u8>, proof: &CompactClosestProof) {
    let mut fields = Fields { out, last: -1 };
    fields.bytes(0, &proof.path);
    fields.list(1, &proof.flipped_bits);
    fields.bytes(2, &proof.depth);
    fields.bytes(3, &proof.closest_path);
    fields.bytes(4, &proof.closest_value_hash);
    if let Some(proof) = &proof.closest_proof {
        fields.begin(5);
        inner(fields.out, proof);
    }
    out.push(0);
}

fn inner(out: &mut Vec<u8>, proof: &CompactProof) {
    let mut fields = Fields { out, last: -1 };
    fields.list(0, &proof.side_nodes);
    fields.bytes(1, &proof.non_membership_leaf_data);
    fields.bytes(2, &proof.bit_mask);
    if proof.num_side_nodes != 0 {
        fields.begin(3);
        int(fields.out, proof.num_side_nodes);
    }
    fields.bytes(4, &proof.sibling_data);
    out.push(0);
}

/// Writes the fields of a struct, each preceded by its distance from the last one written.
struct Fields<'out> {
    out: &'out mut Vec<u8>,
    last: i64,
}

impl Fields<'_> {
    fn begin(&mut self, index: i64) {
        uint(self.out, (index - self.last).unsigned_abs());
        self.last = index;
    }

    fn bytes(&mut self, index: i64, value: &[u8]) {
        if !value.is_empty() {
            self.begin(index);
            bytes(self.out, value);
        }
    }

    fn list(&mut self, index: i64, values: &[Vec<u8>]) {
        if !values.is_empty() {
            self.begin(index);
            uint(self.out, values.len() as u64);
            for value in values {
                bytes(self.out, value);
            }
        }
    }
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    uint(out, value.len() as u64);
    out.extend_from_slice(value);
}

pub(super) fn int(out: &mut Vec<u8>, value: i64) {
    // Negative numbers are complemented, so that the sign can be the lowest bit.
    let magnitude = if value < 0 { !value } else { value }.unsigned_abs();
    uint(out, magnitude << 1 | u64::from(value < 0));
}

pub(super) fn uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(small @ 0..=0x7f) = u8::try_from(value) {
        out.push(small);
        return;
    }
    let bytes = value.to_be_bytes();
    let n_zeros = value.leading_zeros() as usize / 8;
    let significant = &bytes[n_zeros..];
    // One byte of the negated length, as Go writes it: 0xff for one byte, 0xf8 for eight.
    out.push(0xf8 + n_zeros as u8);
    out.extend_from_slice(significant);
}
