//! How much the chain is asked by whoever opens the pages: a few questions at once for the first time in a block, none
//! after that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hearth_api::{
    control::types::{NetworkName, Trust},
    parts::{
        Money, NetworkStatus, Roles,
        adapters::{ChainMoney, ChainNetworkStatus, ChainRoles, KnownProgram, ListedServices},
    },
};
use hearth_base::{Amount, Clock, Height, Tasks};
use hearth_chain::{Anchor, Chain};
use hearth_devnet::{Blocks, Devnet, Fault};
use hearth_gateway::{Gateway, VerifiedChain};
use hearth_outbox::Outbox;
use hearth_pocket::{
    Signer as _,
    message::{TypeUrl as _, service::MsgAddService, shared::Service},
};
use hearth_store::Store;
use hearth_wallet::{Cost, Wallet};

use crate::parts::Fake;

/// How far away the endpoint is.
const FAR: Duration = Duration::from_millis(300);

struct World {
    devnet: Devnet,
    chain: Chain,
    money: ChainMoney,
    network: ChainNetworkStatus,
    roles: ChainRoles,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// What the parts of the surface stand on.
struct Below {
    chain: Chain,
    wallet: Wallet,
    store: Store,
    outbox: Outbox,
}

impl World {
    /// A chain that stands still, followed to its end and not looked at again.
    async fn start() -> World {
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::root();
        let config = hearth_devnet::Config::for_tests(folder.path().join("devnet.db"), tasks.clone());
        let devnet = Devnet::start(hearth_devnet::Config {
            blocks: Blocks::Manual,
            ..config
        })
        .await
        .unwrap();
        let config = hearth_wallet::Config {
            folder: folder.path().join("keystore"),
            cost: Cost::PLAY,
        };
        let wallet = Wallet::open(config, Clock::system()).unwrap();
        wallet.create("correct horse").unwrap();
        let main = wallet.address(hearth_wallet::Purpose::Owner).unwrap();
        devnet
            .faucet(main.as_str(), Amount::from_upokt(5_000_000))
            .unwrap();
        let last = devnet.produce(12).await.unwrap();
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: devnet.chain_id(),
            max_pages: None,
        })
        .await
        .unwrap();
        let trust = devnet.trust();
        let chain = Chain::start(hearth_chain::Args {
            config: hearth_chain::Config {
                trust: Some(Anchor {
                    height: trust.height,
                    hash: hex::decode(&trust.hash).unwrap().try_into().unwrap(),
                }),
                poll: Duration::from_secs(3600),
                ..hearth_chain::Config::new(devnet.chain_id(), vec![devnet.rpc_url().parse().unwrap()])
            },
            store: store.clone(),
            clock: Clock::system(),
            tasks: tasks.child("chain"),
        })
        .unwrap();
        let outbox = Outbox::new(hearth_outbox::Args {
            store: store.clone(),
            network: Arc::new(chain.clone()),
            signers: Arc::new(wallet.clone()),
            clock: Clock::system(),
            first_pause: Duration::from_secs(1),
        });
        let gateway = Gateway::start(hearth_gateway::Args {
            config: hearth_gateway::Config::default(),
            chain: Arc::new(VerifiedChain(chain.clone())),
            keys: Arc::new(wallet.clone()),
            store: store.clone(),
            clock: Clock::system(),
            tasks: tasks.child("gateway"),
        })
        .unwrap();
        chain
            .reach(Height(last.0 - 1), Duration::from_secs(20))
            .await
            .unwrap();
        World::of(
            devnet,
            Below {
                chain,
                wallet,
                store,
                outbox,
            },
            gateway,
            tasks,
            folder,
        )
    }

    fn of(devnet: Devnet, below: Below, gateway: Gateway, tasks: Tasks, folder: tempfile::TempDir) -> World {
        let Below {
            chain,
            wallet,
            store,
            outbox,
        } = below;
        let name = NetworkName {
            name: "devnet".to_owned(),
            chain_id: devnet.chain_id().to_string(),
            is_devnet: true,
        };
        let returns = hearth_roles::Returns::new(&store, chain.clone());
        World {
            money: ChainMoney {
                chain: chain.clone(),
                wallet: wallet.clone(),
                outbox: outbox.clone(),
                earn: Arc::new(Fake::default()),
                relay: Arc::new(Fake::default()),
                returns: returns.clone(),
                settlements: hearth_roles::Settlements::new(&store, chain.clone(), wallet.clone(), returns),
                faucet: None,
                block_within: Duration::from_secs(10),
            },
            network: ChainNetworkStatus {
                name,
                chain: chain.clone(),
                wallet: wallet.clone(),
                gateway,
                trust_source: "this computer's devnet".to_owned(),
                listed: ListedServices::default(),
                program: KnownProgram::default(),
            },
            roles: ChainRoles {
                roles: hearth_roles::Roles {
                    chain: chain.clone(),
                    wallet,
                    outbox,
                    store,
                    clock: Clock::system(),
                    allows_local_suppliers: true,
                    applications_sign: false,
                },
                relay_url: None,
                block_within: Duration::from_secs(10),
                is_play: true,
            },
            devnet,
            chain,
            tasks,
            _folder: folder,
        }
    }

    /// What opening a page asks, and how long it takes.
    async fn asked<T>(&self, page: impl Future<Output = T>) -> (T, u64, Duration) {
        let (before, began) = (self.chain.questions(), Instant::now());
        let page = page.await;
        (page, self.chain.questions() - before, began.elapsed())
    }

    async fn stop(self) {
        self.chain.stop();
        self.chain.join().await;
        self.devnet.stop();
        self.devnet.join().await;
        self.tasks.stop();
    }
}

