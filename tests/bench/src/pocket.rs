//! The protocol's arithmetic: rings, trees, proofs. Rivals: the Go libraries of the official miners on one core.

use anyhow::Context as _;
use hearth_pocket::{
    keys::{PublicKey, SecretKey, Signer as _},
    ring::{Ring, RingSignature, RingVerifier},
    trie::{SumTrie, verify_closest},
};

use crate::{
    rivals::Rivals,
    table::{figure, per_second, rate, section},
};

/// Leaves of the measured trees: those of the Go figures.
const LEAVES: [usize; 3] = [1_000, 10_000, 50_000];
/// A relay's bytes are about a request and a response without its payload.
const LEAF_BYTES: usize = 1024;

pub(crate) fn run(rivals: &mut Rivals) -> anyhow::Result<()> {
    section("pocket (one core)");
    // Rivals that fail do not take our own figures with them.
    if let Err(error) = rivals.measure() {
        figure("rivals are not measured", "", &format!("{error:#}"));
    }
    rings(rivals)?;
    tries(rivals)
}

fn rings(rivals: &Rivals) -> anyhow::Result<()> {
    let keys: Vec<SecretKey> = (1_u8..=8)
        .map(|byte| SecretKey::from_bytes(&[byte; 32]))
        .collect::<Result<_, _>>()?;
    let message = [7_u8; 32];
    for size in [2, 3, 8] {
        let members: Vec<[u8; 33]> = keys.iter().take(size).map(SecretKey::public_key).collect();
        let ring = Ring::new(&members)?;
        let signer = keys.first().context("there are eight keys")?;
        let bytes = signer.ring_sign(&ring, &message)?;
        let signature = RingSignature::parse(&bytes)?;
        let sign = rate(1, || {
            drop(std::hint::black_box(signer.ring_sign(&ring, &message)))
        });
        let verifier = RingVerifier::new(16);
        let verify = rate(1, || {
            drop(std::hint::black_box(verifier.verify(&signature, &message)))
        });
        let cold = rate(1, || drop(std::hint::black_box(signature.verify(&message))));
        let checked = format!("ring {size} verify");
        for (what, own, rival) in [
            ("sign", sign, &format!("ring {size} sign")),
            ("verify in a session", verify, &checked),
            ("verify once", cold, &checked),
        ] {
            let name = format!("ring of {size}, {what}");
            figure(&name, &per_second(own), &rivals.beside(rival, own));
        }
    }
    let signer = keys.first().context("there are eight keys")?;
    let public = PublicKey::from_bytes(&signer.public_key())?;
    let signature = signer.sign(&message);
    let sign = rate(1, || {
        std::hint::black_box(signer.sign(&message));
    });
    let verify = rate(1, || {
        drop(std::hint::black_box(public.verify(&message, &signature)))
    });
    figure(
        "ECDSA, sign",
        &per_second(sign),
        &rivals.beside("ecdsa sign", sign),
    );
    figure(
        "ECDSA, verify",
        &per_second(verify),
        &rivals.beside("ecdsa verify", verify),
    );
    Ok(())
}

fn tries(rivals: &Rivals) -> anyhow::Result<()> {
    for n_leaves in LEAVES {
        let leaves: Vec<([u8; 32], Vec<u8>)> = (0..n_leaves).map(leaf).collect();
        let inserts = rate(n_leaves, || {
            let mut trie = SumTrie::new();
            for (index, (key, value)) in leaves.iter().enumerate() {
                trie.insert(key, value, 1, index as u64);
            }
            std::hint::black_box(trie.root());
        });
        let beside = rivals.beside(&format!("trie {n_leaves} inserts"), inserts);
        figure(
            &format!("trie of {n_leaves}, inserts with the root"),
            &per_second(inserts),
            &beside,
        );
    }
    let leaves: Vec<([u8; 32], Vec<u8>)> = (0..LEAVES[1]).map(leaf).collect();
    let mut trie = SumTrie::new();
    for (index, (key, value)) in leaves.iter().enumerate() {
        trie.insert(key, value, 1, index as u64);
    }
    let root = trie.root();
    let values: Vec<Vec<u8>> = leaves.into_iter().map(|(_, value)| value).collect();
    let mut path = [0_u8; 32];
    let mut next = 0_u64;
    let proofs = rate(1, || {
        next = next
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        path[..8].copy_from_slice(&next.to_be_bytes());
        drop(std::hint::black_box(trie.prove_closest(&path, values.as_slice())));
    });
    figure(
        "closest proof, build",
        &per_second(proofs),
        &rivals.beside("closest proof", proofs),
    );
    let proof = trie.prove_closest(&path, values.as_slice())?;
    let verify = rate(1, || drop(std::hint::black_box(verify_closest(&proof, &root))));
    figure("closest proof, verify", &per_second(verify), "");
    Ok(())
}

/// A leaf that looks random and is the same in each run.
fn leaf(index: usize) -> ([u8; 32], Vec<u8>) {
    let mut state = index as u64 + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()[0]
    };
    let mut key = [0; 32];
    key.iter_mut().for_each(|byte| *byte = next());
    (key, (0..LEAF_BYTES).map(|_| next()).collect())
}
