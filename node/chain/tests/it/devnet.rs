//! Against the embedded chain: real transactions, real proofs, real faults.

use std::{sync::Arc, time::Duration};

use hearth_base::{Amount, Clock, Height, ServiceId, Tasks};
use hearth_chain::{
    Anchor, Args, Chain, ChainEvent, Config, EndpointState, FoundTx, Heights, Options, ProofStatus, Reason,
    Stage, Standing, StartFrom, TxError, TxStatus, Validity, reason_of,
};
use hearth_devnet::{Blocks, Devnet, Fault};
use hearth_pocket::{
    keys::SecretKey,
    message::{
        Any, Coin, TypeUrl,
        application::{MsgDelegateToGateway, MsgStakeApplication},
        cosmos::MsgSend,
        gateway::MsgStakeGateway,
        service::MsgAddService,
        shared::{
            ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, SupplierEndpoint,
            SupplierServiceConfig,
        },
        supplier::MsgStakeSupplier,
    },
};
use hearth_store::Store;

use crate::{
    node::PATIENCE,
    sending::{included, seen, submit},
};

mod lasting;
mod lying;

const BLOCK: Duration = Duration::from_millis(100);
const SERVICE: &str = "tiny-model";

/// A devnet and a chain that follows it.
struct World {
    devnet: Devnet,
    chain: Chain,
    tasks: Tasks,
    folder: Arc<tempfile::TempDir>,
}

fn upokt(amount: u128) -> Amount {
    Amount::from_upokt(amount)
}