#[tokio::test]
async fn opening_the_pages_asks_a_few_questions_at_once_and_none_again_in_the_same_block() {
    let world = World::start().await;
    let far = Fault::RpcDelay {
        method: None,
        delay_ms: u64::try_from(FAR.as_millis()).unwrap(),
    };
    world.devnet.fault(far, None);

    let (balances, questions, took) = world.asked(world.money.balances()).await;
    let balances = balances.unwrap();
    assert_eq!(
        (balances.total.0.upokt(), balances.standing.trust),
        (5_000_000, Trust::Proven)
    );
    // Of two accounts: the balance, what each is as application, gateway and supplier, with the index of its services.
    assert!((1..=10).contains(&questions), "Wallet: {questions}");
    assert!(took < FAR * 4, "Wallet: {took:?}");

    let (page, questions, took) = world.asked(world.network.page()).await;
    let page = page.unwrap();
    assert!(page.session.is_some() && page.endpoints[0].asked > 0);
    // The parameters of the session with their history, the chain's program and its plan, and the list of services with that of suppliers of each.
    let services = page.services.len().min(12) as u64;
    assert!(questions <= 5 + services, "Network: {questions}");
    assert!(took < FAR * 6, "Network: {took:?}");

    let (roles, questions, took) = world.asked(world.roles.page()).await;
    assert!(roles.unwrap().supplier.is_none());
    // The parameters of eight modules.
    assert!(questions <= 8, "Roles: {questions}");
    assert!(took < FAR * 4, "Roles: {took:?}");

    for _ in 0..3 {
        let (_, wallet, _) = world.asked(world.money.balances()).await;
        let (_, network, _) = world.asked(world.network.page()).await;
        let (_, roles, _) = world.asked(world.roles.page()).await;
        assert_eq!((wallet, network, roles), (0, 0, 0));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_service_of_the_newest_block_is_shown_before_it_is_proven() {
    let world = World::start().await;
    let wallet = &world.roles.roles.wallet;
    let signer = wallet.signer(hearth_wallet::Purpose::Owner).unwrap();
    let owner = signer.address().to_string();
    let message = MsgAddService {
        owner_address: owner.clone(),
        service: Service {
            id: "fresh".to_owned(),
            name: "Just made".to_owned(),
            compute_units_per_relay: 7,
            owner_address: owner,
            metadata: None,
        },
    };
    let options = hearth_chain::Options {
        least_fee: Some(Amount::from_upokt(1_000)),
        ..hearth_chain::Options::default()
    };
    let prepared = world
        .chain
        .prepare(&signer, vec![message.to_any()], &options)
        .await;
    let signed = world.chain.sign(&signer, &prepared.unwrap()).unwrap();
    assert!(world.roles.service("fresh").await.is_err());
    world.chain.broadcast(&signed).await.unwrap();
    world.devnet.produce(1).await.unwrap();
    let found = world.roles.service("fresh").await.unwrap();
    assert_eq!(
        (found.service.name.as_str(), found.service.is_own),
        ("Just made", true)
    );
    world.stop().await;
}
