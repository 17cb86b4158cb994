//! What the recordings do not hold: claims of the former network, grants that are missing, over or taken back, single
//! parameters, and transfers to somebody who is an application already. Codes and texts are those of the source of the
//! real chain (`x/migration`, `x/application`, the SDK's `x/authz`), and where it could be run, of its answers.

use std::sync::Arc;

use ed25519_consensus::SigningKey;
use hearth_pocket::message::{
    Any, Timestamp, TypeUrl,
    application::{Application, MsgStakeApplication, MsgTransferApplication, MsgUnstakeApplication},
    cosmos::{GenericAuthorization, Grant, MsgExec, MsgGrant, MsgRevoke, MsgSend},
    migration::{
        MorseClaimableAccount, MsgClaimMorseAccount, MsgClaimMorseApplication, MsgClaimMorseSupplier,
    },
    shared::{
        self, ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, SupplierEndpoint,
        SupplierServiceConfig,
    },
};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    Genesis, Params, address,
    ctx::Ctx,
    error::TxError,
    machine::{self, Block},
    modules::{amount, application, bank, migration, params, service, supplier, upokt},
    msg::Msg,
    state::StoreName,
};

const POKT: u128 = 1_000_000;
/// The genesis of the tests has no services; this one is added.
const SERVICE: &str = "svc";

fn account(n: u8) -> String {
    address::text(&[n; 20])
}

/// A state with a service and money for the first accounts.
fn ctx() -> Ctx {
    let mut state = Genesis::minimal(Params::for_tests()).state();
    let made = Service {
        id: SERVICE.to_owned(),
        compute_units_per_relay: 1,
        owner_address: account(9),
        ..Service::default()
    };
    service::put(&mut state, &made);
    for n in 1..9 {
        crate::modules::auth::ensure(&mut state, &[n; 20]);
        bank::endow(&mut state, &[n; 20], 1_000 * POKT);
    }
    Ctx {
        state: state.at(2),
        height: 2,
        time_ns: 1_795_251_527_000_000_000,
        chain_id: Arc::from("hearth-devnet"),
        proposer: [0; 20],
        events: Vec::new(),
    }
}

/// A message as a block executes it.
fn run<M: TypeUrl>(ctx: &mut Ctx, message: &M) -> Result<(), TxError> {
    run_any(ctx, &message.to_any())
}

fn run_any(ctx: &mut Ctx, any: &Any) -> Result<(), TxError> {
    let msg = Msg::decode(any)?;
    msg.validate_basic()?;
    ctx.events.clear();
    msg.execute(ctx).map(drop)
}

fn kinds(ctx: &Ctx) -> Vec<&str> {
    let typed = ctx
        .events
        .iter()
        .filter(|event| event.kind.starts_with("pocket."));
    typed
        .map(|event| event.kind.rsplit('.').next().unwrap())
        .collect()
}

/// The height moves on without transactions.
fn until(ctx: &mut Ctx, height: u64) {
    while ctx.height < height {
        ctx.height += 1;
        let block = Block {
            height: ctx.height,
            time_ns: ctx.time_ns,
            hash: [7; 32],
            chain_id: Arc::clone(&ctx.chain_id),
            proposer: ctx.proposer,
            txs: &[],
        };
        let executed = machine::execute(ctx.state.at(ctx.height), &block);
        ctx.state = executed.state;
        ctx.events = executed.events;
    }
}

fn morse_key(n: u8) -> SigningKey {
    SigningKey::from([n; 32])
}

fn morse_address(n: u8) -> String {
    let public = morse_key(n).verification_key().to_bytes();
    hex::encode_upper(&Sha256::digest(public)[..20])
}

/// A former account with so many POKT: free, staked as a supplier, staked as an application.
fn former(ctx: &mut Ctx, n: u8, [free, supplier, application]: [u128; 3]) -> MorseClaimableAccount {
    let coin = |amount: u128| upokt(amount * POKT);
    let found = MorseClaimableAccount {
        morse_src_address: morse_address(n),
        unstaked_balance: coin(free),
        supplier_stake: coin(supplier),
        application_stake: coin(application),
        unstaking_time: Timestamp {
            seconds: -62_135_596_800,
            nanos: 0,
        },
        ..MorseClaimableAccount::default()
    };
    migration::put(&mut ctx.state, &found);
    found
}

fn claim_account(n: u8, to: &str) -> MsgClaimMorseAccount {
    let mut claim = MsgClaimMorseAccount {
        shannon_dest_address: to.to_owned(),
        shannon_signing_address: account(1),
        morse_public_key: morse_key(n).verification_key().to_bytes().to_vec(),
        morse_signature: Vec::new(),
    };
    claim.morse_signature = morse_key(n).sign(&claim.encode_to_vec()).to_bytes().to_vec();
    claim
}

