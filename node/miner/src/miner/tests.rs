//! When earning runs, stays off and comes back: over restarts, without a stake, and while nobody answers for the chain.

use std::collections::BTreeMap;

use hearth_answers::NullBackend;
use hearth_base::Height;
use hearth_chain::Standing;

use super::*;
use crate::{
    EarningState, FixedKey, ServiceConfig,
    earning::ReasonCode,
    testing::{MemoryDisk, TableChain, key},
};

mod several;

/// A folder and a chain on which miners are started one after the other.
struct Bench {
    chain: Arc<TableChain>,
    store: Store,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        });
        Bench {
            chain: TableChain::new(25),
            store: store.await.unwrap(),
            clock: Clock::system(),
            folder,
        }
    }

    async fn start(&self, start: bool) -> Miner {
        let key = Arc::new(FixedKey(Arc::new(key(3))));
        self.start_with(start, Arc::new(MemoryDisk::default()), key).await
    }

    async fn start_with(&self, start: bool, disk: Arc<dyn Disk>, keys: Arc<dyn crate::Keys>) -> Miner {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(choose_port(any).await.unwrap(), self.folder.path().to_owned());
        config.services = BTreeMap::from([(ServiceId::new("svc"), ServiceConfig::default())]);
        config.start = start;
        Miner::start_on(
            disk,
            config,
            None,
            &self.store,
            keys,
            Arc::clone(&self.chain) as SharedNetwork,
            self.chain.outbox(&self.store, &self.clock),
            Arc::new(NullBackend::default()),
            self.clock.clone(),
            Tasks::root(),
        )
        .unwrap()
    }
}

impl Miner {
    /// The sessions of the only supplier.
    fn only_sessions(&self) -> Arc<crate::sessions::Sessions> {
        Arc::clone(&self.0.suppliers.borrow().all()[0].sessions)
    }
}

async fn stop(miner: Miner) {
    miner.stop();
    miner.join().await;
}

async fn wait(miner: &Miner, what: &str, wanted: impl Fn(&Earning) -> bool) {
    let mut state = miner.state();
    let reached = tokio::time::timeout(Duration::from_secs(30), state.wait_for(wanted)).await;
    assert!(reached.is_ok(), "{what}: {:?}", miner.state().borrow());
}

fn has(reasons: &[Reason], code: ReasonCode) -> bool {
    reasons.iter().any(|reason| reason.code == code)
}

#[tokio::test]
async fn what_was_on_when_the_program_ended_is_on_again() {
    let bench = Bench::new().await;
    let miner = bench.start(false).await;
    assert_eq!(miner.wanted().await.unwrap(), None);
    miner.earn_start().await.unwrap();
    wait(&miner, "it starts", |earning| earning.state == EarningState::Idle).await;
    stop(miner).await;

    let miner = bench.start(false).await;
    wait(&miner, "it is on again", |earning| {
        earning.state == EarningState::Idle
    })
    .await;
    miner.earn_stop().await.unwrap();
    wait(&miner, "it stops", |earning| !earning.wanted).await;
    stop(miner).await;

    let miner = bench.start(false).await;
    wait(&miner, "it looked", |earning| !earning.wanted).await;
    assert_eq!(miner.wanted().await.unwrap(), Some(false));
    stop(miner).await;

    // The setting holds after every restart.
    let miner = bench.start(true).await;
    wait(&miner, "the setting starts it", |earning| {
        earning.state == EarningState::Idle
    })
    .await;
    stop(miner).await;
}

#[tokio::test]
async fn a_missing_stake_is_said_before_the_start_and_after_it_and_when_it_is_gone() {
    let bench = Bench::new().await;
    let staked = bench.chain.state().supplier.take();
    let miner = bench.start(false).await;
    let needs_stake = |earning: &Earning| has(&earning.reasons, ReasonCode::NeedsStake);
    wait(&miner, "before the start", needs_stake).await;
    miner.earn_start().await.unwrap();
    wait(&miner, "after it", |earning| {
        earning.wanted && needs_stake(earning)
    })
    .await;
    stop(miner).await;

    let miner = bench.start(false).await;
    wait(&miner, "after a restart", |earning| {
        earning.wanted && needs_stake(earning)
    })
    .await;
    bench.chain.state().supplier.clone_from(&staked);
    bench.chain.set_height(26);
    wait(&miner, "with a stake", |earning| {
        earning.state == EarningState::Idle
    })
    .await;

    let leaving = |supplier: &mut Option<hearth_pocket::message::shared::Supplier>| {
        supplier.as_mut().unwrap().unstake_session_end_height = 30;
    };
    leaving(&mut bench.chain.state().supplier);
    bench.chain.set_height(27);
    wait(&miner, "while it leaves", |earning| {
        earning.state == EarningState::Idle && has(&earning.notes, ReasonCode::Unbonding)
    })
    .await;
    bench.chain.set_height(31);
    wait(&miner, "when it left", |earning| {
        matches!(earning.state, EarningState::Off(_)) && needs_stake(earning)
    })
    .await;

    let mut none_sold = staked.unwrap();
    none_sold.services.clear();
    bench.chain.state().supplier = Some(none_sold);
    bench.chain.set_height(32);
    wait(&miner, "without services", |earning| {
        has(&earning.reasons, ReasonCode::NoStakedService)
    })
    .await;
    stop(miner).await;
}

