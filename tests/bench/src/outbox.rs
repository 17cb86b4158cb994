//! Claims through the outbox, over the embedded chain: how many share a transaction, how long the outbox takes for them,
//! and what sharing saves against one transaction for each.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hearth_base::{Amount, Clock, Height, ServiceId, Tasks};
use hearth_chain::{Anchor, Chain, ChainEvent, Config as ChainConfig};
use hearth_devnet::{Account, Blocks, Config as DevnetConfig, Devnet};
use hearth_outbox::{Args, Intent, Outbox, Outcome, Reason, Signers};
use hearth_pocket::{
    Address, SecretKey, Signer,
    keys::SignError,
    message::{
        Any, Coin, TypeUrl as _,
        application::Application,
        proof::MsgCreateClaim,
        shared::{
            ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, Supplier, SupplierEndpoint,
            SupplierServiceConfig,
        },
    },
    session::Timing,
};
use hearth_store::Store;

use crate::table::{as_f64, figure, per_second, section};

const SERVICE: &str = "tiny-model";
const COMPUTE_UNITS: u64 = 1_000;
const ANSWERS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run() -> anyhow::Result<()> {
    section("outbox (claims of one window, embedded chain)");
    for n in [1, 20, 200] {
        let shared = claimed(n, true).await?;
        let alone = claimed(n, false).await?;
        let name = format!("{n} claims due in one window");
        let seconds = shared.time.as_secs_f64();
        figure(
            &name,
            &format!("{:.1} per tx", as_f64(n) / as_f64(shared.n_txs)),
            &format!(
                "{} transactions; {} of outbox time",
                shared.n_txs,
                per_second(as_f64(n) / seconds)
            ),
        );
        let part = |own: f64, other: f64| format!("{:.0} %", 100.0 * own / other);
        figure(
            "  beside one claim, one transaction",
            &format!("bytes {}", part(as_f64(shared.bytes), as_f64(alone.bytes))),
            &format!(
                "fees {}; {} in {} transactions alone",
                part(fees(shared.fees), fees(alone.fees)),
                per_second(as_f64(n) / alone.time.as_secs_f64()),
                alone.n_txs
            ),
        );
    }
    Ok(())
}

fn fees(amount: Amount) -> f64 {
    as_f64(usize::try_from(amount.upokt()).unwrap_or(usize::MAX))
}

/// What claims took.
struct Cost {
    n_txs: usize,
    bytes: usize,
    fees: Amount,
    /// What the outbox worked on them.
    time: Duration,
}

struct Operator(Arc<SecretKey>);

impl Signers for Operator {
    fn signer(&self, _account: &Address) -> Result<Arc<dyn Signer>, SignError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Signer>)
    }
}