fn claim_application(n: u8, to: &str) -> MsgClaimMorseApplication {
    let mut claim = MsgClaimMorseApplication {
        shannon_dest_address: to.to_owned(),
        shannon_signing_address: account(1),
        service_config: Some(ApplicationServiceConfig {
            service_id: SERVICE.to_owned(),
        }),
        morse_public_key: morse_key(n).verification_key().to_bytes().to_vec(),
        morse_signature: Vec::new(),
    };
    claim.morse_signature = morse_key(n).sign(&claim.encode_to_vec()).to_bytes().to_vec();
    claim
}

/// A claim of the node `node`, signed by the former key `by`.
fn claim_supplier(node: u8, by: u8, owner: &str, operator: &str) -> MsgClaimMorseSupplier {
    let mut claim = MsgClaimMorseSupplier {
        shannon_owner_address: owner.to_owned(),
        shannon_operator_address: operator.to_owned(),
        morse_node_address: morse_address(node),
        services: vec![SupplierServiceConfig {
            service_id: SERVICE.to_owned(),
            endpoints: vec![SupplierEndpoint {
                url: "https://home.example".to_owned(),
                rpc_type: RpcType::Rest.into(),
                configs: Vec::new(),
            }],
            rev_share: vec![ServiceRevenueShare {
                address: owner.to_owned(),
                rev_share_percentage: 100,
            }],
        }],
        shannon_signing_address: account(1),
        morse_public_key: morse_key(by).verification_key().to_bytes().to_vec(),
        signer_is_output_address: node != by,
        morse_signature: Vec::new(),
    };
    claim.morse_signature = morse_key(by).sign(&claim.encode_to_vec()).to_bytes().to_vec();
    claim
}

fn balance(ctx: &Ctx, n: u8) -> u128 {
    bank::balance(&ctx.state, &[n; 20], "upokt")
}

#[test]
fn a_former_account_is_claimed_once_by_its_key() {
    let mut ctx = ctx();
    former(&mut ctx, 1, [7, 0, 0]);
    former(&mut ctx, 2, [7, 0, 5]);
    former(&mut ctx, 3, [7, 5, 0]);
    let mut forged = claim_account(1, &account(4));
    forged.shannon_dest_address = account(5);
    let error = run(&mut ctx, &forged).unwrap_err();
    assert_eq!((error.codespace.as_str(), error.code), ("migration", 1108));
    assert!(error.log.ends_with(&format!(
        "is invalid for Morse address ({}): invalid morse signature",
        morse_address(1)
    )));
    forged.morse_signature.pop();
    let error = run(&mut ctx, &forged).unwrap_err();
    let text = "invalid morse signature length; expected 64, got 63: invalid morse signature";
    assert_eq!(error.log, text);
    // A key that is none is no panic here.
    forged.morse_public_key = vec![1, 2, 3];
    forged.morse_signature = vec![0; 64];
    assert_eq!(run(&mut ctx, &forged).unwrap_err().code, 1108);

    let claim = claim_account(1, &account(4));
    run(&mut ctx, &claim).unwrap();
    assert_eq!(balance(&ctx, 4), 1_007 * POKT);
    assert_eq!(kinds(&ctx), ["EventMorseAccountClaimed"]);
    let again = run(&mut ctx, &claim).unwrap_err();
    let text = format!(
        "rpc error: code = FailedPrecondition desc = morse address {:?} has already been claimed at height 2 by shannon \
         address {:?}: unable to claim morse account",
        morse_address(1),
        account(4)
    );
    assert_eq!(
        (again.code, again.codespace.as_str(), again.log),
        (1, "undefined", text)
    );
    for (n, words) in [
        (
            2,
            "is staked as an application, please use `pocketd tx migration claim-application` instead",
        ),
        (
            3,
            "is staked as an supplier, please use `pocketd tx migration claim-supplier` instead",
        ),
        (4, "no morse claimable account exists with address"),
    ] {
        let error = run(&mut ctx, &claim_account(n, &account(4))).unwrap_err();
        assert!(error.log.contains(words), "{n}: {}", error.log);
    }
}

