//! The devnet as its clients see it: over HTTP and WebSocket, with a light client, after restarts and with faults.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::{Amount, Tasks};
use ics23::{
    CommitmentProof, HostFunctionsManager, commitment_proof::Proof, iavl_spec, tendermint_spec,
    verify_membership, verify_non_membership,
};
use prost13::Message as _;
use serde_json::{Value, json};
use tendermint::{
    block::signed_header::SignedHeader,
    validator::{Info, Set},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict, Verifier,
    options::Options,
    types::{TrustThreshold, TrustedBlockState, UntrustedBlockState},
};

use super::golden::{self, text};
use crate::{Account, BlockTime, Blocks, Config, ConfigError, Devnet, Error, Fault, Genesis, Params};

pub(super) fn config(folder: &Path) -> Config {
    Config::for_tests(folder.join("chain.db"), Tasks::root())
}

pub(super) async fn start(folder: &Path) -> Devnet {
    Devnet::start(config(folder)).await.unwrap()
}

pub(super) async fn post(devnet: &Devnet, body: &Value) -> Value {
    hearth_base::tls::init();
    let answer = reqwest::Client::new()
        .post(devnet.rpc_url())
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    answer.json().await.unwrap()
}

pub(super) async fn call(devnet: &Devnet, method: &str, params: Value) -> Result<Value, Value> {
    let answer = post(
        devnet,
        &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}),
    )
    .await;
    assert_eq!(answer["id"], 7);
    match answer.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(answer["result"].clone()),
    }
}

/// A header with its commit and validators, as a light client fetches them.
async fn light_block(devnet: &Devnet, height: u64) -> (SignedHeader, Set) {
    let commit = call(devnet, "commit", json!({"height": height.to_string()}))
        .await
        .unwrap();
    let validators = call(devnet, "validators", json!({"height": height.to_string()}))
        .await
        .unwrap();
    let infos: Vec<Info> = serde_json::from_value(validators["validators"].clone()).unwrap();
    (
        serde_json::from_value(commit["signed_header"].clone()).unwrap(),
        Set::without_proposer(infos),
    )
}

async fn verify(devnet: &Devnet, trusted: u64, target: u64) -> Verdict {
    let (known, known_set) = light_block(devnet, trusted).await;
    let (new, new_set) = light_block(devnet, target).await;
    let options = Options {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: Duration::from_secs(14 * 24 * 3600),
        clock_drift: Duration::from_secs(30),
    };
    let header = known.header();
    ProdVerifier::default().verify_update_header(
        UntrustedBlockState {
            signed_header: &new,
            validators: &new_set,
            next_validators: None,
        },
        TrustedBlockState {
            chain_id: &header.chain_id,
            header_time: header.time,
            height: header.height,
            next_validators: &known_set,
            next_validators_hash: header.next_validators_hash,
        },
        &options,
        (new.header().time + Duration::from_secs(1)).unwrap(),
    )
}

#[tokio::test]
async fn a_light_client_follows_in_steps_and_in_leaps() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet
        .faucet(&devnet.accounts()[0].address.clone(), Amount::from_upokt(5))
        .unwrap();
    devnet.produce(60).await.unwrap();
    assert_eq!(devnet.trust().height.0, 1);
    for (trusted, target) in [(1, 2), (2, 3), (1, 40), (3, 61)] {
        assert_eq!(
            verify(&devnet, trusted, target).await,
            Verdict::Success,
            "{trusted} to {target}"
        );
    }
    devnet.fault(Fault::WrongSignature, None);
    assert_ne!(verify(&devnet, 1, 30).await, Verdict::Success);
    devnet.clear_faults();
    devnet.fault(Fault::ForgedHeader, None);
    assert_ne!(verify(&devnet, 1, 30).await, Verdict::Success);
    devnet.clear_faults();
    assert_eq!(verify(&devnet, 1, 30).await, Verdict::Success);
}

