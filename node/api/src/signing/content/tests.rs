//! Documents to sign: what is read of them, refused and marked.

use hearth_pocket::{
    SecretKey,
    message::{TypeUrl as _, supplier::MsgStakeSupplier},
    tx::{Plan, Replay, sign_bytes},
};

use super::*;

fn key() -> SecretKey {
    SecretKey::from_bytes(&[3; 32]).unwrap()
}

fn ask(chain: &str, messages: Vec<Any>, signer: &SecretKey) -> Result<Wanted, ApiError> {
    let plan = Plan {
        messages,
        memo: "for a coffee".to_owned(),
        timeout_height: 0,
        timeout: None,
        replay: Replay::Ordered { sequence: 1 },
        fee: vec![Coin::upokt(Amount::from_upokt(9))],
        gas_limit: 100_000,
    };
    let auth = plan.auth_info(&signer.public_key());
    let bytes = sign_bytes(&plan.body().encode_to_vec(), &auth.encode_to_vec(), chain, 4);
    let wanted = NewSignature {
        document: Some(STANDARD.encode(bytes)),
        ..NewSignature::default()
    };
    read(
        &wanted,
        key().address(),
        &key().public_key(),
        "hearth-devnet",
        &|_| false,
        &Before::default(),
    )
}

fn payment() -> Any {
    payment_of(key().address().as_str())
}

/// A message that the signer does with a power of others.
fn inside(message: Any) -> Any {
    MsgExec {
        grantee: key().address().to_string(),
        msgs: vec![message],
    }
    .to_any()
}

fn payment_of(from: &str) -> Any {
    MsgSend {
        from_address: from.to_owned(),
        to_address: "pokt1someone".to_owned(),
        amount: vec![Coin::upokt(Amount::from_upokt(5))],
    }
    .to_any()
}

#[test]
fn all_of_a_transaction_is_shown() {
    let wanted = ask("hearth-devnet", vec![payment()], &key()).unwrap();
    let SignatureContent::Transaction(shown) = wanted.content else {
        panic!("a text");
    };
    assert_eq!((shown.fee, shown.gas), (Upokt(Amount::from_upokt(9)), 100_000));
    assert_eq!((shown.usual_fee.0.upokt(), shown.fee_is_high), (1, false));
    assert_eq!(shown.memo, "for a coffee");
    assert_eq!(shown.messages[0]["to_address"], "pokt1someone");
}

#[test]
fn what_leaves_the_signer_is_summed_and_the_numbers_are_shown() {
    let me = key().address().to_string();
    let messages = vec![
        payment(),
        inside(payment()),
        inside(payment_of("pokt1boss")),
        inside(inside(payment_of(&me))),
    ];
    let wanted = ask("hearth-devnet", messages, &key()).unwrap();
    let SignatureContent::Transaction(shown) = wanted.content else {
        panic!("a text");
    };
    assert_eq!(shown.sent.0.upokt(), 15);
    assert_eq!((shown.account_number, shown.sequence), (4, 1));
}

#[test]
fn a_fee_that_nobody_means_is_marked() {
    let high = |fee: u128, usual: u128| is_high(Amount::from_upokt(fee), Amount::from_upokt(usual));
    // A slip of the pen: 2 POKT in place of 2 upokt, also where the gas is as absurd.
    assert!(high(2_000_000, 2) && high(2_000_000, 1_900_000));
    assert!(high(1_001, 100) && !high(1_000, 100) && !high(1_001, 101));
    assert!(!high(200, 1), "what another wallet's rounding makes is no slip");
}

#[test]
fn an_absurd_gas_limit_hides_no_absurd_fee() {
    // 0.9 POKT, for which the gas that is asked for would be the price.
    let usual = usual_fee(900_000_000_000, 1);
    assert!(is_high(Amount::from_upokt(900_000), usual), "{usual}");
    assert_eq!(usual_fee(200_000, 1).upokt(), 1);
    assert_eq!(usual_fee(30_000_000, 3), usual_fee(90_000_000, 3));
    assert!(usual_fee(90_000_000, 9) > usual_fee(90_000_000, 3));
}

#[test]
fn powers_that_are_handed_over_are_marked() {
    let exec = ask("hearth-devnet", vec![inside(payment_of("pokt1boss"))], &key()).unwrap();
    let SignatureContent::Transaction(shown) = exec.content else {
        panic!("a text");
    };
    assert_eq!(shown.notes.len(), 1);
    assert_eq!(
        (shown.notes[0].code.as_str(), shown.notes[0].danger),
        ("in_name_of", true)
    );
    assert_eq!(shown.notes[0].values["accounts"], "pokt1boss");
}