#[test]
fn a_former_application_is_staked_again_where_its_stake_suffices() {
    let mut ctx = ctx();
    former(&mut ctx, 1, [7, 0, 300]);
    former(&mut ctx, 2, [1, 0, 99]);
    former(&mut ctx, 3, [1, 0, 0]);
    run(&mut ctx, &claim_application(1, &account(4))).unwrap();
    assert_eq!(
        kinds(&ctx),
        ["EventApplicationStaked", "EventMorseApplicationClaimed"]
    );
    assert_eq!(balance(&ctx, 4), 1_007 * POKT);
    let staked = application::record(&ctx.state, &account(4)).unwrap();
    assert_eq!(amount(staked.stake.as_ref()), 300 * POKT);
    // Below the minimum it is paid out.
    run(&mut ctx, &claim_application(2, &account(5))).unwrap();
    assert_eq!(
        kinds(&ctx),
        ["EventMorseApplicationClaimed", "EventApplicationUnbondingEnd"]
    );
    assert_eq!(balance(&ctx, 5), 1_100 * POKT);
    assert!(application::record(&ctx.state, &account(5)).is_none());
    let error = run(&mut ctx, &claim_application(3, &account(5))).unwrap_err();
    assert!(
        error.log.contains("is not staked as a application or supplier"),
        "{}",
        error.log
    );
    let mut wrong = claim_application(3, &account(5));
    wrong.service_config = None;
    let error = run(&mut ctx, &wrong).unwrap_err();
    assert_eq!((error.codespace.as_str(), error.code), ("migration", 1104));
}

#[test]
fn a_former_node_is_claimed_by_itself_or_by_its_owner() {
    let mut ctx = ctx();
    former(&mut ctx, 1, [7, 60, 0]);
    let by_node = claim_supplier(1, 1, &account(4), &account(5));
    run(&mut ctx, &by_node).unwrap();
    assert_eq!(kinds(&ctx), ["EventSupplierStaked", "EventMorseSupplierClaimed"]);
    let staked = supplier::record(&ctx.state, &account(5)).unwrap();
    assert_eq!(
        (amount(staked.stake.as_ref()), staked.owner_address),
        (60 * POKT, account(4))
    );
    // What was free is the operator's, less the charge for staking.
    assert_eq!(balance(&ctx, 5), 1_007 * POKT - 1);

    // One with an owner waits for the owner's own claim.
    let mut owned = former(&mut ctx, 2, [0, 60, 0]);
    owned.morse_output_address = morse_address(3);
    migration::put(&mut ctx.state, &owned);
    former(&mut ctx, 3, [1, 0, 0]);
    let by_node = claim_supplier(2, 2, &account(6), &account(7));
    let error = run(&mut ctx, &by_node).unwrap_err();
    assert!(error.log.contains("MUST be claimed BEFORE"), "{}", error.log);
    run(&mut ctx, &claim_account(3, &account(8))).unwrap();
    let error = run(&mut ctx, &by_node).unwrap_err();
    assert!(
        error.log.contains("MUST match the Shannon dest address"),
        "{}",
        error.log
    );
    let stranger = claim_supplier(2, 4, &account(6), &account(7));
    let error = run(&mut ctx, &stranger).unwrap_err();
    assert!(error.log.contains("doesn't match the operator"), "{}", error.log);
    run(&mut ctx, &claim_supplier(2, 3, &account(6), &account(7))).unwrap();
    let event = ctx
        .events
        .iter()
        .find(|event| event.kind.ends_with("EventMorseSupplierClaimed"));
    let signer = event
        .unwrap()
        .attributes
        .iter()
        .find(|(name, _)| name == "claim_signer_type");
    assert!(signer.unwrap().1.contains("NON_CUSTODIAL_SIGNED_BY_OWNER"));

    // A stake that was free by now is paid out to the owner.
    let mut gone = former(&mut ctx, 5, [0, 60, 0]);
    gone.unstaking_time = Timestamp {
        seconds: 1_700_000_000,
        nanos: 0,
    };
    migration::put(&mut ctx.state, &gone);
    let before = balance(&ctx, 4);
    run(&mut ctx, &claim_supplier(5, 5, &account(4), &account(2))).unwrap();
    assert_eq!(balance(&ctx, 4), before + 60 * POKT);
    assert!(supplier::record(&ctx.state, &account(2)).is_none());
}

fn grant(msg: &str, until: Option<i64>) -> MsgGrant {
    let authorization = GenericAuthorization { msg: msg.to_owned() };
    MsgGrant {
        granter: account(1),
        grantee: account(2),
        grant: Grant {
            authorization: Some(authorization.to_any()),
            expiration: until.map(|seconds| Timestamp { seconds, nanos: 0 }),
        },
    }
}

fn send(from: u8, to: u8, amount: u128) -> MsgSend {
    MsgSend {
        from_address: account(from),
        to_address: account(to),
        amount: vec![upokt(amount)],
    }
}