/// A proven answer: value and the two proofs, checked against the header after it.
async fn proven(devnet: &Devnet, store: &str, key: &[u8], height: u64) -> Option<Vec<u8>> {
    let params = json!({
        "path": format!("store/{store}/key"), "data": hex::encode(key), "height": height.to_string(), "prove": true
    });
    let response = call(devnet, "abci_query", params).await.unwrap()["response"].clone();
    assert_eq!(response["code"], 0, "{response}");
    assert_eq!(text(&response["height"]), height.to_string());
    let (header, _) = light_block(devnet, height + 1).await;
    let ops = response["proofOps"]["ops"].as_array().unwrap();
    let proof = |op: &Value| {
        CommitmentProof::decode(STANDARD.decode(text(&op["data"])).unwrap().as_slice()).unwrap_or_default()
    };
    assert_eq!(
        [text(&ops[0]["type"]), text(&ops[1]["type"])],
        ["ics23:iavl", "ics23:simple"]
    );
    let of_store = proof(&ops[1]);
    let Some(Proof::Exist(exist)) = &of_store.proof else {
        panic!("{of_store:?}")
    };
    let root = exist.value.clone();
    let app_hash = header.header().app_hash.as_bytes().to_vec();
    let held = verify_membership::<HostFunctionsManager>(
        &of_store,
        &tendermint_spec(),
        &app_hash,
        store.as_bytes(),
        &root,
    );
    assert!(held, "{store} is not under the app hash");
    let value = STANDARD.decode(text(&response["value"])).unwrap();
    let in_store = proof(&ops[0]);
    let held = if value.is_empty() {
        verify_non_membership::<HostFunctionsManager>(&in_store, &iavl_spec(), &root, key)
    } else {
        verify_membership::<HostFunctionsManager>(&in_store, &iavl_spec(), &root, key, &value)
    };
    held.then_some(value)
}

#[tokio::test]
async fn state_is_proven_present_and_absent() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let owner = Account::named("somebody", Amount::ZERO);
    devnet.faucet(&owner.address, Amount::from_upokt(1234)).unwrap();
    devnet.produce(5).await.unwrap();
    let account = crate::address::parse(&owner.address).unwrap();
    let key = crate::keys::balance(&account, "upokt");
    assert_eq!(
        proven(&devnet, "bank", &key, 4).await.as_deref(),
        Some(&b"1234"[..])
    );
    for (store, absent) in [
        ("bank", &b"zzz"[..]),
        ("acc", b"\x01nobody"),
        ("proof", b"Claim/"),
        ("shared", b"A"),
    ] {
        assert_eq!(
            proven(&devnet, store, absent, 4).await.as_deref(),
            Some(&b""[..]),
            "{store}"
        );
    }
    for height in 1..=4 {
        let hash = proven(&devnet, "session", &crate::keys::block_hash(height), 5)
            .await
            .unwrap();
        assert_eq!(
            hash,
            light_block(&devnet, height).await.0.header().hash().as_bytes()
        );
    }
    devnet.fault(Fault::WrongProof, Some(1));
    assert_eq!(proven(&devnet, "bank", &key, 4).await, None);
    devnet.fault(Fault::WrongValue, Some(1));
    assert_eq!(proven(&devnet, "bank", &key, 4).await, None);
    assert!(proven(&devnet, "bank", &key, 4).await.is_some());
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let somebody = Account::named("somebody", Amount::ZERO);
    devnet.faucet(&somebody.address, Amount::from_upokt(7)).unwrap();
    devnet.produce(30).await.unwrap();
    let before = call(&devnet, "commit", json!({"height": "31"})).await.unwrap();
    devnet.stop();
    devnet.join().await;
    let devnet = start(folder.path()).await;
    assert_eq!(devnet.height().0, 31);
    assert_eq!(
        call(&devnet, "commit", json!({"height": "31"})).await.unwrap(),
        before
    );
    devnet.produce(3).await.unwrap();
    // The state from before is the one that the block after the restart commits to.
    assert_eq!(verify(&devnet, 31, 32).await, Verdict::Success);
    let key = crate::keys::balance(&crate::address::parse(&somebody.address).unwrap(), "upokt");
    for height in [5, 31, 32] {
        assert_eq!(
            proven(&devnet, "bank", &key, height).await.as_deref(),
            Some(&b"7"[..]),
            "{height}"
        );
    }
    let other = Config {
        chain_id: "another".into(),
        ..config(folder.path())
    };
    devnet.stop();
    devnet.join().await;
    assert!(matches!(
        Devnet::start(other).await,
        Err(Error::OtherChain { .. })
    ));
}

