//! Recorded signatures, byte for byte; many random ones; flipped bits.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    SecretKey, Signer,
    golden::{bytes, list, load, number, text},
};

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn secret(bytes: &[u8; 32]) -> SigningSecret {
    let key = SigningKey::from_slice(bytes).unwrap();
    let public = <[u8; 33]>::try_from(key.verifying_key().to_sec1_point(true).as_bytes()).unwrap();
    SigningSecret::new(&key, public)
}

#[test]
fn primitives_match() {
    let golden = load("ring_signature");
    for case in list(&golden["primitives"]["hash_to_scalar"]) {
        let hasher = Sha3_512::new_with_prefix(bytes(&case["input"]));
        assert_eq!(
            hex::encode(curve::hash_to_scalar(hasher).to_bytes()),
            text(&case["output_scalar"]),
            "{case}"
        );
    }
    for case in list(&golden["primitives"]["hash_to_curve"]) {
        let point = curve::hash_to_curve(&fixed(&case["public_key"])).unwrap();
        assert_eq!(
            hex::encode(curve::encode(&point.to_affine())),
            text(&case["point"]),
            "{case}"
        );
    }
    let placeholder = &golden["primitives"]["placeholder_ring_key"];
    assert_eq!(fixed(&placeholder["public_key"]), PLACEHOLDER_PUBLIC_KEY);
    assert_eq!(
        secret(&fixed(&placeholder["private_key"])).public,
        PLACEHOLDER_PUBLIC_KEY
    );
}

#[test]
fn recorded_signatures_are_made_again_byte_for_byte() {
    let golden = load("ring_signature");
    let verifier = RingVerifier::new(64);
    for case in list(&golden["signatures"]) {
        let keys: Vec<[u8; 33]> = list(&case["public_keys"]).iter().map(fixed).collect();
        let ring = Ring::new(&keys).unwrap();
        let at = number(&case["signer_index"]);
        let signer = secret(&fixed(&case["private_keys"][at]));
        let scalars: Vec<Scalar> = list(&case["random_scalars_in_draw_order"])
            .iter()
            .map(|scalar| curve::reduce(&bytes(scalar)))
            .collect();
        let digest = fixed(&case["message_digest"]);
        // The second round goes through the tables.
        for _ in 0..3 {
            let made = ring
                .sign_with(&signer, at, &digest, scalars[0], &scalars[1..])
                .unwrap();
            assert_eq!(hex::encode(&made), text(&case["signature"]), "{}", case["id"]);
            let signature = RingSignature::parse(&made).unwrap();
            assert_eq!(hex::encode(signature.key_image()), text(&case["key_image"]));
            assert!(signature.keys().eq(keys.iter()));
            assert_eq!(signature.verify(&digest), Ok(()), "{}", case["id"]);
            assert_eq!(verifier.verify(&signature, &digest), Ok(()), "{}", case["id"]);
        }
    }
}

#[test]
fn edge_cases_are_judged_as_by_the_chain() {
    let golden = load("ring_signature");
    let verifier = RingVerifier::new(4);
    for case in list(&golden["edge_cases"]) {
        let digest = fixed(&case["message_digest"]);
        let verdict = |verify: &dyn Fn(&RingSignature) -> Result<(), RingError>| {
            RingSignature::parse(&bytes(&case["signature"])).and_then(|signature| verify(&signature))
        };
        let alone = verdict(&|signature| signature.verify(&digest));
        assert_eq!(
            verdict(&|signature| verifier.verify(signature, &digest)),
            alone,
            "{}",
            case["id"]
        );
        match text(&case["ring_go_result"]) {
            "valid" => assert_eq!(alone, Ok(()), "{}", case["id"]),
            "invalid" => assert_eq!(alone, Err(RingError::Invalid), "{}", case["id"]),
            // What crashes Go or does not decode there is an error here.
            other => {
                assert!(
                    other.starts_with("panic") || other.starts_with("deserialize_error"),
                    "{other}"
                );
                assert!(
                    !matches!(alone, Ok(()) | Err(RingError::Invalid)),
                    "{}: {alone:?}",
                    case["id"]
                );
            }
        }
    }
}

/// Numbers that look random but are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        bytes
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// The quirk hits about 0.8 % of two-member signatures, so a wrong signer would fail some forty times here.
#[test]
fn five_thousand_random_signatures_verify_without_a_miss() {
    const THREADS: u64 = 4;
    const EACH: usize = 1280;
    let signed: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || sign_and_verify(thread, EACH)))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(signed, 5120);
}

fn sign_and_verify(seed: u64, count: usize) -> usize {
    let mut numbers = Numbers(seed);
    let secrets: Vec<SigningSecret> = (0..8).map(|_| secret(&numbers.bytes())).collect();
    let verifier = RingVerifier::new(6);
    let mut ring = None;
    for round in 0..count {
        // Two members most of the time, as on the network; a ring serves several signatures.
        if round % 5 == 0 {
            let size = if round % 20 == 0 { 2 + numbers.below(4) } else { 2 };
            let members: Vec<usize> = (0..size).map(|_| numbers.below(secrets.len())).collect();
            let keys: Vec<[u8; 33]> = members.iter().map(|member| secrets[*member].public).collect();
            ring = Some((Ring::new(&keys).unwrap(), members));
        }
        let Some((ring, members)) = &ring else {
            unreachable!("made in the first round")
        };
        let signer = &secrets[members[numbers.below(members.len())]];
        let digest = numbers.bytes();
        let bytes = ring.sign(signer, &digest).unwrap();
        assert_eq!(bytes.len(), HEAD + MEMBER * members.len());
        let signature = RingSignature::parse(&bytes).unwrap();
        if round % 2 == 0 {
            assert_eq!(signature.verify(&digest), Ok(()), "seed {seed}, round {round}");
        }
        assert_eq!(
            verifier.verify(&signature, &digest),
            Ok(()),
            "seed {seed}, round {round}"
        );
    }
    count
}