#[tokio::test]
async fn an_endpoint_that_fails_closes_nothing_while_a_session_is_known() {
    let bench = Bench::new().await;
    bench.chain.head.send_modify(|head| head.time = bench.clock.now());
    let miner = bench.start(true).await;
    wait(&miner, "it starts", |earning| earning.state == EarningState::Idle).await;
    let sessions = miner.only_sessions();
    sessions.find(&TableChain::header(25), Height(25)).await.unwrap();

    bench.chain.head.send_modify(|head| {
        head.standing = Standing::Unreachable {
            why: "no endpoint answers".to_owned(),
        };
    });
    wait(&miner, "it is noted", |earning| {
        has(&earning.notes, ReasonCode::ChainUnreachable)
    })
    .await;
    assert_eq!(miner.state().borrow().state, EarningState::Idle);

    // The session of blocks 21 to 30 is over by now.
    let long_ago = bench.clock.now() - Duration::from_secs(24 * 3600);
    bench.chain.head.send_modify(|head| head.time = long_ago);
    wait(&miner, "the session is over", |earning| {
        matches!(earning.state, EarningState::Off(_)) && has(&earning.reasons, ReasonCode::ChainUnreachable)
    })
    .await;
    stop(miner).await;
}

#[tokio::test]
async fn a_key_that_cannot_pay_for_claims_begins_no_session_and_says_how_much_is_missing() {
    let bench = Bench::new().await;
    bench.chain.head.send_modify(|head| head.time = bench.clock.now());
    bench.chain.state().proof_fee = 700_000;
    let miner = bench.start(true).await;
    wait(&miner, "it starts", |earning| earning.state == EarningState::Idle).await;
    let sessions = miner.only_sessions();
    sessions.find(&TableChain::header(25), Height(25)).await.unwrap();
    // Its claim and one more take 1.4 POKT.
    bench.chain.set_height(26);
    wait(&miner, "it is noted", |earning| {
        has(&earning.notes, ReasonCode::NoFunds)
    })
    .await;
    let told = miner.state().borrow().clone();
    let fact = &told
        .notes
        .iter()
        .find(|note| note.code == ReasonCode::NoFunds)
        .unwrap()
        .fact;
    assert!(
        fact.contains("send 0.400000 POKT") && fact.contains(key(3).address().as_str()),
        "{fact}"
    );
    assert_eq!(miner.reserve(key(3).address()).await.unwrap().upokt(), 1_400_000);
    // What is open is served to its end, nothing is begun.
    assert_eq!(told.state, EarningState::Idle);
    sessions.find(&TableChain::header(25), Height(25)).await.unwrap();
    let other = TableChain::header_of(&key(100), 25);
    let refused = sessions.find(&other, Height(25)).await.unwrap_err();
    assert!(refused.to_string().contains("begins no session"), "{refused}");
    // Without one that is open it stands in the way.
    let long_ago = bench.clock.now() - Duration::from_secs(24 * 3600);
    bench.chain.head.send_modify(|head| head.time = long_ago);
    wait(&miner, "the session is over", |earning| {
        matches!(earning.state, EarningState::Off(_)) && has(&earning.reasons, ReasonCode::NoFunds)
    })
    .await;
    bench.chain.state().balance = 5_000_000;
    bench.chain.set_height(27);
    wait(&miner, "with money", |earning| {
        earning.state == EarningState::Idle
    })
    .await;
    sessions.find(&other, Height(25)).await.unwrap();
    stop(miner).await;
}

#[tokio::test]
async fn a_record_that_somebody_else_changes_is_told_until_it_is_accepted_or_changed_back() {
    let bench = Bench::new().await;
    let miner = bench.start(false).await;
    let changed = |earning: &Earning| has(&earning.notes, ReasonCode::RecordChanged);
    let known = async || miner.0.db.known_record(key(3).address().as_str()).await.unwrap();
    while known().await.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = bench.chain.state().supplier.clone();
    let robbed = |supplier: &mut Option<hearth_pocket::message::shared::Supplier>| {
        supplier.as_mut().unwrap().services[0].rev_share[0].address = key(9).address().to_string();
    };
    robbed(&mut bench.chain.state().supplier);
    bench.chain.set_height(26);
    wait(&miner, "it is told", changed).await;
    let told = miner.state().borrow().notes.clone();
    let note = told
        .iter()
        .find(|note| note.code == ReasonCode::RecordChanged)
        .unwrap();
    assert!(
        note.fact.contains("100 % to") && note.fact.contains(key(9).address().as_str()),
        "{note:?}"
    );
    // Changed back.
    bench.chain.state().supplier.clone_from(&before);
    bench.chain.set_height(27);
    wait(&miner, "it is as it was", |earning| !changed(earning)).await;
    // Accepted, also over a restart.
    robbed(&mut bench.chain.state().supplier);
    bench.chain.set_height(28);
    wait(&miner, "it is told again", changed).await;
    stop(miner).await;
    let miner = bench.start(false).await;
    wait(&miner, "after a restart", changed).await;
    miner.acknowledge_record(None).await.unwrap();
    wait(&miner, "it is accepted", |earning| !changed(earning)).await;
    bench.chain.set_height(29);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!changed(&miner.state().borrow()));
    stop(miner).await;
}