/// A block that is cut off anywhere is either whole or not there.
#[tokio::test]
async fn a_block_cut_off_midway_leaves_a_whole_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut height = 1;
    for micros in (0..16).map(|round| round * 400) {
        let devnet = start(folder.path()).await;
        assert!(devnet.height().0 >= height, "{} after {height}", devnet.height());
        height = devnet.height().0;
        devnet
            .faucet(&devnet.accounts()[0].address.clone(), Amount::from_upokt(1))
            .unwrap();
        let _ = tokio::time::timeout(Duration::from_micros(micros), devnet.produce(3)).await;
        // No orderly end: the next round opens the file as a crash left it.
        devnet.stop();
    }
    let devnet = start(folder.path()).await;
    let last = devnet.produce(2).await.unwrap();
    for target in last.0.saturating_sub(8).max(2)..=last.0 {
        assert_eq!(
            verify(&devnet, target - 1, target).await,
            Verdict::Success,
            "{target}"
        );
    }
}

#[tokio::test]
async fn old_state_is_folded_and_the_chain_still_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet.produce(1_050).await.unwrap();
    devnet.stop();
    devnet.join().await;
    let devnet = start(folder.path()).await;
    devnet.produce(2).await.unwrap();
    assert_eq!(verify(&devnet, 1_051, 1_052).await, Verdict::Success);
    let hash = proven(&devnet, "session", &crate::keys::block_hash(3), 1_050).await;
    assert_eq!(hash.map(|hash| hash.len()), Some(32));
    let params = json!({"path": "store/bank/key", "data": "00", "height": "10", "prove": true});
    assert_eq!(
        call(&devnet, "abci_query", params).await.unwrap()["response"]["code"],
        7
    );
}

#[tokio::test]
async fn blocks_come_by_themselves_and_the_faucet_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = Genesis::with_actors(Params::for_tests(), &["http://127.0.0.1:1".to_owned()]);
    let config = Config {
        blocks: Blocks::Every(Duration::from_millis(50)),
        genesis,
        ..config(folder.path())
    };
    let devnet = Devnet::start(config).await.unwrap();
    let somebody = Account::named("somebody", Amount::ZERO);
    let params = json!({"address": somebody.address, "amount": "5000000"});
    let paid = call(&devnet, "devnet_faucet", params).await.unwrap();
    assert!(golden::number(&paid["height"]) > 1, "{paid}");
    let application = devnet
        .accounts()
        .iter()
        .find(|account| account.name == "application")
        .unwrap();
    let request = hearth_pocket::message::session::QueryGetSessionRequest {
        application_address: application.address.clone(),
        service_id: "ai-inference".to_owned(),
        block_height: 0,
    };
    let data = hex::encode(prost::Message::encode_to_vec(&request));
    let params = json!({"path": "/pocket.session.Query/GetSession", "data": data});
    let session = call(&devnet, "abci_query", params).await.unwrap();
    assert_eq!(session["response"]["code"], 0, "{session}");
    devnet.stop();
    tokio::time::timeout(Duration::from_secs(5), devnet.join())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut Config)| {
        let mut config = config(folder.path());
        change(&mut config);
        config.check().unwrap_err()
    };
    assert_eq!(
        refused(|config| config.chain_id = "pocket".into()),
        ConfigError::MainNetworkId
    );
    assert_eq!(
        refused(|config| config.blocks = Blocks::Every(Duration::ZERO)),
        ConfigError::TooFast
    );
    assert!(matches!(
        refused(|config| config.genesis.params.shared.claim_window_open_offset_blocks = 0),
        ConfigError::Params(_)
    ));
    let devnet = start(folder.path()).await;
    let taken = devnet.rpc_url().trim_start_matches("http://").parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let config = Config {
        listen: taken,
        ..config(other.path())
    };
    assert!(matches!(Devnet::start(config).await, Err(Error::Listen { .. })));
}

#[tokio::test]
async fn simulated_time_goes_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let time = BlockTime::Simulated {
        start_ms: 1_800_000_000_000,
        step: Duration::from_secs(60),
    };
    let devnet = Devnet::start(Config {
        time,
        ..config(folder.path())
    })
    .await
    .unwrap();
    devnet.produce(2).await.unwrap();
    let (third, _) = light_block(&devnet, 3).await;
    assert_eq!(third.header().time.unix_timestamp(), 1_800_000_120);
    assert!(devnet.network_toml().contains("chain_id = \"hearth-devnet\""));
}