#[test]
fn who_is_no_member_cannot_sign() {
    let (one, two, other) = (
        secret(&[1; 32]),
        secret(&[2; 32]),
        SecretKey::from_bytes(&[3; 32]).unwrap(),
    );
    let ring = Ring::new(&[one.public, two.public]).unwrap();
    let refused = other.ring_sign(&ring, &[0; 32]).unwrap_err();
    assert!(
        refused.to_string().contains("is no member of the ring"),
        "{refused}"
    );
    assert_eq!(Ring::new(&[one.public]).unwrap_err(), RingError::Size { size: 1 });
    assert!(matches!(
        Ring::new(&[one.public, [5; 33]]),
        Err(RingError::BadMember { .. })
    ));
    let signature = RingSignature::parse(&ring.sign(&one, &[0; 32]).unwrap()).unwrap();
    assert_eq!(signature.check_members(&[two.public, one.public]), Ok(()));
    assert_eq!(
        signature.check_members(&[two.public, other.public_key()]),
        Err(RingError::ForeignMember { key: one.public }),
    );
}

#[test]
fn an_expected_ring_has_the_gateways_of_the_session() {
    let mut application = Application {
        address: "pokt1b".to_owned(),
        delegatee_gateway_addresses: vec!["pokt1c".to_owned()],
        ..Application::default()
    };
    let list = |gateway: &str| crate::message::application::UndelegatingGatewayList {
        gateway_addresses: vec![gateway.to_owned()],
    };
    application.pending_undelegations = [(20, list("pokt1a")), (10, list("pokt1d"))].into();
    let addresses = |end| ExpectedRing::of(&application, end).addresses;
    assert_eq!(addresses(10), ["pokt1a", "pokt1b", "pokt1c", "pokt1d"]);
    assert_eq!(addresses(20), ["pokt1a", "pokt1b", "pokt1c"]);
    assert_eq!(addresses(21), ["pokt1b", "pokt1c"]);
    assert!(!ExpectedRing::of(&application, 21).placeholder);
    let alone = Application {
        address: "pokt1b".to_owned(),
        ..Application::default()
    };
    assert_eq!(
        ExpectedRing::of(&alone, 1),
        ExpectedRing {
            addresses: vec!["pokt1b".to_owned()],
            placeholder: true
        }
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_bit_never_verifies(seed in any::<u64>(), size in 2..4usize, at in any::<prop::sample::Index>()) {
        let mut numbers = Numbers(seed);
        let secrets: Vec<SigningSecret> = (0..size).map(|_| secret(&numbers.bytes())).collect();
        let keys: Vec<[u8; 33]> = secrets.iter().map(|secret| secret.public).collect();
        let digest = numbers.bytes();
        let ring = Ring::new(&keys).unwrap();
        let mut bytes = ring.sign(&secrets[numbers.below(size)], &digest).unwrap();
        // Bits of the signature, and beyond them bits of the message.
        let bit = at.index((bytes.len() + 32) * 8);
        let mut flipped = digest;
        match bytes.get_mut(bit / 8) {
            Some(byte) => *byte ^= 1 << (bit % 8),
            None => flipped[bit / 8 - bytes.len()] ^= 1 << (bit % 8),
        }
        let verdict = RingSignature::parse(&bytes).and_then(|signature| signature.verify(&flipped));
        prop_assert!(verdict.is_err(), "bit {}", bit);
    }

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(signature) = RingSignature::parse(&bytes) {
            prop_assert!(signature.verify(&[0; 32]).is_err());
        }
    }
}

/// Whoever sees a signature may write it down in other ways that hold just as well.
#[test]
fn a_signature_that_is_written_anew_is_the_same_one() {
    let message = [7; 32];
    let keys = [1, 2, 3].map(|number| SecretKey::from_bytes(&[number; 32]).unwrap());
    let ring = Ring::new(&keys.each_ref().map(SecretKey::public_key)).unwrap();
    let bytes = keys[1].ring_sign(&ring, &message).unwrap();
    let signature = RingSignature::parse(&bytes).unwrap();

    let with_tail = [bytes.as_slice(), b"more"].concat();
    let image = signature.image_point().unwrap();
    let mut turned = signature.clone();
    let (scalar, key) = turned.members[0];
    let challenge = Challenge::new(&message);
    let member = Member::new(&key).unwrap();
    let points = walk(&member, None, &Image::Point(&image), &scalar, &turned.challenge);
    turned.challenge = challenge.next_vartime(&points);
    turned.members.rotate_left(1);
    for other in [RingSignature::parse(&with_tail).unwrap(), turned] {
        other.verify(&message).unwrap();
        assert_eq!(other.canonical(), signature.canonical());
    }
    let again = RingSignature::parse(&keys[1].ring_sign(&ring, &message).unwrap()).unwrap();
    assert_ne!(again.canonical(), signature.canonical());
}