struct World {
    devnet: Devnet,
    chain: Chain,
    outbox: Outbox,
    operator: Arc<SecretKey>,
    applications: Vec<SecretKey>,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// Claims so many sessions, in shared transactions or each in its own, and follows them to their money.
async fn claimed(n: usize, together: bool) -> anyhow::Result<Cost> {
    let world = World::start(n).await?;
    let timing = Timing::from(&world.chain.params().await?.value().shared);
    // The second session: nothing proves the state before a chain's first block.
    let start = Height(timing.bounds_at(Height(1)).end.0 + 1);
    let windows = timing.windows(timing.bounds_at(start).end);
    world.produce_to(Height(start.0 + 1)).await?;
    let intents = world.intents(start, windows.claim_close).await?;
    world.produce_to(windows.claim_open).await?;
    let mut time = Duration::ZERO;
    let mut look = async || {
        let began = Instant::now();
        world.outbox.look().await;
        time += began.elapsed();
    };
    let mut items = Vec::new();
    for intent in &intents {
        items.push(world.outbox.put_with_others(intent).await?.id());
        if !together {
            look().await;
        }
    }
    look().await;
    // Its block, and the one that proves it.
    for _ in 0..2 {
        world.produce_to(Height(world.devnet.height().0 + 1)).await?;
        look().await;
    }
    let mut txs: BTreeMap<String, Amount> = BTreeMap::new();
    for id in items {
        let item = world.outbox.item(id).await?.context("it is kept")?;
        let outcome = item
            .state
            .outcome()
            .with_context(|| format!("{:?}", item.state))?;
        ensure!(matches!(outcome, Outcome::Included { .. }), "{outcome}");
        let part = item.tx.context("a transaction")?;
        txs.insert(part.hash.context("its hash")?, part.fee);
    }
    let mut bytes = 0;
    for hash in txs.keys() {
        let hash: Vec<u8> = hex::decode(hash)?;
        let hash = hash
            .try_into()
            .map_err(|_| anyhow::anyhow!("a hash has 32 bytes"))?;
        bytes += world
            .chain
            .tx(&hash)
            .await?
            .context("it is in a block")?
            .bytes
            .len();
    }
    let n_settled = world.settled(windows.settlement).await?;
    ensure!(n_settled == n, "{n_settled} of {n} claims were settled");
    world.stop().await;
    Ok(Cost {
        n_txs: txs.len(),
        bytes,
        fees: txs.into_values().sum(),
        time,
    })
}

impl World {
    async fn start(n: usize) -> anyhow::Result<World> {
        let (folder, tasks) = (tempfile::tempdir()?, Tasks::root());
        let operator = Arc::new(key(1)?);
        let applications = (0..n)
            .map(|number| key(1_000 + number))
            .collect::<Result<Vec<_>, _>>()?;
        let mut config = DevnetConfig::for_tests(folder.path().join("devnet.db"), tasks.child("devnet"));
        config.blocks = Blocks::Manual;
        let genesis = &mut config.genesis;
        // Whether claims need proofs is another figure.
        genesis.params.proof.proof_request_probability = 0.0;
        genesis.params.proof.proof_requirement_threshold = Some(Coin::upokt(Amount::from_upokt(1 << 60)));
        let address = operator.address().to_string();
        let funds = Amount::from_upokt(1_000_000_000);
        let mut account = Account::named("operator", funds);
        account.address.clone_from(&address);
        genesis.accounts.push(account);
        genesis.services.push(Service {
            id: SERVICE.to_owned(),
            name: "A tiny model".to_owned(),
            compute_units_per_relay: COMPUTE_UNITS,
            owner_address: address.clone(),
            metadata: None,
        });
        genesis.suppliers.push(supplier(&address));
        genesis.applications.extend(applications.iter().map(application));
        let devnet = Devnet::start(config).await?;
        devnet.produce(1).await?;
        let trust = devnet.trust();
        let hash: Vec<u8> = hex::decode(&trust.hash)?;
        let config = ChainConfig {
            trust: Some(Anchor {
                height: trust.height,
                hash: hash
                    .try_into()
                    .map_err(|_| anyhow::anyhow!("a hash has 32 bytes"))?,
            }),
            anchor_rules: true,
            poll: Duration::from_millis(20),
            ..ChainConfig::new(devnet.chain_id(), vec![devnet.rpc_url().parse()?])
        };
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: config.chain_id.clone(),
            max_pages: None,
        })
        .await?;
        let chain = Chain::start(hearth_chain::Args {
            config,
            store: store.clone(),
            clock: Clock::system(),
            tasks: tasks.child("chain"),
        })?;
        let outbox = Outbox::new(Args {
            store,
            network: Arc::new(chain.clone()),
            signers: Arc::new(Operator(Arc::clone(&operator))),
            clock: Clock::system(),
            first_pause: Duration::ZERO,
        });
        let world = World {
            devnet,
            chain,
            outbox,
            operator,
            applications,
            tasks,
            _folder: folder,
        };
        world.produce_to(Height(3)).await?;
        Ok(world)
    }

    /// Makes blocks up to a height, and waits until the head is followed there.
    async fn produce_to(&self, height: Height) -> anyhow::Result<()> {
        let missing = height.since(self.devnet.height());
        self.devnet.produce(missing).await?;
        let mut head = self.chain.head();
        let there = head.wait_for(|head| head.verified_height >= height);
        tokio::time::timeout(PATIENCE, there).await??;
        Ok(())
    }

    /// A claim for the session of every application that begins at `start`.
    async fn intents(&self, start: Height, last: Height) -> anyhow::Result<Vec<Intent>> {
        let mut intents = Vec::new();
        for (number, application) in self.applications.iter().enumerate() {
            let service = ServiceId::new(SERVICE);
            let session = self.chain.session(application.address(), &service, start).await?;
            let header = session.into_value().header.context("a session has a header")?;
            let claim = MsgCreateClaim {
                supplier_operator_address: self.operator.address().to_string(),
                session_header: Some(header.clone()),
                root_hash: root(number),
            };
            intents.push(Intent {
                account: self.operator.address().clone(),
                reason: Reason::Claim,
                about: header.session_id,
                messages: vec![claim.to_any()] as Vec<Any>,
                memo: String::new(),
                counterparty: None,
                amount: Amount::ZERO,
                max_fee: Amount::from_upokt(1_000),
                last_height: Some(last),
                after: None,
                is_patient: true,
            });
        }
        Ok(intents)
    }

    /// How many claims the settlement paid.
    async fn settled(&self, height: Height) -> anyhow::Result<usize> {
        let mut n_settled = 0;
        for height in height.0..=height.0 + 2 {
            self.produce_to(Height(height)).await?;
            let block = self.chain.events_of(Height(height)).await?;
            let is_paid = |event: &ChainEvent| matches!(event, ChainEvent::ClaimSettled(_));
            n_settled += block
                .events
                .iter()
                .filter(|placed| is_paid(&placed.event))
                .count();
        }
        Ok(n_settled)
    }

    async fn stop(self) {
        self.chain.stop();
        self.chain.join().await;
        self.devnet.stop();
        self.devnet.join().await;
        self.tasks.stop();
    }
}

