//! The wallet's money over the embedded chain.

mod history;

use std::{sync::Arc, time::Duration};

use hearth_api::{
    control::types::{Direction, FaucetOrder, FeeChoice, MovementKind, PaymentState, SendDraft, Upokt},
    parts::{
        HistoryFilter, Money, Window,
        adapters::{ChainMoney, ChainRoles, DevnetFaucet},
    },
};
use hearth_base::{Amount, Clock, Tasks};
use hearth_chain::{Anchor, Chain, Faucet, Options, valid_until};
use hearth_devnet::{Account, Blocks, Devnet, Fault, Genesis};
use hearth_outbox::{Outbox, Outcome, State};
use hearth_pocket::{
    Signer,
    message::{Coin, TypeUrl, cosmos::MsgSend},
};
use hearth_roles::{Returns, Settlements};
use hearth_store::Store;
use hearth_wallet::{Cost, Purpose, Wallet};

use crate::parts::Fake;

const BLOCK: Duration = Duration::from_millis(100);
const ALL: Window = Window {
    limit: 100,
    offset: 0,
};

/// A wallet with play money on a devnet.
pub(crate) struct World {
    devnet: Devnet,
    pub(crate) chain: Chain,
    pub(crate) wallet: Wallet,
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
    pub(crate) money: ChainMoney,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> World {
        World::with(|wallet| drop(wallet.create("correct horse").unwrap())).await
    }

    /// One whose wallet was made otherwise. Its owner gets the play money.
    pub(crate) async fn with(make: impl FnOnce(&Wallet)) -> World {
        World::on(make, |_| {}).await
    }

