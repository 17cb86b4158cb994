//! From orders to messages, over facts that are made up.

mod elsewhere;
mod morse;
mod services;

use std::collections::BTreeMap;

use hearth_base::{Amount, Height, ServiceId};
use hearth_chain::Params;
use hearth_pocket::{
    address::Address,
    keys::SecretKey,
    message::{
        Coin,
        application::{Application, MsgStakeApplication},
        cosmos::MsgSend,
        gateway::{Gateway, MsgStakeGateway},
        service::MsgAddService,
        shared::{Metadata, Service, ServiceConfigUpdate, Supplier, SupplierServiceConfig},
        supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
    },
};

use hearth_wallet::Purpose;

use crate::{Facts, Note, Offer, Order, Party, Plan, Role, RoleError, ServiceOrder, Share, plan};

/// Settlements and returns of a wallet whose endpoints do not answer, so that only the database does.
pub(crate) struct Away {
    pub(crate) settlements: crate::Settlements,
    pub(crate) returns: crate::Returns,
    tasks: hearth_base::Tasks,
    _folder: tempfile::TempDir,
}

impl Away {
    pub(crate) async fn new() -> Away {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), hearth_base::Tasks::root());
        let store = hearth_store::Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        })
        .await
        .unwrap();
        let nobody = "http://127.0.0.1:1".parse().unwrap();
        let chain = hearth_chain::Chain::start(hearth_chain::Args {
            config: hearth_chain::Config::new("test".into(), vec![nobody]),
            store: store.clone(),
            clock: hearth_base::Clock::system(),
            tasks: tasks.child("chain"),
        })
        .unwrap();
        let config = hearth_wallet::Config {
            folder: folder.path().join("keystore"),
            cost: hearth_wallet::Cost::PLAY,
        };
        let wallet = hearth_wallet::Wallet::open(config, hearth_base::Clock::system()).unwrap();
        let returns = crate::Returns::new(&store, chain.clone());
        Away {
            settlements: crate::Settlements::new(&store, chain, wallet, returns.clone()),
            returns,
            tasks,
            _folder: folder,
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn address(n: u8) -> Address {
    SecretKey::from_bytes(&[n; 32]).unwrap().address().clone()
}

fn pokt(n: u128) -> Amount {
    Amount::from_upokt(n * Amount::UPOKT_PER_POKT)
}

fn coin(n: u128) -> Option<Coin> {
    Some(Coin::upokt(pokt(n)))
}

fn party(n: u8, balance: Amount) -> Party {
    Party {
        account: address(n),
        balance,
        is_here: true,
    }
}

/// Nothing is staked; the owner has money.
fn facts() -> Facts {
    let mut params = Params::default();
    params.shared.num_blocks_per_session = 20;
    params.shared.supplier_unbonding_period_sessions = 1429;
    params.shared.application_unbonding_period_sessions = 3;
    params.supplier.min_stake = coin(59_500);
    params.supplier.staking_fee = Some(Coin::upokt(Amount::from_upokt(1)));
    params.application.min_stake = coin(1_000);
    params.application.max_delegated_gateways = 2;
    params.gateway.min_stake = coin(5_000);
    params.service.add_service_fee = coin(3_500);
    params.proof.proof_submission_fee = Some(Coin::upokt(Amount::from_upokt(1)));
    params.proof.proof_missing_penalty = Some(Coin::upokt(Amount::from_upokt(1)));
    let service = Service {
        id: "svc".to_owned(),
        owner_address: address(9).to_string(),
        compute_units_per_relay: 10,
        ..Service::default()
    };
    Facts {
        parties: Purpose::ALL
            .map(|purpose| {
                let (n, balance) = if purpose.is_unattended() {
                    (2, Amount::ZERO)
                } else {
                    (1, pokt(100_000))
                };
                (purpose, party(n, balance))
            })
            .into(),
        params,
        supplier: None,
        application: None,
        gateway: None,
        named_gateway: None,
        services: BTreeMap::from([(ServiceId::new("svc"), service)]),
        morse: None,
        signers: vec![address(1)],
        height: Height(5),
        now_ns: 0,
        block_time: Some(std::time::Duration::from_secs(60)),
        allows_local_suppliers: false,
        applications_sign: false,
    }
}

fn offer(url: &str) -> Offer {
    Offer {
        service: ServiceId::new("svc"),
        url: url.parse().unwrap(),
        shares: Vec::new(),
    }
}

fn supplier(stake: Option<u128>, services: Vec<Offer>) -> Order {
    Order::Supplier {
        operator: None,
        stake: stake.map(pokt),
        services,
    }
}

fn unstake(role: Role) -> Order {
    Order::Unstake { role, operator: None }
}

/// The record of a supplier that serves `svc`.
fn staked(owner: u8) -> Supplier {
    let config = SupplierServiceConfig {
        service_id: "svc".to_owned(),
        ..SupplierServiceConfig::default()
    };
    Supplier {
        owner_address: address(owner).to_string(),
        operator_address: address(2).to_string(),
        stake: coin(60_000),
        services: vec![config.clone()],
        service_config_history: vec![ServiceConfigUpdate {
            service: Some(config),
            ..ServiceConfigUpdate::default()
        }],
        ..Supplier::default()
    }
}

fn stakes(plan: &Plan) -> Vec<MsgStakeSupplier> {
    let messages = plan.steps.iter().flat_map(|step| &step.messages);
    messages
        .filter_map(|message| message.unpack::<MsgStakeSupplier>()?.ok())
        .collect()
}

#[test]
fn a_new_supplier_is_staked_by_its_owner_and_served_by_its_operator() {
    let facts = facts();
    let planned = plan(
        &supplier(Some(60_000), vec![offer("https://home.example/")]),
        &facts,
    )
    .unwrap();
    let [first, second] = planned.steps.as_slice() else {
        panic!("{planned:?}")
    };
    assert_eq!((&first.account, &second.account), (&address(1), &address(2)));
    // The working key has nothing yet: what it needs for fees goes there.
    let gift = first.messages[0].unpack::<MsgSend>().unwrap().unwrap();
    assert_eq!(gift.to_address, address(2).to_string());
    let moved = Amount::from_upokt(Amount::UPOKT_PER_POKT + 1);
    assert!(planned.notes.contains(&Note::Working {
        amount: moved,
        to: address(2)
    }));
    assert_eq!(first.amount, pokt(60_001).saturating_add(Amount::from_upokt(2)));
    let [owner, operator] = stakes(&planned).try_into().unwrap();
    assert_eq!(
        (&owner.signer, &owner.owner_address),
        (&owner.owner_address, &address(1).to_string())
    );
    assert_eq!((owner.stake, owner.services.len()), (coin(60_000), 0));
    assert_eq!(
        (&operator.signer, &operator.stake),
        (&address(2).to_string(), &None)
    );
    let [config] = operator.services.try_into().unwrap();
    let kinds: Vec<i32> = config
        .endpoints
        .iter()
        .map(|endpoint| endpoint.rpc_type)
        .collect();
    assert_eq!(kinds, [4, 3], "REST and JSON-RPC");
    assert_eq!(config.endpoints[0].url, "https://home.example");
    assert_eq!(config.rev_share[0].address, address(1).to_string());
    assert!(planned.notes.contains(&Note::From { height: 21 }));
    assert!(planned.notes.contains(&Note::Charge {
        amount: Amount::from_upokt(2)
    }));
    assert!(planned.notes.contains(&Note::Unbonding {
        blocks: 28_580,
        seconds: Some(28_580 * 60)
    }));
}

#[test]
fn a_stake_and_its_services_change_apart() {
    let mut facts = facts();
    facts.supplier = Some(staked(1));
    facts.parties.insert(Purpose::Operator, party(2, pokt(5)));
    let more = plan(&supplier(Some(61_000), Vec::new()), &facts).unwrap();
    let [change] = stakes(&more).try_into().unwrap();
    assert_eq!(
        (change.signer, change.services.len()),
        (address(1).to_string(), 0)
    );
    assert_eq!(
        more.steps[0].amount,
        pokt(1_000).saturating_add(Amount::from_upokt(1))
    );
    // Less of it comes back, and nothing leaves but the charge.
    let less = plan(&supplier(Some(59_500), Vec::new()), &facts).unwrap();
    assert_eq!(less.steps[0].amount, Amount::from_upokt(1));
    assert!(less.notes.contains(&Note::Back { amount: pokt(500) }));

    facts.services.insert(ServiceId::new("other"), Service::default());
    let other = Offer {
        service: ServiceId::new("other"),
        ..offer("http://1.2.3.4:4328")
    };
    let services = plan(&supplier(None, vec![other]), &facts).unwrap();
    assert_eq!(services.steps.len(), 1);
    assert_eq!(services.steps[0].account, address(2));
    assert!(services.notes.contains(&Note::Retires(vec!["svc".to_owned()])));
    let same = plan(&supplier(Some(60_000), Vec::new()), &facts);
    assert_eq!(same, Err(RoleError::NoChange));

    facts.supplier.as_mut().unwrap().unstake_session_end_height = 40;
    let stays = plan(&supplier(Some(60_000), Vec::new()), &facts).unwrap();
    assert!(stays.notes.contains(&Note::Stays));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_signed() {
    let good = || vec![offer("https://home.example")];
    let code = |order: &Order, facts: &Facts| plan(order, facts).unwrap_err().code();
    let facts = facts();
    assert_eq!(code(&supplier(Some(59_499), good()), &facts), "stake_too_small");
    assert_eq!(code(&supplier(Some(0), good()), &facts), "stake_too_small");
    assert_eq!(code(&supplier(Some(60_000), Vec::new()), &facts), "new_supplier");
    assert_eq!(code(&supplier(Some(99_999), good()), &facts), "not_enough");
    for url in [
        "http://127.0.0.1:4328",
        "http://localhost:4328",
        "http://192.168.1.2",
        "http://[::1]:1",
        "http://user:pass@home.example",
        "ftp://home.example",
    ] {
        assert_eq!(
            code(&supplier(Some(60_000), vec![offer(url)]), &facts),
            "url_wrong",
            "{url}"
        );
    }
    let missing = Offer {
        service: ServiceId::new("none"),
        ..offer("https://home.example")
    };
    assert_eq!(code(&supplier(Some(60_000), vec![missing]), &facts), "no_service");
    let share = |n: u8, percent| Share {
        address: address(n),
        percent,
    };
    for shares in [
        vec![share(1, 99)],
        vec![share(1, 100), share(2, 0)],
        vec![share(1, u64::MAX), share(2, 101)],
    ] {
        let offer = Offer {
            shares,
            ..offer("https://home.example")
        };
        assert_eq!(code(&supplier(Some(60_000), vec![offer]), &facts), "shares_wrong");
    }
    let twice = Offer {
        shares: vec![share(1, 50), share(1, 50)],
        ..offer("https://home.example")
    };
    assert_eq!(code(&supplier(Some(60_000), vec![twice]), &facts), "named_twice");
    let both = vec![offer("https://home.example"), offer("https://other.example")];
    assert_eq!(code(&supplier(Some(60_000), both), &facts), "named_twice");
    let shared = Offer {
        shares: vec![share(1, 60), share(3, 40)],
        ..offer("https://home.example")
    };
    assert!(plan(&supplier(Some(60_000), vec![shared]), &facts).is_ok());

    // A stranger made the record of our operator.
    let mut squatted = facts.clone();
    squatted.supplier = Some(staked(7));
    assert_eq!(
        code(&supplier(Some(60_000), good()), &squatted),
        "foreign_supplier"
    );
    squatted.parties.insert(Purpose::Operator, party(2, pokt(1)));
    let gone = plan(&unstake(Role::Supplier), &squatted).unwrap();
    let message = gone.steps[0].messages[0]
        .unpack::<MsgUnstakeSupplier>()
        .unwrap()
        .unwrap();
    assert_eq!(message.signer, address(2).to_string());
    assert!(matches!(gone.notes.last(), Some(Note::Foreign { .. })));
}

#[test]
fn an_application_grows_and_asks_one_service_that_exists() {
    let mut facts = facts();
    let order = |stake, service: &str, limit: Option<u128>| Order::Application {
        stake: pokt(stake),
        service: ServiceId::new(service),
        session_limit: limit.map(Amount::from_upokt),
    };
    let made = plan(&order(2_000, "svc", None), &facts).unwrap();
    let message = made.steps[0].messages[0]
        .unpack::<MsgStakeApplication>()
        .unwrap()
        .unwrap();
    assert_eq!(
        (message.stake, message.per_session_spend_limit),
        (coin(2_000), None)
    );
    let least = Note::SettlementsTake { least: pokt(1_000) };
    assert!(least.to_string().contains("only that can be spent"));
    assert!(made.notes.contains(&least) && made.notes.contains(&Note::NobodySigns));
    facts.applications_sign = true;
    let made = plan(&order(2_000, "svc", None), &facts).unwrap();
    assert!(!made.notes.contains(&Note::NobodySigns));
    facts.applications_sign = false;
    let code = |order: &Order, facts: &Facts| plan(order, facts).unwrap_err().code();
    assert_eq!(code(&order(2_000, "none", None), &facts), "no_service");
    assert_eq!(code(&order(999, "svc", None), &facts), "stake_too_small");
    assert_eq!(code(&order(2_000, "svc", Some(5)), &facts), "stake_too_small");
    assert!(
        plan(&order(2_000, "svc", Some(0)), &facts).is_ok(),
        "a limit is taken away"
    );

    facts.application = Some(Application {
        stake: coin(2_000),
        ..Application::default()
    });
    assert_eq!(code(&order(2_000, "svc", None), &facts), "stake_not_more");
    assert_eq!(
        plan(&order(2_500, "svc", None), &facts).unwrap().steps[0].amount,
        pokt(500)
    );
    // Delegation: to one that is there, once, and to no more than the network allows.
    assert_eq!(code(&Order::Delegate(None), &facts), "no_gateway");
    facts.named_gateway = Some(Gateway::default());
    assert!(plan(&Order::Delegate(None), &facts).is_ok());
    let delegated = vec![address(2).to_string()];
    facts.application.as_mut().unwrap().delegatee_gateway_addresses = delegated;
    assert_eq!(code(&Order::Delegate(None), &facts), "delegated");
    assert!(plan(&Order::Undelegate(None), &facts).is_ok());
    assert_eq!(
        code(&Order::Undelegate(Some(address(5))), &facts),
        "not_delegated"
    );
    let two = vec![address(6).to_string(), address(7).to_string()];
    facts.application.as_mut().unwrap().delegatee_gateway_addresses = two;
    assert_eq!(code(&Order::Delegate(None), &facts), "too_many_gateways");
    assert!(plan(&unstake(Role::Application), &facts).is_ok());
    facts.application.as_mut().unwrap().unstake_session_end_height = 9;
    assert_eq!(code(&unstake(Role::Application), &facts), "unbonding");
    facts.application = None;
    assert_eq!(code(&unstake(Role::Application), &facts), "not_staked");
}

#[test]
fn a_gateway_is_staked_by_the_key_that_signs_alone() {
    let facts = facts();
    let made = plan(&Order::Gateway { stake: pokt(5_000) }, &facts).unwrap();
    let [gift, stake] = made.steps.as_slice() else {
        panic!("{made:?}")
    };
    assert_eq!(gift.account, address(1));
    let message = stake.messages[0].unpack::<MsgStakeGateway>().unwrap().unwrap();
    assert_eq!(
        (message.address, message.stake),
        (address(2).to_string(), coin(5_000))
    );
    assert!(made.notes.contains(&Note::HotStake));
}

#[test]
fn a_supplier_is_edited_service_by_service() {
    let mut facts = facts();
    let edit = |services: Vec<Offer>, dropped: &[&str]| Order::EditSupplier {
        operator: None,
        stake: None,
        services,
        dropped: dropped.iter().map(|id| ServiceId::new(*id)).collect(),
    };
    let code = |order: &Order, facts: &Facts| plan(order, facts).unwrap_err().code();
    assert_eq!(
        code(&edit(vec![offer("https://a.example")], &[]), &facts),
        "not_staked"
    );
    facts.services.insert(ServiceId::new("other"), Service::default());
    facts.parties.insert(Purpose::Operator, party(2, pokt(5)));
    let first = Offer {
        shares: vec![
            Share {
                address: address(1),
                percent: 60,
            },
            Share {
                address: address(3),
                percent: 40,
            },
        ],
        ..offer("https://a.example")
    };
    let staked_now = plan(&supplier(Some(60_000), vec![first]), &facts).unwrap();
    let mut record = staked(1);
    record.services = stakes(&staked_now).pop().unwrap().services;
    record.service_config_history.clear();
    facts.supplier = Some(record);
    // One comes, and what is there keeps its address and its shares.
    let other = Offer {
        service: ServiceId::new("other"),
        ..offer("https://b.example")
    };
    let more = plan(&edit(vec![other], &[]), &facts).unwrap();
    let [sent] = stakes(&more).try_into().unwrap();
    assert_eq!(sent.services.len(), 2);
    assert_eq!(sent.services[0].rev_share.len(), 2);
    // Its address moves: who has a share keeps it.
    let moved = plan(&edit(vec![offer("https://c.example")], &[]), &facts).unwrap();
    let [sent] = stakes(&moved).try_into().unwrap();
    assert_eq!(sent.services[0].rev_share.len(), 2);
    let note = Note::Changes {
        what: "url",
        service: "svc".to_owned(),
        from: "https://a.example".to_owned(),
        to: "https://c.example".to_owned(),
    };
    assert!(moved.notes.contains(&note), "{:?}", moved.notes);
    // Staked as a whole without them, they are gone, and that is said.
    let whole = plan(&supplier(None, vec![offer("https://a.example")]), &facts).unwrap();
    let lost = whole
        .notes
        .iter()
        .find(|note| matches!(note, Note::SharesLost { .. }));
    assert!(lost.unwrap().to_string().contains(address(3).as_str()));
    // The same again is not sent.
    assert_eq!(
        code(&edit(vec![offer("https://a.example")], &[]), &facts),
        "no_change"
    );
    assert_eq!(code(&edit(Vec::new(), &["none"]), &facts), "not_served");
    assert_eq!(code(&edit(Vec::new(), &["svc"]), &facts), "last_service");
    let both = edit(vec![offer("https://a.example")], &["svc"]);
    assert_eq!(code(&both, &facts), "named_twice");
    // What leaves both keys together: nothing that one gives the other.
    facts.parties.insert(Purpose::Operator, party(2, Amount::ZERO));
    let fees = plan(&edit(vec![offer("https://d.example")], &[]), &facts).unwrap();
    assert_eq!((fees.steps.len(), fees.total()), (2, Amount::from_upokt(1)));
}

#[test]
fn what_is_on_its_way_out_is_not_staked() {
    let mut facts = facts();
    let order = Order::Application {
        stake: pokt(90_000),
        service: ServiceId::new("svc"),
        session_limit: None,
    };
    let payer = facts.parties[&Purpose::Application].account.clone();
    assert!(plan(&order, &facts).is_ok());
    facts.take_out([(address(77), pokt(50_000))].into_iter());
    assert!(plan(&order, &facts).is_ok());
    facts.take_out([(payer.clone(), pokt(5_000)), (payer, pokt(6_000))].into_iter());
    assert_eq!(plan(&order, &facts).unwrap_err().code(), "not_enough");
}
