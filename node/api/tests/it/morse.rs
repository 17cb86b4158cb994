//! Claims of the former network over the embedded chain, with keys that the real program exported.

use std::time::Duration;

use hearth_api::{
    ApiError,
    control::types::{
        ClaimMorse, Direction, MorseClaimAs, MorseKeyFile, MorseState, Movement, MovementKind, RoleName,
        RoleOrder, RoleReview, ServiceOffer, SignedMorseClaim, TransactionState, Trust, Upokt,
    },
    parts::{HistoryFilter, Money, Roles, Window, adapters::ChainRoles},
};
use hearth_base::Amount;
use hearth_devnet::Genesis;
use hearth_pocket::{
    Address,
    message::{Coin, migration::MorseClaimableAccount, shared::Service},
};
use hearth_wallet::{ForeignKey, Naming, Purpose};
use serde_json::Value;

use crate::money::World;

const PASSWORD: &str = "correct horse";

fn pokt(n: u128) -> Amount {
    Amount::from_upokt(n * Amount::UPOKT_PER_POKT)
}

fn exports() -> Vec<Value> {
    let text = include_str!("../../../../tests/vectors/morse_keys.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    golden["exports"].as_array().unwrap().clone()
}

/// A key of the former network as it was exported, and its address.
fn key(n: usize) -> (MorseKeyFile, String) {
    let text = |name: &str| exports()[n][name].as_str().unwrap().to_owned();
    let file = MorseKeyFile {
        key: text("file"),
        passphrase: text("passphrase"),
    };
    (file, text("address"))
}

fn former(n: usize, free: u128, supplier: u128, application: u128) -> MorseClaimableAccount {
    MorseClaimableAccount {
        morse_src_address: key(n).1,
        unstaked_balance: Coin::upokt(pokt(free)),
        supplier_stake: Coin::upokt(pokt(supplier)),
        application_stake: Coin::upokt(pokt(application)),
        ..MorseClaimableAccount::default()
    }
}

/// An account, an application, a node that its owner owns, and that owner.
fn begin(genesis: &mut Genesis) {
    genesis.morse_accounts = vec![
        former(0, 1_000, 0, 0),
        former(1, 7, 0, 150),
        MorseClaimableAccount {
            morse_output_address: key(3).1,
            ..former(2, 2, 3, 0)
        },
        former(3, 1, 0, 0),
    ];
    genesis.services.push(Service {
        id: "svc".to_owned(),
        name: "A service".to_owned(),
        compute_units_per_relay: 10,
        owner_address: genesis.accounts[0].address.clone(),
        metadata: None,
    });
}

async fn world(begin: impl FnOnce(&mut Genesis)) -> (World, ChainRoles) {
    let world = World::on(|wallet| drop(wallet.create(PASSWORD).unwrap()), begin).await;
    let roles = world.roles();
    (world, roles)
}

fn wanted(n: usize, to: Option<&str>, claim: MorseClaimAs) -> ClaimMorse {
    ClaimMorse {
        key: key(n).0,
        to: to.map(str::to_owned),
        claim,
    }
}

fn as_node(n: usize, node: Option<usize>) -> ClaimMorse {
    let claim = MorseClaimAs::Supplier {
        node: node.map(|node| key(node).1.to_lowercase()),
        operator: None,
        services: vec![ServiceOffer {
            service: "svc".to_owned(),
            url: "http://127.0.0.1:4328".to_owned(),
            shares: Vec::new(),
        }],
    };
    wanted(n, None, claim)
}

async fn signed(roles: &ChainRoles, wanted: ClaimMorse) -> RoleOrder {
    roles.claim_morse(wanted).await.unwrap().order
}

/// Why a claim is not sent.
async fn refusal(roles: &ChainRoles, wanted: ClaimMorse) -> ApiError {
    let order = match roles.claim_morse(wanted).await {
        Ok(SignedMorseClaim { order, .. }) => order,
        Err(error) => return error,
    };
    roles.review(&order).await.unwrap_err()
}

/// Looks at a claim, sends it and waits until its block is proven.
async fn claims(world: &World, roles: &ChainRoles, wanted: ClaimMorse) -> RoleReview {
    let order = signed(roles, wanted).await;
    let review = roles.review(&order).await.unwrap();
    let sent = roles.send(&order, &review).await.unwrap();
    let [one] = sent.transactions.as_slice() else {
        panic!("{sent:?}")
    };
    assert!(
        matches!(one.state, TransactionState::Placed | TransactionState::Included),
        "{one:?}"
    );
    let at = one.height.unwrap();
    let mut head = world.chain.head();
    head.wait_for(|head| head.verified_height.0 > at).await.unwrap();
    review
}

async fn balance(world: &World, address: &Address) -> Amount {
    world.chain.balance(address).await.unwrap().into_value()
}

fn main_account(world: &World) -> Address {
    world.wallet.address(Purpose::Owner).unwrap()
}

fn notes(review: &RoleReview) -> Vec<&str> {
    review.notes.iter().map(|note| note.code.as_str()).collect()
}

/// What the history says of claims.
async fn claimed(world: &World) -> Vec<Movement> {
    let all = Window {
        limit: 100,
        offset: 0,
    };
    let filter = HistoryFilter {
        kinds: vec![MovementKind::Morse],
        ..HistoryFilter::default()
    };
    let found = async {
        loop {
            let history = world.money.history(all, &filter).await.unwrap();
            if !history.movements.is_empty() {
                return history.movements;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_of_morse_has_is_claimed_once() {
    let (world, roles) = world(begin).await;
    let (file, address) = key(0);
    let before = roles.open_morse(file).await.unwrap();
    assert_eq!(
        (before.address.as_str(), before.state),
        (address.as_str(), MorseState::Claimable)
    );
    assert_eq!((before.balance, before.staked_as), (Upokt(pokt(1_000)), None));
    assert_eq!(before.standing.trust, Trust::Proven);
    let owner = main_account(&world);
    let had = balance(&world, &owner).await;

    // Nothing of the key is in what is reviewed and kept.
    let order = signed(&roles, wanted(0, None, MorseClaimAs::Account)).await;
    let secret = exports()[0]["secret"].as_str().unwrap().to_owned();
    let text = serde_json::to_string(&order).unwrap();
    assert!(!text.contains(&secret[..64]), "{text}");
    let review = roles.review(&order).await.unwrap();
    assert_eq!(notes(&review), ["morse_comes"], "{review:?}");
    assert_eq!(review.notes[0].values["amount"], "1000000000");
    assert_eq!(review.steps[0].account, owner.to_string());
    assert_eq!(review.total, Upokt(Amount::ZERO));

    claims(&world, &roles, wanted(0, Some("main"), MorseClaimAs::Account)).await;
    let has = balance(&world, &owner).await;
    let fee = had.saturating_add(pokt(1_000)).checked_sub(has).unwrap();
    assert!(!fee.is_zero() && fee < pokt(1), "{fee}");
    let [movement] = claimed(&world).await.try_into().unwrap();
    assert_eq!(
        (movement.direction, movement.amount, movement.counterparty),
        (Direction::In, Upokt(pokt(1_000)), None)
    );
    let after = roles.morse(&address.to_lowercase()).await.unwrap();
    assert_eq!(
        (after.state, after.claimed_by),
        (MorseState::Claimed, Some(owner.to_string()))
    );
    assert!(after.claimed_height.is_some());
    let again = refusal(&roles, wanted(0, None, MorseClaimAs::Account)).await;
    assert_eq!(again.code, "morse_claimed", "{again}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_staked_is_claimed_as_what_it_was_staked_for() {
    let (world, roles) = world(begin).await;
    let application = |service: &str| MorseClaimAs::Application {
        service: service.to_owned(),
    };
    for (order, code) in [
        (wanted(0, None, application("svc")), "morse_not_staked"),
        (wanted(1, None, MorseClaimAs::Account), "morse_staked"),
        (wanted(1, None, application("none")), "no_service"),
        (as_node(1, None), "morse_staked"),
        // The node's own key claims it only once its owner was claimed, and nobody else's does at all.
        (as_node(2, None), "morse_owner_first"),
        (as_node(0, Some(2)), "morse_other_key"),
    ] {
        let refused = refusal(&roles, order).await;
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.detail().remedy.is_some(), "{refused}");
    }

    let review = claims(&world, &roles, wanted(1, None, application("svc"))).await;
    assert_eq!(notes(&review), ["morse_comes", "morse_stake_stays"]);
    let page = roles.page().await.unwrap();
    let staked = page.application.unwrap();
    assert_eq!(
        (staked.stake, staked.services),
        (Upokt(pokt(150)), vec!["svc".to_owned()])
    );

    let node = roles.morse(&key(2).1).await.unwrap();
    assert_eq!(
        (node.staked_as, node.stake, node.owner),
        (Some(RoleName::Supplier), Upokt(pokt(3)), Some(key(3).1))
    );
    // The owner of the node claims it for who owns here.
    claims(&world, &roles, as_node(3, Some(2))).await;
    let page = roles.page().await.unwrap();
    let supplier = page.supplier.unwrap();
    assert_eq!((supplier.stake, supplier.is_own), (Upokt(pokt(3)), true));
    assert_eq!(supplier.owner, main_account(&world).to_string());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_key_claims_it_for_whom_its_owner_was_claimed() {
    let (world, roles) = world(begin).await;
    claims(&world, &roles, wanted(3, Some("operator"), MorseClaimAs::Account)).await;
    let elsewhere = refusal(&roles, as_node(2, None)).await;
    assert_eq!(elsewhere.code, "morse_owner_elsewhere", "{elsewhere}");
    let to = ClaimMorse {
        to: Some("operator".to_owned()),
        ..as_node(2, None)
    };
    let review = claims(&world, &roles, to).await;
    assert_eq!(notes(&review), ["morse_comes", "morse_stake_stays"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waived_fee_is_not_taken_and_claims_that_are_off_are_refused() {
    let (world, roles) = world(|genesis| {
        begin(genesis);
        genesis.params.migration.waive_morse_claim_gas_fees = true;
    })
    .await;
    let owner = main_account(&world);
    let had = balance(&world, &owner).await;
    let review = claims(&world, &roles, wanted(0, None, MorseClaimAs::Account)).await;
    assert_eq!(notes(&review), ["morse_comes", "free"]);
    assert_eq!(balance(&world, &owner).await, had.saturating_add(pokt(1_000)));
    world.stop().await;

    let (off, roles) = self::world(|genesis| {
        begin(genesis);
        genesis.params.migration.morse_account_claiming_enabled = false;
    })
    .await;
    assert!(!roles.morse(&key(0).1).await.unwrap().is_enabled);
    let refused = refusal(&roles, wanted(0, None, MorseClaimAs::Account)).await;
    assert_eq!(refused.code, "morse_disabled", "{refused}");
    off.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_claims_of_others_are_refused() {
    let (world, roles) = world(begin).await;
    let (file, address) = key(0);
    let opened = |key: &str, passphrase: &str| MorseKeyFile {
        key: key.to_owned(),
        passphrase: passphrase.to_owned(),
    };
    for (file, code) in [
        (opened(&file.key, "another"), "morse_passphrase"),
        (opened("{\"kdf\":\"scrypt\"}", ""), "morse_key_wrong"),
        (opened(&"[".repeat(100_000), ""), "morse_key_wrong"),
        (
            opened(&file.key.replace("scrypt", "argon2"), ""),
            "morse_key_wrong",
        ),
    ] {
        assert_eq!(roles.open_morse(file).await.unwrap_err().code, code);
    }
    assert_eq!(roles.morse("../x").await.unwrap_err().code, "morse_address_wrong");
    let nobody = roles.morse(&"AB".repeat(20)).await.unwrap();
    assert_eq!(nobody.state, MorseState::Unknown);
    let to = refusal(&roles, wanted(0, Some("nobody"), MorseClaimAs::Account)).await;
    assert_eq!(to.code, "no_account", "{to}");

    // A key that this network does not know, as of another network.
    let none = ClaimMorse {
        key: opened(&hex_key(9), ""),
        ..wanted(0, None, MorseClaimAs::Account)
    };
    assert_eq!(refusal(&roles, none).await.code, "morse_unknown");

    let RoleOrder::ClaimMorse { claim } = signed(&roles, wanted(0, None, MorseClaimAs::Account)).await else {
        panic!("another order")
    };
    let changed = |name: &str, value: Value| {
        let mut claim = claim.clone();
        claim[name] = value;
        RoleOrder::ClaimMorse { claim }
    };
    let code = async |order: RoleOrder| roles.review(&order).await.unwrap_err().code;
    // Signed by whoever is no account here, by a key that signs unattended, and with another's money.
    let other = world.wallet.address(Purpose::Operator).unwrap().to_string();
    assert_eq!(
        code(changed("shannon_signing_address", other.clone().into())).await,
        "morse_signer"
    );
    let nobody = world.wallet.add(
        &ForeignKey::hex(&"09".repeat(32)).unwrap(),
        &Naming::of(&[]),
        PASSWORD,
    );
    let nobody = nobody.unwrap().address.to_string();
    assert_eq!(
        code(changed("shannon_dest_address", nobody.into())).await,
        "chain_refused"
    );
    assert_eq!(
        code(changed("@type", "/cosmos.bank.v1beta1.MsgSend".into())).await,
        "morse_claim_wrong"
    );
    assert_eq!(
        code(RoleOrder::ClaimMorse { claim: Value::Null }).await,
        "morse_claim_wrong"
    );
    assert_eq!(roles.morse(&address).await.unwrap().state, MorseState::Claimable);
    world.stop().await;
}

/// A key that nobody has, as it is exported raw.
fn hex_key(byte: u8) -> String {
    let seed = [byte; 32];
    let key = ed25519_consensus::SigningKey::from(seed);
    hex::encode([seed, key.verification_key().to_bytes()].concat())
}
