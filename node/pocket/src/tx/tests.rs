//! Recorded transactions, rebuilt byte for byte.

use hearth_base::Amount;
use serde_json::Value;

use super::*;
use crate::{
    SecretKey,
    golden::{bytes, list, load, number, text},
    message::{application, cosmos},
};

fn plan(tx: &Value) -> Plan {
    let inputs = &tx["inputs"];
    let fee = match inputs["fee"].as_str() {
        Some("") => Vec::new(),
        // `1upokt`, but also other denominations.
        Some(fee) => {
            let digits = fee.len() - fee.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            vec![Coin {
                denom: fee[digits..].to_owned(),
                amount: fee[..digits].to_owned(),
            }]
        }
        None => serde_json::from_value(inputs["fee"].clone()).unwrap(),
    };
    Plan {
        messages: serde_json::from_value(tx["messages"].clone()).unwrap(),
        memo: text(&inputs["memo"]).to_owned(),
        timeout_height: inputs.get("timeout_height").map_or(0, number),
        timeout: inputs
            .get("timeout_timestamp")
            .and_then(|time| serde_json::from_value(time.clone()).unwrap()),
        replay: Replay::Ordered {
            sequence: number(&inputs["sequence"]),
        },
        fee,
        gas_limit: number(&inputs["gas"]),
    }
}

#[test]
fn what_is_to_be_signed_is_read_whole_or_refused() {
    let plan = Plan {
        messages: vec![cosmos::MsgSend::default().to_any()],
        memo: "hello".to_owned(),
        timeout_height: 7,
        timeout: None,
        replay: Replay::Ordered { sequence: 3 },
        fee: vec![Coin::upokt(Amount::from_upokt(5))],
        gas_limit: 100,
    };
    let (body, auth) = (plan.body(), plan.auth_info(&[2; 33]));
    let bytes = sign_bytes(&body.encode_to_vec(), &auth.encode_to_vec(), "chain", 9);
    let read = decode_sign_doc(&bytes).unwrap();
    assert_eq!((read.body, read.auth_info), (body.clone(), auth.clone()));
    assert_eq!((read.chain_id.as_str(), read.account_number), ("chain", 9));

    // A field that is not known would be signed without being shown.
    let mut hidden = body.encode_to_vec();
    hidden.extend([0xba, 0x3e, 1, 7]);
    let bytes = sign_bytes(&hidden, &auth.encode_to_vec(), "chain", 9);
    assert_eq!(decode_sign_doc(&bytes), Err(TxError::NotWhole));
    assert!(matches!(
        decode_sign_doc(&[1, 2, 3]),
        Err(TxError::Undecodable { .. })
    ));
}

#[test]
fn recorded_transactions_are_rebuilt_byte_for_byte() {
    let golden = load("chain_txs");
    let mut rebuilt = 0;
    for tx in list(&golden["transactions"])
        .iter()
        .chain(list(&golden["from_blocks"]))
    {
        let label = text(&tx["label"]);
        let account = &golden["accounts"][text(&tx["signer"])];
        let key = SecretKey::from_bytes(&bytes(&account["private_key"]).try_into().unwrap()).unwrap();
        assert_eq!(key.address().as_str(), text(&account["address"]), "{label}");
        assert_eq!(
            key.public_key().as_slice(),
            bytes(&tx["signer_public_key"]),
            "{label}"
        );

        let plan = plan(tx);
        // Refused ones among them are unordered with a sequence or without a moment, which a plan cannot say.
        let body = TxBody {
            unordered: tx["inputs"]["unordered"] == true,
            ..plan.body()
        };
        assert_eq!(
            hex::encode(body.encode_to_vec()),
            text(&tx["body_bytes"]),
            "{label}"
        );
        let auth_info = plan.auth_info(&key.public_key());
        assert_eq!(
            hex::encode(auth_info.encode_to_vec()),
            text(&tx["auth_info_bytes"]),
            "{label}"
        );

        let (chain_id, account_number) = (
            text(&tx["inputs"]["chain_id"]),
            number(&tx["inputs"]["account_number"]),
        );
        let doc = sign_bytes(
            &body.encode_to_vec(),
            &auth_info.encode_to_vec(),
            chain_id,
            account_number,
        );
        assert_eq!(hex::encode(&doc), text(&tx["sign_doc_bytes"]), "{label}");
        assert_eq!(hex::encode(hash(&doc)), text(&tx["sign_doc_sha256"]), "{label}");
        let signed = sign(&body, &auth_info, &key, chain_id, account_number).unwrap();
        let decoded = decode(&bytes(&tx["tx_raw"])).unwrap();
        assert_eq!(
            (&decoded.body, &decoded.auth_info),
            (&body, &auth_info),
            "{label}"
        );
        if tx["inputs"]["corrupt_signature"] == true {
            assert_ne!(hex::encode(signed.raw()), text(&tx["tx_raw"]));
            continue;
        }
        assert_eq!(hex::encode(signed.raw()), text(&tx["tx_raw"]), "{label}");
        assert_eq!(signed.hash_text(), text(&tx["tx_hash"]), "{label}");
        assert_eq!(
            serde_json::to_value(&plan.messages)
                .unwrap()
                .as_array()
                .unwrap()
                .len(),
            plan.messages.len()
        );
        rebuilt += 1;
    }
    assert_eq!(rebuilt, 165);
}

#[test]
fn an_unordered_plan_has_no_sequence() {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let until = Timestamp::from_unix_nanos(1_700_000_000_000_000_001);
    let send = cosmos::MsgSend {
        from_address: key.address().to_string(),
        to_address: key.address().to_string(),
        amount: vec![Coin::upokt(Amount::from_upokt(1))],
    };
    let plan = Plan {
        replay: Replay::Unordered { until },
        ..Plan::ordered(vec![send.to_any()], 9)
    };
    let decoded = decode(plan.sign(&key, "chain", 3).unwrap().raw()).unwrap();
    assert!(decoded.body.unordered);
    assert_eq!(decoded.body.timeout_timestamp, Some(until));
    assert_eq!(decoded.auth_info.signer_infos[0].sequence, 0);
    assert_eq!(
        decoded.body.messages[0].unpack::<cosmos::MsgSend>(),
        Some(Ok(send))
    );
    assert!(
        decoded.body.messages[0]
            .unpack::<application::MsgUnstakeApplication>()
            .is_none()
    );
    // The simulation gets the same bytes, less the signature.
    let unsigned = decode(&plan.unsigned(&key.public_key())).unwrap();
    assert_eq!(
        (unsigned.body, unsigned.auth_info),
        (decoded.body, decoded.auth_info)
    );
}
