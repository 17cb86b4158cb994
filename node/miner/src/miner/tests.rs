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
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(choose_port(any).await.unwrap(), self.folder.path().to_owned());
        config.services = BTreeMap::from([(ServiceId::new("svc"), ServiceConfig::default())]);
        config.start = start;
        Miner::start_on(
            Arc::new(MemoryDisk::default()),
            config,
            None,
            &self.store,
            Arc::new(FixedKey(Arc::new(key(3)))),
            Arc::clone(&self.chain) as SharedNetwork,
            Arc::new(NullBackend::default()),
            self.clock.clone(),
            Tasks::root(),
        )
        .unwrap()
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
    let sessions = miner.0.sessions.borrow().clone().unwrap();
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