    /// The same on a chain that begins otherwise.
    pub(crate) async fn on(make: impl FnOnce(&Wallet), begin: impl FnOnce(&mut Genesis)) -> World {
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::root();
        let config = hearth_devnet::Config::for_tests(folder.path().join("devnet.db"), tasks.clone());
        let mut genesis = config.genesis.clone();
        begin(&mut genesis);
        let devnet = Devnet::start(hearth_devnet::Config {
            genesis,
            blocks: Blocks::Every(BLOCK),
            ..config
        })
        .await
        .unwrap();
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: devnet.chain_id(),
            max_pages: None,
        })
        .await
        .unwrap();
        let trust = devnet.trust();
        let rpc: url::Url = devnet.rpc_url().parse().unwrap();
        let chain = Chain::start(hearth_chain::Args {
            config: hearth_chain::Config {
                trust: Some(Anchor {
                    height: trust.height,
                    hash: hex::decode(&trust.hash).unwrap().try_into().unwrap(),
                }),
                poll: BLOCK / 4,
                ..hearth_chain::Config::new(devnet.chain_id(), vec![rpc.clone()])
            },
            store: store.clone(),
            clock: Clock::system(),
            tasks: tasks.child("chain"),
        })
        .unwrap();
        let config = hearth_wallet::Config {
            folder: folder.path().join("keystore"),
            cost: Cost::PLAY,
        };
        let wallet = Wallet::open(config, Clock::system()).unwrap();
        make(&wallet);
        let outbox = Outbox::new(hearth_outbox::Args {
            store: store.clone(),
            network: Arc::new(chain.clone()),
            signers: Arc::new(wallet.clone()),
            clock: Clock::system(),
            first_pause: BLOCK,
        });
        outbox.start(&tasks.child("outbox"));
        let account = Account::named("faucet", Amount::ZERO).address;
        let returns = Returns::new(&store, chain.clone());
        let money = ChainMoney {
            chain: chain.clone(),
            wallet: wallet.clone(),
            outbox: outbox.clone(),
            earn: Arc::new(Fake::default()),
            faucet: Some(DevnetFaucet {
                faucet: Faucet::new(rpc).unwrap(),
                account: account.parse().unwrap(),
            }),
            block_within: Duration::from_secs(10),
            relay: Arc::new(Fake::default()),
            returns: returns.clone(),
            settlements: Settlements::new(&store, chain.clone(), wallet.clone(), returns),
        };
        let world = World {
            devnet,
            chain,
            wallet,
            store,
            outbox,
            money,
            tasks,
            _folder: folder,
        };
        world.give("main", Amount::from_upokt(5_000_000)).await;
        world
    }

    /// Gives play money to an account, and waits until its new balance is proven: by the block after that of the gift.
    pub(crate) async fn give(&self, to: &str, amount: Amount) {
        let order = FaucetOrder {
            to: to.to_owned(),
            amount: Upokt(amount),
        };
        let at = self.money.faucet(&order).await.unwrap().height;
        let mut head = self.chain.head();
        head.wait_for(|head| head.verified_height.0 > at).await.unwrap();
    }

    /// The roles of this wallet.
    pub(crate) fn roles(&self) -> ChainRoles {
        ChainRoles {
            roles: hearth_roles::Roles {
                chain: self.chain.clone(),
                wallet: self.wallet.clone(),
                outbox: self.outbox.clone(),
                store: self.store.clone(),
                clock: Clock::system(),
                allows_local_suppliers: true,
                applications_sign: false,
            },
            relay_url: None,
            block_within: Duration::from_secs(10),
            is_play: true,
        }
    }

    pub(crate) async fn stop(self) {
        self.chain.stop();
        self.chain.join().await;
        self.devnet.stop();
        self.devnet.join().await;
        self.tasks.stop();
    }

    /// A payment of 1,000 upokt whose sender did not see its end, as an earlier form kept it.
    async fn note(&self, tx_hash: &str, until_ms: Option<i64>) {
        let account = self.wallet.address(Purpose::Owner).unwrap();
        let mut db = self.store.pool().begin().await.unwrap();
        let item = sqlx::query(
            "INSERT INTO outbox_item (at_ms, account, reason, about, amount_upokt, memo, max_fee_upokt, is_patient, \
             stage, state, updated_ms) VALUES (?, ?, 'payment', ?, '1000', '', '1', 0, 'signed', \
             '{\"version\":1,\"state\":\"signed\"}', 0)",
        )
        .bind(Clock::system().now_ms())
        .bind(account.as_str())
        .bind(tx_hash)
        .execute(&mut *db)
        .await
        .unwrap()
        .last_insert_rowid();
        let tx = sqlx::query(
            "INSERT INTO outbox_tx (account, hash, fee_upokt, until_ns, kept_ms) VALUES (?, ?, '1', ?, 0)",
        )
        .bind(account.as_str())
        .bind(tx_hash)
        .bind(until_ms.map(|until| until * 1_000_000))
        .execute(&mut *db)
        .await
        .unwrap()
        .last_insert_rowid();
        sqlx::query("INSERT INTO outbox_part (tx, item) VALUES (?, ?)")
            .bind(tx)
            .bind(item)
            .execute(&mut *db)
            .await
            .unwrap();
        db.commit().await.unwrap();
    }

    async fn state(&self, tx_hash: &str) -> State {
        let (items, _) = self.outbox.newest(100, 0).await.unwrap();
        let is_it = |item: &hearth_outbox::Item| {
            item.tx
                .as_ref()
                .is_some_and(|tx| tx.hash.as_deref() == Some(tx_hash))
        };
        items.into_iter().find(is_it).unwrap().state
    }

    async fn ended(&self, tx_hash: &str) -> Outcome {
        let ended = async {
            loop {
                if let Some(outcome) = self.state(tx_hash).await.outcome() {
                    return outcome.clone();
                }
                tokio::time::sleep(BLOCK).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended)
            .await
            .expect("the payment ends")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn play_money_is_shown_as_what_it_is() {
    let world = World::start().await;
    let gift = async {
        loop {
            let history = world.money.history(ALL, &HistoryFilter::default()).await.unwrap();
            if let Some(movement) = history.movements.into_iter().next() {
                return movement;
            }
            tokio::time::sleep(BLOCK).await;
        }
    };
    let gift = tokio::time::timeout(Duration::from_secs(20), gift).await.unwrap();
    assert_eq!((gift.kind, gift.direction), (MovementKind::Faucet, Direction::In));
    assert_eq!(gift.amount, Upokt(Amount::from_upokt(5_000_000)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_the_chain_does_not_take_is_refused_at_the_review() {
    // W34: 256 letters of two bytes each.
    let world = World::start().await;
    let draft = SendDraft {
        from: "main".to_owned(),
        to: Account::named("somebody", Amount::ZERO).address,
        amount: Upokt(Amount::from_upokt(1000)),
        memo: Some("é".repeat(256)),
        below_reserve: false,
        max: false,
        fee: FeeChoice::Normal,
    };
    let error = world.money.review(&draft).await.unwrap_err();
    assert_eq!(error.code, "memo_too_long", "{error:?}");
    let error = world.money.pay(&draft, Upokt(Amount::ZERO)).await.unwrap_err();
    assert_eq!(error.code, "memo_too_long", "{error:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_whose_end_nobody_saw_is_settled_by_the_next_reading() {
    let world = World::start().await;
    let signer = world.wallet.signer(Purpose::Owner).unwrap();
    let to = world.wallet.address(Purpose::Operator).unwrap();
    let message = MsgSend {
        from_address: signer.address().to_string(),
        to_address: to.to_string(),
        amount: vec![Coin::upokt(Amount::from_upokt(1000))],
    };
    let options = Options::default();
    let prepared = world
        .chain
        .prepare(&signer, vec![message.to_any()], &options)
        .await
        .unwrap();
    let signed = world.chain.sign(&signer, &prepared).unwrap();
    let until = valid_until(&signed).expect("it is valid for a while only");
    let (hash, until_ms) = (signed.hash_text(), until.unix_timestamp() * 1000);
    world.note(&hash, Some(until_ms)).await;
    world.outbox.look().await;
    assert_eq!(
        world.state(&hash).await.stage(),
        "signed",
        "it was not sent yet and has time"
    );
    world.chain.broadcast(&signed).await.unwrap();
    let outcome = world.ended(&hash).await;
    assert!(
        matches!(&outcome, Outcome::Included { height, .. } if height.0 > 0),
        "{outcome:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_no_block_can_take_any_more_is_given_up() {
    let world = World::start().await;
    let (late, open, endless) = ("0A".repeat(32), "0B".repeat(32), "0C".repeat(32));
    let now_ms = Clock::system().now_ms();
    world.note(&late, Some(now_ms - 3_600_000)).await;
    world.note(&open, Some(now_ms + 3_600_000)).await;
    world.note(&endless, None).await;
    assert_eq!(world.ended(&late).await, Outcome::Expired { tx: late });
    assert_eq!(world.state(&open).await.stage(), "signed");
    assert_eq!(world.state(&endless).await.stage(), "signed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lying_endpoint_makes_no_payment_twice_and_none_look_undone() {
    let world = World::start().await;
    let lie = hearth_devnet::Fault::RefusesWhatItTakes {
        codespace: "sdk".to_owned(),
        code: 5,
        log: "spendable balance 1upokt is smaller: insufficient funds".to_owned(),
    };
    let to = Account::named("somebody", Amount::ZERO).address;
    let draft = SendDraft {
        from: "main".to_owned(),
        to: to.clone(),
        amount: Upokt(Amount::from_upokt(1_000_000)),
        memo: None,
        below_reserve: false,
        max: false,
        fee: FeeChoice::Normal,
    };
    // The play money is proven a block later than it is there.
    let reviewed = async {
        loop {
            match world.money.review(&draft).await {
                Ok(review) => return review,
                Err(error) => assert_eq!(error.code, "not_enough", "{error:?}"),
            }
            tokio::time::sleep(BLOCK).await;
        }
    };
    let review = tokio::time::timeout(Duration::from_secs(20), reviewed)
        .await
        .unwrap();
    world.devnet.fault(lie, None);
    world.devnet.fault(hearth_devnet::Fault::HidesTransactions, None);
    let error = world.money.pay(&draft, review.fee).await.unwrap_err();
    assert_eq!(error.code, "not_seen", "{error:?}");
    let history = world.money.history(ALL, &HistoryFilter::default()).await.unwrap();
    let [payment] = history.payments.as_slice() else {
        panic!("{:?}", history.payments)
    };
    let payment = payment.clone();
    assert_eq!(payment.state, PaymentState::OnItsWay);

    // The owner tries again, as anybody would: the same bytes are sent.
    match world.money.pay(&draft, review.fee).await {
        Ok(sent) => assert_eq!(sent.tx, payment.tx),
        Err(error) => assert_eq!(error.code, "not_seen", "{error:?}"),
    }
    world.devnet.clear_faults();
    let outcome = world.ended(&payment.tx).await;
    assert!(matches!(outcome, Outcome::Included { .. }), "{outcome:?}");
    let paid = world.chain.balance(&to.parse().unwrap()).await.unwrap();
    assert_eq!(*paid.value(), Amount::from_upokt(1_000_000), "paid once");
    assert_eq!(world.outbox.newest(100, 0).await.unwrap().1, 1);

    // What has ended may be paid again, on purpose.
    let other = world.money.pay(&draft, review.fee).await.unwrap();
    assert_ne!(other.tx, payment.tx);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_chain_the_wallets_own_notes_are_shown_and_what_is_missing_is_said() {
    let world = World::start().await;
    let whole = world.money.history(ALL, &HistoryFilter::default()).await.unwrap();
    assert_eq!(whole.missing, Vec::new());
    let (paid, open) = ("0A".repeat(32), "0B".repeat(32));
    world.note(&paid, None).await;
    world.note(&open, None).await;
    let included =
        format!(r#"{{"version":1,"state":"ended","outcome":"included","tx":"{paid}","height":7}}"#);
    sqlx::query("UPDATE outbox_item SET stage = 'ended', state = ? WHERE about = ?")
        .bind(included)
        .bind(&paid)
        .execute(world.store.pool())
        .await
        .unwrap();
    world.devnet.stop();
    world.devnet.join().await;
    for window in [ALL, Window::ALL] {
        let history = world
            .money
            .history(window, &HistoryFilter::default())
            .await
            .unwrap();
        let own: Vec<_> = history
            .movements
            .iter()
            .filter_map(|one| one.tx.as_deref())
            .collect();
        assert_eq!(own, [paid.as_str()]);
        assert_eq!(history.payments[0].tx, open);
        assert_eq!(
            history.missing[0].code, "history_chain_away",
            "{:?}",
            history.missing
        );
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_leaves_the_working_key_what_its_claims_cost() {
    let world = World::start().await;
    let order = FaucetOrder {
        to: "operator".to_owned(),
        amount: Upokt(Amount::from_upokt(1_000_000)),
    };
    world.money.faucet(&order).await.unwrap();
    // The reserve is 0.4 POKT.
    let draft = |upokt: u128, below_reserve: bool| SendDraft {
        from: "operator".to_owned(),
        to: Account::named("somebody", Amount::ZERO).address,
        amount: Upokt(Amount::from_upokt(upokt)),
        memo: None,
        max: false,
        fee: FeeChoice::Normal,
        below_reserve,
    };
    let refused = async {
        loop {
            let error = world.money.review(&draft(700_000, false)).await.unwrap_err();
            if error.code != "not_enough" {
                return error;
            }
            tokio::time::sleep(BLOCK).await;
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .unwrap();
    assert_eq!(error.code, "below_reserve", "{error:?}");
    assert!(error.message.contains("0.400000 POKT"), "{error:?}");
    let fee = Upokt(Amount::from_upokt(1000));
    let error = world.money.pay(&draft(700_000, false), fee).await.unwrap_err();
    assert_eq!(error.code, "below_reserve", "{error:?}");
    assert_eq!(world.outbox.newest(10, 0).await.unwrap().1, 0);
    // Less, or on purpose.
    world.money.review(&draft(500_000, false)).await.unwrap();
    world.money.review(&draft(700_000, true)).await.unwrap();
    assert!(world.money.pay(&draft(700_000, true), fee).await.unwrap().height > 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_again_while_it_is_on_its_way_is_paid_once_and_is_spent_in_the_next_review() {
    let world = World::start().await;
    let draft = SendDraft {
        from: "owner".to_owned(),
        to: Account::named("somebody", Amount::ZERO).address,
        amount: Upokt(Amount::from_upokt(350_000)),
        memo: None,
        max: false,
        fee: FeeChoice::Normal,
        below_reserve: false,
    };
    let before = world.money.review(&draft).await.unwrap();
    let slow = Fault::RpcDelay {
        method: Some("broadcast_tx_sync".to_owned()),
        delay_ms: 1500,
    };
    world.devnet.fault(slow, None);
    let later = |by: u64| tokio::time::sleep(Duration::from_millis(by));
    let again = async {
        later(500).await;
        world.money.pay(&draft, before.fee).await
    };
    let review = async {
        later(500).await;
        let other = SendDraft {
            amount: Upokt(Amount::from_upokt(100_000)),
            ..draft.clone()
        };
        (
            world.money.review(&other).await.unwrap(),
            world.money.review(&draft).await.unwrap(),
        )
    };
    let (first, again, (other, same)) = futures::join!(world.money.pay(&draft, before.fee), again, review);
    let (first, again) = (first.unwrap(), again.unwrap());
    assert_eq!((&first.tx, first.height), (&again.tx, again.height));
    let cost = draft.amount.0.saturating_add(before.fee.0);
    assert_eq!(
        other.balance_before.0,
        before.balance_before.0.checked_sub(cost).unwrap()
    );
    // The same one is that one, not a second.
    assert!(same.balance_before.0 >= other.balance_before.0);
    assert_eq!(world.outbox.newest(10, 0).await.unwrap().1, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_leaves_nothing_and_costs_what_was_chosen() {
    let world = World::start().await;
    let to = Account::named("somebody", Amount::ZERO).address;
    let draft = |fee| SendDraft {
        from: "owner".to_owned(),
        to: to.clone(),
        amount: Upokt::default(),
        memo: None,
        max: true,
        fee,
        below_reserve: false,
    };
    // The play money is proven a block later than it is there.
    let reviewed = async {
        loop {
            match world.money.review(&draft(FeeChoice::Higher)).await {
                Ok(review) => return review,
                Err(error) => assert_eq!(error.code, "not_enough", "{error:?}"),
            }
            tokio::time::sleep(BLOCK).await;
        }
    };
    let review = tokio::time::timeout(Duration::from_secs(20), reviewed)
        .await
        .unwrap();
    let usual = world.money.review(&draft(FeeChoice::Normal)).await.unwrap();
    assert_eq!(review.fee.0.upokt(), usual.fee.0.upokt() * 4);
    assert_eq!(review.balance_after.0, Amount::ZERO);
    assert_eq!(
        review.amount.0.saturating_add(review.fee.0),
        review.balance_before.0
    );
    assert_eq!(review.messages[0]["@type"], "/cosmos.bank.v1beta1.MsgSend");
    let order = SendDraft {
        amount: review.amount,
        max: false,
        ..draft(FeeChoice::Higher)
    };
    world.money.pay(&order, review.fee).await.unwrap();
    // The reviewed fee is what was paid: nothing is left.
    let (noted, _) = world.outbox.newest(1, 0).await.unwrap();
    assert_eq!(noted[0].tx.as_ref().unwrap().fee, review.fee.0);
    world.stop().await;
}