#[test]
fn what_was_granted_can_be_done_until_it_is_taken_back_or_over() {
    let mut ctx = ctx();
    let exec = MsgExec {
        grantee: account(2),
        msgs: vec![send(1, 3, 5).to_any()],
    };
    let code =
        |result: Result<(), TxError>| result.map_err(|error| (error.codespace, error.code)).unwrap_err();
    let authz = |code| ("authz".to_owned(), code);
    assert_eq!(code(run(&mut ctx, &exec)), authz(2));
    let before = crate::modules::auth::exists(&ctx.state, &[77; 20]);
    run(&mut ctx, &grant(MsgSend::TYPE_URL, None)).unwrap();
    run(&mut ctx, &exec).unwrap();
    assert_eq!(balance(&ctx, 3), 1_000 * POKT + 5);
    assert!(
        ctx.events
            .iter()
            .all(|event| event.attributes.last().unwrap().0 == "authz_msg_index")
    );
    // For another message it is none, nor for another account.
    let other = MsgExec {
        msgs: vec![MsgUnstakeApplication { address: account(1) }.to_any()],
        ..exec.clone()
    };
    assert_eq!(code(run(&mut ctx, &other)), authz(2));
    let other = MsgExec {
        msgs: vec![send(3, 2, 5).to_any()],
        ..exec.clone()
    };
    assert_eq!(code(run(&mut ctx, &other)), authz(2));
    // One's own messages need no grant, and fail with their own codes.
    let own = MsgExec {
        msgs: vec![send(2, 3, u128::MAX).to_any()],
        ..exec.clone()
    };
    assert_eq!(code(run(&mut ctx, &own)), ("sdk".to_owned(), 5));
    let empty = MsgExec {
        msgs: Vec::new(),
        ..exec.clone()
    };
    assert_eq!(code(run(&mut ctx, &empty)), ("sdk".to_owned(), 18));

    let back = MsgRevoke {
        granter: account(1),
        grantee: account(2),
        msg_type_url: MsgSend::TYPE_URL.to_owned(),
    };
    run(&mut ctx, &back).unwrap();
    assert_eq!(code(run(&mut ctx, &back)), authz(2));
    assert_eq!(code(run(&mut ctx, &exec)), authz(2));
    // One that ends: no later than now it cannot be given, and it goes by itself.
    let now_s = (ctx.time_ns / 1_000_000_000) as i64;
    assert_eq!(
        code(run(&mut ctx, &grant(MsgSend::TYPE_URL, Some(now_s)))),
        authz(3)
    );
    run(&mut ctx, &grant(MsgSend::TYPE_URL, Some(now_s + 5))).unwrap();
    ctx.time_ns += 6_000_000_000;
    assert_eq!(code(run(&mut ctx, &exec)), authz(6));
    let height = ctx.height + 1;
    until(&mut ctx, height);
    assert_eq!(code(run(&mut ctx, &exec)), authz(2));

    assert_eq!(
        code(run(&mut ctx, &grant("/no.such.Msg", None))),
        ("sdk".to_owned(), 29)
    );
    let oneself = MsgGrant {
        grantee: account(1),
        ..grant(MsgSend::TYPE_URL, None)
    };
    assert_eq!(code(run(&mut ctx, &oneself)), authz(7));
    let stranger = MsgGrant {
        grantee: account(77),
        ..grant(MsgSend::TYPE_URL, None)
    };
    run(&mut ctx, &stranger).unwrap();
    assert!(
        !before && crate::modules::auth::exists(&ctx.state, &[77; 20]),
        "a grantee gets an account"
    );
}

#[test]
fn messages_lie_in_messages_only_so_deep() {
    let mut any = send(2, 3, 1).to_any();
    for depth in 1..20 {
        any = MsgExec {
            grantee: account(2),
            msgs: vec![any],
        }
        .to_any();
        assert_eq!(Msg::decode(&any).is_ok(), depth <= 6, "{depth}");
    }
    let unknown = Any {
        type_url: "/no.such.Msg".to_owned(),
        value: Vec::new(),
    };
    let error = Msg::decode(
        &MsgExec {
            grantee: account(2),
            msgs: vec![unknown],
        }
        .to_any(),
    )
    .unwrap_err();
    assert_eq!(
        error.log,
        "unable to resolve type URL /no.such.Msg: tx parse error"
    );
}