#[test]
fn amounts_that_are_none_are_refused_and_foreign_signers_and_addresses_are_marked() {
    let paying = |amount: &str, from: &str, to: &str| {
        let payment = MsgSend {
            from_address: from.to_owned(),
            to_address: to.to_owned(),
            amount: vec![Coin {
                denom: "upokt".to_owned(),
                amount: amount.to_owned(),
            }],
        };
        ask("hearth-devnet", vec![payment.to_any()], &key())
    };
    let key = key();
    let me = key.address().as_str();
    // What no sum of the chain holds is refused as well, and what other readers could take for another amount.
    let too_large = "340282366920938463463374607431768211456";
    for wrong in ["-5", "5.5", "", "5upokt", "0005", "+5", "00", too_large] {
        let error = paying(wrong, me, "pokt1someone").unwrap_err().to_string();
        assert!(
            error.contains(&format!("\"{wrong}upokt\" in it is no amount")),
            "{error}"
        );
    }
    let notes = |wanted: Result<Wanted, ApiError>| {
        let SignatureContent::Transaction(shown) = wanted.unwrap().content else {
            panic!("a text");
        };
        let notes = shown.notes.into_iter();
        notes.map(|note| (note.code, note.danger)).collect::<Vec<_>>()
    };
    let cosmos = "cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0eh";
    assert_eq!(
        notes(paying("5", me, cosmos)),
        [("other_chain".to_owned(), false)]
    );
    assert_eq!(
        notes(paying("5", "pokt1boss", me)),
        [("other_signer".to_owned(), true)]
    );
    assert_eq!(notes(paying("5", me, me)), []);
}

#[test]
fn coins_that_are_none_and_sums_that_are_none_are_refused() {
    let coins = |coins: &[(&str, &str)]| {
        let coin = |(amount, denom): &(&str, &str)| Coin {
            denom: (*denom).to_owned(),
            amount: (*amount).to_owned(),
        };
        let payment = MsgSend {
            from_address: key().address().to_string(),
            to_address: "pokt1someone".to_owned(),
            amount: coins.iter().map(coin).collect(),
        };
        ask("hearth-devnet", vec![payment.to_any()], &key())
    };
    let most = u128::MAX.to_string();
    for denom in [
        "up okt",
        "upokt\u{7}",
        "u",
        " upokt",
        "1upokt",
        "",
        "upo\u{200b}kt",
    ] {
        let error = coins(&[("5", denom)]).unwrap_err().to_string();
        assert!(error.contains("in it is no amount"), "{denom:?}: {error}");
    }
    for fine in [("0", "upokt"), ("5", "ibc/27394FB0"), (most.as_str(), "upokt")] {
        assert!(coins(&[fine]).is_ok(), "{fine:?}");
    }
    let error = coins(&[(&most, "upokt"), ("1", "upokt")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("more than there can be"), "{error}");
}

#[test]
fn a_stake_for_a_stranger_is_counted_and_marked() {
    let stake = MsgStakeSupplier {
        signer: key().address().to_string(),
        owner_address: "pokt1thief".to_owned(),
        operator_address: "pokt1op".to_owned(),
        stake: Some(Coin::upokt(Amount::from_upokt(60_000))),
        services: Vec::new(),
    };
    let wanted = ask("hearth-devnet", vec![stake.to_any()], &key()).unwrap();
    let SignatureContent::Transaction(shown) = wanted.content else {
        panic!("a text");
    };
    assert_eq!(shown.sent.0.upokt(), 60_000);
    let [note] = shown.notes.as_slice() else {
        panic!("{:?}", shown.notes);
    };
    assert_eq!((note.code.as_str(), note.danger), ("stake_for", true));
    assert_eq!(
        (note.values["amount"].as_str(), note.values["owner"].as_str()),
        ("60000", "pokt1thief")
    );
}

#[test]
fn amino_is_named() {
    let wanted = NewSignature {
        document: Some(STANDARD.encode(r#"{"account_number":"1","fee":{},"msgs":[]}"#)),
        ..NewSignature::default()
    };
    let error = read(
        &wanted,
        key().address(),
        &key().public_key(),
        "x",
        &|_| false,
        &Before::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("amino-JSON"), "{error}");
}

#[test]
fn what_cannot_be_shown_or_is_not_ours_is_refused() {
    let unknown = Any {
        type_url: "/cosmos.gov.v1.MsgVote".to_owned(),
        value: vec![8, 1],
    };
    let mut hidden = payment();
    hidden.value.extend([0xba, 0x3e, 1, 7]);
    let other = SecretKey::from_bytes(&[4; 32]).unwrap();
    for (asked, why) in [
        (ask("pocket", vec![payment()], &key()), "chain \"pocket\""),
        (
            ask("hearth-devnet", vec![unknown.clone()], &key()),
            "a message that Hearth does not know: /cosmos.gov.v1.MsgVote",
        ),
        (
            ask("hearth-devnet", vec![inside(unknown)], &key()),
            "a message that Hearth does not know: /cosmos.gov.v1.MsgVote",
        ),
        (
            ask("hearth-devnet", vec![hidden], &key()),
            "cannot be shown whole",
        ),
        (ask("hearth-devnet", vec![payment()], &other), "its signer is not"),
    ] {
        let error = asked.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let text = |text: &str| {
        let wanted = NewSignature {
            text: Some(text.to_owned()),
            ..NewSignature::default()
        };
        read(
            &wanted,
            key().address(),
            &key().public_key(),
            "hearth-devnet",
            &|_| false,
            &Before::default(),
        )
    };
    assert!(text("I own this\naddress").is_ok());
    for hidden in [
        "\u{0}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{2028}", "\u{feff}",
    ] {
        assert!(text(&format!("pay{hidden} me")).is_err(), "{hidden:?}");
    }
    assert!(text(&"x".repeat(MAX_TEXT_BYTES + 1)).is_err());
    assert!(
        read(
            &NewSignature::default(),
            key().address(),
            &key().public_key(),
            "x",
            &|_| false,
            &Before::default()
        )
        .is_err()
    );
}