fn pokt(amount: u128) -> Amount {
    upokt(amount * Amount::UPOKT_PER_POKT)
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

async fn devnet(folder: &tempfile::TempDir, tasks: &Tasks) -> Devnet {
    let config = hearth_devnet::Config::for_tests(folder.path().join("devnet.db"), tasks.clone());
    Devnet::start(hearth_devnet::Config {
        blocks: Blocks::Every(BLOCK),
        ..config
    })
    .await
    .unwrap()
}

async fn follow(folder: &tempfile::TempDir, devnet: &Devnet, tasks: &Tasks) -> Chain {
    follow_at(folder, devnet, tasks, &[devnet.rpc_url()]).await
}

/// Follows a devnet through these endpoints.
async fn follow_at(folder: &tempfile::TempDir, devnet: &Devnet, tasks: &Tasks, urls: &[String]) -> Chain {
    let trust = devnet.trust();
    let hash = hex::decode(&trust.hash).unwrap().try_into().unwrap();
    let height = trust.height;
    follow_with(folder, devnet, tasks, urls, Some(Anchor { height, hash })).await
}

async fn follow_with(
    folder: &tempfile::TempDir,
    devnet: &Devnet,
    tasks: &Tasks,
    urls: &[String],
    trust: Option<Anchor>,
) -> Chain {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    let config = Config {
        trust,
        // As where the chain runs in the same program.
        anchor_rules: true,
        poll: BLOCK / 5,
        request_timeout: Duration::from_secs(2),
        ban: Duration::from_secs(1),
        ..Config::new(devnet.chain_id(), urls)
    };
    let path = folder.path().join("hearth.db");
    let store = hearth_store::Config {
        path,
        chain_id: config.chain_id.clone(),
        max_pages: None,
    };
    let store = Store::open(store).await.unwrap();
    Chain::start(Args {
        config,
        store,
        clock: Clock::system(),
        tasks: tasks.child("chain"),
    })
    .unwrap()
}

impl World {
    async fn start() -> World {
        World::start_in(Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn start_in(folder: Arc<tempfile::TempDir>) -> World {
        let tasks = Tasks::root();
        let devnet = devnet(&folder, &tasks).await;
        let chain = follow(&folder, &devnet, &tasks).await;
        World {
            devnet,
            chain,
            tasks,
            folder,
        }
    }

    async fn stop(self) -> Arc<tempfile::TempDir> {
        self.chain.stop();
        self.chain.join().await;
        self.devnet.stop();
        self.devnet.join().await;
        self.tasks.stop();
        self.folder
    }

    /// Accounts with 100,000 POKT each.
    async fn fund(&self, keys: &[&SecretKey]) {
        for key in keys {
            self.devnet.faucet(key.address().as_str(), pokt(100_000)).unwrap();
        }
        for key in keys {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            loop {
                let found = self.chain.balance(key.address()).await;
                if found.is_ok_and(|found| found.is_proven() && *found.value() == pokt(100_000)) {
                    break;
                }
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "{:?}",
                    self.chain.endpoints()
                );
                tokio::time::sleep(BLOCK).await;
            }
        }
    }

    async fn submit(&self, key: &SecretKey, message: &impl TypeUrl) -> FoundTx {
        let done = submit(&self.chain, key, vec![message.to_any()], &Options::default())
            .await
            .unwrap();
        assert_eq!(done.code, 0, "{}", done.log);
        self.chain.reach(done.height, PATIENCE).await.unwrap();
        done
    }
}

fn send(from: &SecretKey, to: &SecretKey, amount: Amount) -> Vec<Any> {
    let send = MsgSend {
        from_address: from.address().to_string(),
        to_address: to.address().to_string(),
        amount: vec![Coin::upokt(amount)],
    };
    vec![send.to_any()]
}

fn service(owner: &SecretKey) -> MsgAddService {
    let service = Service {
        id: SERVICE.to_owned(),
        name: "A tiny model".to_owned(),
        compute_units_per_relay: 7,
        owner_address: owner.address().to_string(),
        metadata: None,
    };
    MsgAddService {
        owner_address: owner.address().to_string(),
        service,
    }
}

fn supplier(operator: &SecretKey) -> MsgStakeSupplier {
    let address = operator.address().to_string();
    MsgStakeSupplier {
        signer: address.clone(),
        owner_address: address.clone(),
        operator_address: address.clone(),
        stake: Some(Coin::upokt(pokt(60_000))),
        services: vec![SupplierServiceConfig {
            service_id: SERVICE.to_owned(),
            endpoints: vec![SupplierEndpoint {
                url: "http://127.0.0.1:4328".to_owned(),
                rpc_type: RpcType::Rest.into(),
                configs: Vec::new(),
            }],
            rev_share: vec![ServiceRevenueShare {
                address,
                rev_share_percentage: 100,
            }],
        }],
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn actors_are_staked_and_every_record_is_proven() {
    let world = World::start().await;
    let chain = &world.chain;
    let (owner, operator, app, gateway) = (key(1), key(2), key(3), key(4));
    world.fund(&[&owner, &operator, &app, &gateway]).await;
    let mut follower = chain.follow("test", StartFrom::Next);
    let id = ServiceId::new(SERVICE);
    assert_eq!(*chain.service(&id).await.unwrap().value(), None);

    world.submit(&owner, &service(&owner)).await;
    let staked = world.submit(&operator, &supplier(&operator)).await;
    assert!(
        staked
            .events
            .iter()
            .any(|event| matches!(event, ChainEvent::SupplierStaked(_)))
    );
    let services = vec![ApplicationServiceConfig {
        service_id: SERVICE.to_owned(),
    }];
    let stake = MsgStakeApplication {
        address: app.address().to_string(),
        stake: Some(Coin::upokt(pokt(50_000))),
        services,
        per_session_spend_limit: None,
    };
    world.submit(&app, &stake).await;
    let stake = MsgStakeGateway {
        address: gateway.address().to_string(),
        stake: Some(Coin::upokt(pokt(10_000))),
    };
    world.submit(&gateway, &stake).await;
    let delegate = MsgDelegateToGateway {
        app_address: app.address().to_string(),
        gateway_address: gateway.address().to_string(),
    };
    let delegated = world.submit(&app, &delegate).await;

    let found = chain.service(&id).await.unwrap();
    assert_eq!(
        (found.how(), found.into_value().unwrap().compute_units_per_relay),
        (ProofStatus::Proven, 7)
    );
    let found = chain.application(app.address()).await.unwrap();
    assert_eq!(found.how(), ProofStatus::Proven);
    assert_eq!(
        found.into_value().unwrap().delegatee_gateway_addresses,
        [gateway.address().to_string()]
    );
    let found = chain.gateway(gateway.address()).await.unwrap();
    assert_eq!(
        (found.how(), found.into_value().unwrap().stake),
        (ProofStatus::Proven, Some(Coin::upokt(pokt(10_000))))
    );
    let account = chain.account(operator.address()).await.unwrap();
    assert_eq!(
        (account.how(), account.into_value().unwrap().public_key),
        (ProofStatus::Proven, Some(operator.public_key()))
    );
    assert_eq!(chain.services().await.unwrap().value.len(), 1);

    // The services are active with the next session.
    let blocks = chain
        .params()
        .await
        .unwrap()
        .value()
        .shared
        .num_blocks_per_session;
    chain
        .reach(delegated.height.plus(blocks + 1), PATIENCE)
        .await
        .unwrap();
    let found = chain.supplier(operator.address()).await.unwrap();
    assert_eq!(found.how(), ProofStatus::Proven);
    let found = found.into_value().unwrap();
    assert_eq!((found.services.len(), found.service_config_history.len()), (1, 1));
    assert_eq!(found.services[0].endpoints[0].url, "http://127.0.0.1:4328");
    assert_eq!(chain.suppliers(&id).await.unwrap().value.len(), 1);

    let head = chain.head().borrow().height;
    let session = chain.session(app.address(), &id, head).await.unwrap();
    assert_eq!(session.value().suppliers.len(), 1);
    let start = Height(
        session
            .value()
            .header
            .as_ref()
            .unwrap()
            .session_start_block_height
            .unsigned_abs(),
    );
    let params = chain.params_at(start).await.unwrap();
    assert_eq!(
        (params.how(), params.value().num_blocks_per_session),
        (ProofStatus::Proven, blocks)
    );
    assert!(chain.session_params_at(start).await.unwrap().is_proven());
    assert_eq!(
        *chain.compute_units_at(&id, start).await.unwrap().value(),
        Some(7)
    );
    assert_eq!(
        chain
            .compute_units_at(&"no-such".into(), start)
            .await
            .unwrap()
            .into_value(),
        None
    );
    let difficulty = chain.difficulty_at(&id, start).await.unwrap();
    assert!(difficulty.is_proven() && difficulty.value().is_none());
    assert_eq!(chain.block_hash(start).await.unwrap().height(), start);

    let mut seen = Vec::new();
    while seen.len() < 3 {
        let block = tokio::time::timeout(PATIENCE, follower.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(block.verified && block.complete);
        let kinds: [(&str, fn(&ChainEvent) -> bool); 3] = [
            ("staked", |event| matches!(event, ChainEvent::SupplierStaked(_))),
            ("delegated", |event| {
                matches!(event, ChainEvent::ApplicationRedelegated(_))
            }),
            ("activated", |event| {
                matches!(event, ChainEvent::SupplierServiceActivated(_))
            }),
        ];
        for placed in &block.events {
            seen.extend(
                kinds
                    .iter()
                    .filter(|(_, is)| is(&placed.event))
                    .map(|(name, _)| *name),
            );
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["activated", "delegated", "staked"]);
    let (mut n_found, mut n_one_each) = (0, 0);
    let has_more = chain.history(app.address(), 100, &mut |_| n_found += 1).await;
    assert!(!has_more.unwrap() && n_found >= 3, "{n_found}");
    let has_more = chain.history(app.address(), 1, &mut |_| n_one_each += 1).await;
    assert!(has_more.unwrap() && n_one_each == 2, "{n_one_each}");
    let tx = chain.tx(&delegated.hash).await.unwrap().unwrap();
    assert_eq!(
        (tx.how(), tx.code, tx.height),
        (ProofStatus::Proven, 0, delegated.height)
    );
    let program = chain.program().await.unwrap();
    assert_eq!(
        (program.version.as_str(), &program.upgrade),
        (hearth_chain::TESTED_WITH, &None)
    );
    world.stop().await;
}

#[tokio::test]
async fn many_senders_of_one_key_do_not_collide() {
    let world = World::start().await;
    let (from, to) = (key(1), key(2));
    world.fund(&[&from]).await;
    let options = Options::default();
    let sends = (1..=6).map(|amount| {
        let (chain, from, messages) = (&world.chain, &from, send(&from, &to, upokt(amount)));
        let options = &options;
        async move { submit(chain, from, messages, options).await }
    });
    let all = futures::future::join_all(sends).await;
    let mut hashes: Vec<[u8; 32]> = all.into_iter().map(|done| done.unwrap().hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
    let head = world.chain.head().borrow().height;
    world.chain.reach(head.plus(1), PATIENCE).await.unwrap();
    let found = world.chain.balance(to.address()).await.unwrap();
    assert_eq!((*found.value(), found.how()), (upokt(21), ProofStatus::Proven));
    world.stop().await;
}

#[tokio::test]
async fn failures_are_typed_and_say_what_is_lost() {
    let world = World::start().await;
    let (from, to) = (key(1), key(2));
    world.fund(&[&from]).await;
    let chain = &world.chain;
    let too_much = send(&from, &to, pokt(1_000_000));
    let error = submit(chain, &from, too_much.clone(), &Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::InsufficientFunds), "{error}");
    assert!(matches!(
        error,
        TxError::Refused {
            stage: Stage::Simulation,
            ..
        }
    ));
    // Without the simulation it gets into a block and costs its fee there.
    let blind = Options {
        gas_limit: Some(200_000),
        ..Options::default()
    };
    let failed = submit(chain, &from, too_much, &blind).await.unwrap();
    let reason = reason_of(&failed.codespace, failed.code, &failed.log);
    assert_eq!(reason, Reason::InsufficientFunds, "{}", failed.log);
    assert!(
        failed.may_come_again(),
        "the account's own checks have this code, too"
    );
    let error = submit(chain, &key(9), send(&key(9), &to, upokt(1)), &Options::default())
        .await
        .unwrap_err();
    assert!(matches!(error, TxError::NoAccount { .. }), "{error}");

    world.devnet.fault(
        Fault::HighFee {
            upokt_per_million_gas: 100,
        },
        None,
    );
    let done = submit(chain, &from, send(&from, &to, upokt(3)), &Options::default())
        .await
        .unwrap();
    assert!(done.code == 0 && done.gas_used > 0);
    // This chain limits no block.
    assert_eq!(chain.block_gas().await, None);
    world.devnet.clear_faults();

    // The very same bytes twice.
    let prepared = chain
        .prepare(&from, send(&from, &to, upokt(4)), &Options::default())
        .await
        .unwrap();
    let signed = chain.sign(&from, &prepared).unwrap();
    assert_eq!(chain.broadcast(&signed).await.unwrap(), hearth_chain::Sent::New);
    assert_eq!(
        chain.broadcast(&signed).await.unwrap(),
        hearth_chain::Sent::Already
    );
    included(chain, &signed).await;
    assert_eq!(
        chain.broadcast(&signed).await.unwrap(),
        hearth_chain::Sent::Already
    );
    let found = included(chain, &signed).await;
    chain.reach(found.height, PATIENCE).await.unwrap();
    assert_eq!(*chain.balance(to.address()).await.unwrap().value(), upokt(7));
    world.stop().await;
}

#[tokio::test]
async fn every_lie_is_found_and_shown() {
    let lies: [(Fault, &str); 5] = [
        (Fault::WrongProof, "wrong proof"),
        (Fault::WrongValue, "wrong proof"),
        (Fault::WrongSignature, "forged"),
        (Fault::ForgedHeader, "forged"),
        (
            Fault::WrongChainId {
                chain_id: "pocket".to_owned(),
            },
            "pocket",
        ),
    ];
    for (fault, text) in lies {
        let world = World::start().await;
        let from = key(1);
        world.fund(&[&from]).await;
        world.devnet.fault(fault.clone(), None);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let _ = world.chain.balance(from.address()).await;
            let state = world.chain.endpoints()[0].state.clone();
            match &state {
                EndpointState::Banned { why } | EndpointState::OtherChain { found: why } => {
                    // A foreign chain id is also a forged header, for whoever reads one before the status.
                    assert!(why.contains(text) || why.contains("forged"), "{fault:?}: {why}");
                    break;
                }
                EndpointState::Unknown
                | EndpointState::Healthy
                | EndpointState::Stale { .. }
                | EndpointState::Limited { .. }
                | EndpointState::Failing { .. } => {}
            }
            assert!(tokio::time::Instant::now() < deadline, "{fault:?}: {state:?}");
            tokio::time::sleep(BLOCK).await;
        }
        // Nothing false was shown meanwhile: what is known is old before long, and marked so.
        loop {
            let found = world.chain.balance(from.address()).await.unwrap();
            assert_eq!(*found.value(), pokt(100_000), "{fault:?}");
            if found.how() == ProofStatus::Stale {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{fault:?}: {found:?}");
            tokio::time::sleep(BLOCK).await;
        }
        if !matches!(fault, Fault::WrongChainId { .. }) {
            world.devnet.clear_faults();
            let mut head = world.chain.head();
            let before = head.borrow().verified_height;
            let on = head.wait_for(|head| {
                head.verified_height > before.plus(2) && head.standing == Standing::Following
            });
            tokio::time::timeout(PATIENCE, on).await.unwrap().unwrap();
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let world = World::start().await;
    let (from, to) = (key(1), key(2));
    world.fund(&[&from]).await;
    let mut follower = world.chain.follow("miner", StartFrom::Next);
    let first = tokio::time::timeout(PATIENCE, follower.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    follower.acknowledge(first.height).await.unwrap();
    world
        .submit(
            &from,
            &MsgSend {
                from_address: from.address().to_string(),
                to_address: to.address().to_string(),
                amount: vec![Coin::upokt(upokt(5))],
            },
        )
        .await;
    drop(follower);
    let folder = world.stop().await;

    let world = World::start_in(folder).await;
    let mut follower = world.chain.follow("miner", StartFrom::Next);
    let mut next = first.height.plus(1);
    for _ in 0..8 {
        let block = tokio::time::timeout(PATIENCE, follower.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(block.height, next);
        assert!(block.verified);
        next = next.plus(1);
    }
    let head = world.chain.head().borrow().height;
    world.chain.reach(head, PATIENCE).await.unwrap();
    assert_eq!(
        *world.chain.balance(to.address()).await.unwrap().value(),
        upokt(5)
    );
    world.stop().await;
}