fn key(number: usize) -> anyhow::Result<SecretKey> {
    let mut bytes = [7; 32];
    bytes[24..].copy_from_slice(&(number as u64).to_be_bytes());
    Ok(SecretKey::from_bytes(&bytes)?)
}

/// The root of a tree with a few answers: a hash, the sum and the count.
fn root(number: usize) -> Vec<u8> {
    let mut root = vec![1; 24];
    root.extend((number as u64).to_be_bytes());
    root.extend((ANSWERS * COMPUTE_UNITS).to_be_bytes());
    root.extend(ANSWERS.to_be_bytes());
    root
}

fn supplier(address: &str) -> Supplier {
    Supplier {
        owner_address: address.to_owned(),
        operator_address: address.to_owned(),
        stake: Some(Coin::upokt(Amount::from_upokt(60_000 * Amount::UPOKT_PER_POKT))),
        services: vec![SupplierServiceConfig {
            service_id: SERVICE.to_owned(),
            endpoints: vec![SupplierEndpoint {
                url: "http://127.0.0.1:4328".to_owned(),
                rpc_type: RpcType::Rest.into(),
                configs: Vec::new(),
            }],
            rev_share: vec![ServiceRevenueShare {
                address: address.to_owned(),
                rev_share_percentage: 100,
            }],
        }],
        ..Supplier::default()
    }
}

fn application(key: &SecretKey) -> Application {
    Application {
        address: key.address().to_string(),
        stake: Some(Coin::upokt(Amount::from_upokt(50_000 * Amount::UPOKT_PER_POKT))),
        service_configs: vec![ApplicationServiceConfig {
            service_id: SERVICE.to_owned(),
        }],
        ..Application::default()
    }
}