#[test]
fn one_parameter_changes_and_the_others_stay() {
    let mut ctx = ctx();
    let gov = address::text(&address::module("gov"));
    let one = |name: &str, value| shared::MsgUpdateParam {
        authority: gov.clone(),
        name: name.to_owned(),
        as_uint64: value,
        ..shared::MsgUpdateParam::default()
    };
    let before: shared::Params = params::of(&ctx.state, StoreName::Shared);
    run(&mut ctx, &one("compute_units_to_tokens_multiplier", 7)).unwrap();
    let after: shared::Params = params::of(&ctx.state, StoreName::Shared);
    let wanted = shared::Params {
        compute_units_to_tokens_multiplier: 7,
        ..before
    };
    assert_eq!(after, wanted);
    for (name, value) in [
        ("nope", 1),
        ("session_grid_anchor_height", 1),
        ("num_blocks_per_session", 0),
    ] {
        let error = run(&mut ctx, &one(name, value)).unwrap_err();
        assert!(
            error.log.starts_with("rpc error: code = InvalidArgument desc = "),
            "{name}: {}",
            error.log
        );
        assert!(
            error.log.ends_with(": the provided param is invalid"),
            "{name}: {}",
            error.log
        );
    }
    let stranger = shared::MsgUpdateParam {
        authority: account(1),
        ..one("num_blocks_per_session", 5)
    };
    assert!(
        run(&mut ctx, &stranger)
            .unwrap_err()
            .log
            .contains("invalid authority; expected")
    );
}

fn app(n: u8, stake: u128) -> MsgStakeApplication {
    MsgStakeApplication {
        address: account(n),
        stake: Some(upokt(stake * POKT)),
        services: vec![ApplicationServiceConfig {
            service_id: SERVICE.to_owned(),
        }],
        per_session_spend_limit: None,
    }
}

#[test]
fn an_application_is_transferred_after_its_session_is_settled() {
    let mut ctx = ctx();
    run(&mut ctx, &app(1, 200)).unwrap();
    let transfer = |to: u8| MsgTransferApplication {
        source_address: account(1),
        destination_address: account(to),
    };
    let refused = |result: Result<(), TxError>| result.unwrap_err().log;
    let mut twice = transfer(2);
    twice.destination_address = account(1);
    assert_eq!(run(&mut ctx, &twice).unwrap_err().code, 1113);
    run(&mut ctx, &app(3, 200)).unwrap();
    assert!(refused(run(&mut ctx, &transfer(3))).contains("exists: duplicate application address"));
    let nobody = MsgTransferApplication {
        source_address: account(5),
        ..transfer(2)
    };
    assert!(refused(run(&mut ctx, &nobody)).contains("not found: application not found"));
    run(&mut ctx, &transfer(2)).unwrap();
    assert_eq!(kinds(&ctx), ["EventTransferBegin"]);
    let unstake = MsgUnstakeApplication { address: account(1) };
    assert!(refused(run(&mut ctx, &unstake)).contains("application is in transfer period"));
    // Somebody becomes one while the transfer waits: both become one.
    run(&mut ctx, &app(2, 100)).unwrap();
    // Sessions of 4 blocks, settled 10 after their end: 14, which is in the session that ends at 16.
    until(&mut ctx, 15);
    assert!(application::record(&ctx.state, &account(1)).is_some());
    until(&mut ctx, 16);
    assert_eq!(kinds(&ctx), ["EventTransferEnd"]);
    assert!(application::record(&ctx.state, &account(1)).is_none());
    let heir: Application = application::record(&ctx.state, &account(2)).unwrap();
    assert_eq!(
        (amount(heir.stake.as_ref()), heir.pending_transfer),
        (300 * POKT, None)
    );
    assert_eq!(heir.service_configs.len(), 1);
    let unbonding = MsgUnstakeApplication { address: account(3) };
    run(&mut ctx, &unbonding).unwrap();
    let leaving = MsgTransferApplication {
        source_address: account(3),
        ..transfer(5)
    };
    assert!(refused(run(&mut ctx, &leaving)).contains("cannot transfer stake of unbonding"));
}

#[test]
fn claims_cost_nothing_where_the_chain_says_so() {
    let mut ctx = ctx();
    assert!(!migration::are_free(&ctx.state));
    let free = hearth_pocket::message::migration::Params {
        waive_morse_claim_gas_fees: true,
        morse_account_claiming_enabled: false,
        ..hearth_pocket::message::migration::Params::default()
    };
    params::put(&mut ctx.state, StoreName::Migration, &free);
    assert!(migration::are_free(&ctx.state));
    former(&mut ctx, 1, [7, 0, 0]);
    let error = run(&mut ctx, &claim_account(1, &account(4))).unwrap_err();
    assert!(
        error.log.contains("morse account claiming is currently disabled"),
        "{}",
        error.log
    );
}
