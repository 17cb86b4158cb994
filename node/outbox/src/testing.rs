//! A model of the chain and its endpoints, which lie, delay, lose and reorder; and of a program that is killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::FutureExt as _;
use hearth_base::{Amount, Clock, Height};
use hearth_chain::{
    Head, Options, Outcome, QueryError, Reason as Refused, Sent, Stage, Standing, TxError, Validity,
    proven_for_tests,
};
use hearth_pocket::{
    address::Address,
    keys::{SecretKey, SignError, Signer},
    message::{Any, Coin, Timestamp, TypeUrl as _, cosmos::MsgSend, proof::MsgCreateClaim},
    tx::{Plan, Replay, SignedTx, decode, sign_unsigned},
};
use hearth_store::{Config, Store};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{Args, Draft, Failure, Intent, Moment, Network, Outbox, Reason, Seen, Signers};

pub(crate) const CHAIN: &str = "hearth-devnet";
/// How long a transaction is valid.
const LIFETIME_S: i64 = 60;

/// What is wrong with the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// They say that they refuse what they take.
    pub(crate) refuses: bool,
    /// They say so with a reason for which other bytes would have to be signed.
    pub(crate) refuses_for_good: bool,
    /// They say that they took what they drop.
    pub(crate) drops: bool,
    /// They know of no transaction.
    pub(crate) hides: bool,
    /// They do not answer.
    pub(crate) away: bool,
    /// They do not answer what became of a transaction, for as long as this lasts.
    pub(crate) mute: bool,
    /// They ask for a higher fee.
    pub(crate) dear: bool,
    /// Blocks take nothing.
    pub(crate) stands_still: bool,
    /// Every block refuses what it holds, and takes the fee.
    pub(crate) fails: bool,
    /// Every block holds what its own checks refuse: no fee is taken, no moment used up.
    pub(crate) unchecked: bool,
}

/// A moment at which the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Killed {
    Prepared,
    Signing,
    Sending,
    Sent,
    Looking,
}

struct Block {
    height: u64,
    failed: bool,
    /// It may be in a later one, too.
    may_come_again: bool,
}

struct Chain {
    height: u64,
    time: i64,
    nonce: i128,
    /// The next ordered transaction of the account.
    sequence: u64,
    pool: Vec<SignedTx>,
    blocks: BTreeMap<[u8; 32], Block>,
    /// Moments of validity that were used.
    used: BTreeSet<(i64, i32)>,
    /// What each message did, by what it is about: how often.
    done: BTreeMap<String, u32>,
    faults: Faults,
    kill: Option<Killed>,
    /// Moments of that kind that pass before the kill.
    spared: u32,
    locked: bool,
    ceiling: Option<u64>,
    fees: Amount,
    n_txs: u32,
}

/// The chain, its endpoints and the keys.
pub(crate) struct Model {
    chain: Mutex<Chain>,
    head: watch::Sender<Head>,
    pub(crate) key: Arc<SecretKey>,
}

/// What ends a round as `kill -9` would.
struct Kill;

impl Model {
    pub(crate) fn new() -> Arc<Model> {
        let head = Head {
            height: Height(1),
            time: OffsetDateTime::from_unix_timestamp(1_000_000).unwrap(),
            hash: [0; 32],
            verified_height: Height(1),
            proven_height: Height(0),
            block_time: Some(Duration::from_secs(1)),
            standing: Standing::Following,
        };
        Arc::new(Model {
            chain: Mutex::new(Chain {
                height: 1,
                time: 1_000_000,
                nonce: 0,
                sequence: 0,
                pool: Vec::new(),
                blocks: BTreeMap::new(),
                used: BTreeSet::new(),
                done: BTreeMap::new(),
                faults: Faults::default(),
                kill: None,
                spared: 0,
                locked: false,
                ceiling: None,
                fees: Amount::ZERO,
                n_txs: 0,
            }),
            head: watch::Sender::new(head),
            key: Arc::new(SecretKey::from_bytes(&[7; 32]).unwrap()),
        })
    }

    pub(crate) fn fault(&self, faults: Faults) {
        self.chain.lock().faults = faults;
    }

    /// Another program uses up the next sequence.
    pub(crate) fn use_sequence(&self) {
        self.chain.lock().sequence += 1;
    }

    pub(crate) fn lock(&self, locked: bool) {
        self.chain.lock().locked = locked;
    }

    /// Blocks take so much gas in one transaction; a message takes 100.
    pub(crate) fn limit_gas(&self, ceiling: u64) {
        self.chain.lock().ceiling = Some(ceiling);
    }

    pub(crate) fn height(&self) -> u64 {
        self.chain.lock().height
    }

    /// How often something was done, by what it is about.
    pub(crate) fn done(&self, about: &str) -> u32 {
        self.chain.lock().done.get(about).copied().unwrap_or(0)
    }

    /// Transactions in blocks, and their fees.
    pub(crate) fn cost(&self) -> (u32, Amount) {
        let chain = self.chain.lock();
        (chain.n_txs, chain.fees)
    }

    /// The next block, so many seconds later. It takes what waits, in any order.
    pub(crate) fn block(&self, seconds: i64, backwards: bool) {
        let mut chain = self.chain.lock();
        chain.height += 1;
        chain.time += seconds;
        if !chain.faults.stands_still {
            let mut pool = std::mem::take(&mut chain.pool);
            if backwards {
                pool.reverse();
            }
            for tx in pool {
                chain.include(&tx);
            }
        }
        let (height, time) = (chain.height, chain.time);
        drop(chain);
        self.head.send_modify(|head| {
            head.height = Height(height);
            head.verified_height = Height(height);
            head.time = OffsetDateTime::from_unix_timestamp(time).unwrap();
        });
    }

    /// Runs the outbox's round, and kills it at this moment. Says whether it was.
    pub(crate) async fn round(&self, outbox: &Outbox, kill: Option<Killed>) -> bool {
        self.chain.lock().kill = kill;
        let round = AssertUnwindSafe(outbox.look()).catch_unwind().await;
        self.chain.lock().kill = None;
        round.is_err()
    }

    /// The kill comes with the signature of this number.
    pub(crate) fn kill_at_signature(&self, number: u32) {
        self.chain.lock().spared = number - 1;
    }

    fn moment_to_kill(&self, moment: Killed) {
        let mut chain = self.chain.lock();
        if chain.kill != Some(moment) {
            return;
        }
        if chain.spared > 0 {
            chain.spared -= 1;
            return;
        }
        drop(chain);
        std::panic::resume_unwind(Box::new(Kill));
    }

    fn away(&self) -> Result<(), TxError> {
        if self.chain.lock().faults.away {
            return Err(TxError::Query(away()));
        }
        Ok(())
    }
}

fn away() -> QueryError {
    QueryError::Refused {
        path: String::new(),
        codespace: "sdk".to_owned(),
        code: 1,
        log: "away".to_owned(),
    }
}

impl Chain {
    /// Whether a transaction waits, or is in a block for good.
    fn knows(&self, tx: &SignedTx) -> bool {
        let block = self.blocks.get(&tx.hash());
        block.is_some_and(|block| !block.may_come_again) || self.pool.contains(tx)
    }

    /// A block takes a transaction, if its rules allow it.
    fn include(&mut self, tx: &SignedTx) {
        let body = decode(tx.raw()).unwrap().body;
        let sequence = crate::sequence_of(tx);
        if sequence.is_some_and(|sequence| sequence != self.sequence) {
            return;
        }
        let until = body.timeout_timestamp.unwrap_or_default();
        let is_late = sequence.is_none() && self.time > until.seconds;
        let is_high = body.timeout_height > 0 && self.height > body.timeout_height;
        if is_late || is_high || self.used.contains(&(until.seconds, until.nanos)) {
            return;
        }
        if self.faults.unchecked {
            let block = Block {
                height: self.height,
                failed: true,
                may_come_again: true,
            };
            self.blocks.insert(tx.hash(), block);
            return;
        }
        match sequence {
            Some(_) => self.sequence += 1,
            None => drop(self.used.insert((until.seconds, until.nanos))),
        }
        // One wrong message fails all of them.
        let failed = self.faults.fails
            || body
                .messages
                .iter()
                .any(|message| about(message).contains("wrong"));
        let fee = decode(tx.raw()).unwrap().auth_info.fee.unwrap().amount[0]
            .amount
            .parse()
            .unwrap();
        self.fees = self.fees.saturating_add(fee);
        self.n_txs += 1;
        if !failed {
            for message in &body.messages {
                *self.done.entry(about(message)).or_default() += 1;
            }
        }
        let height = self.height;
        let block = Block {
            height,
            failed,
            may_come_again: false,
        };
        self.blocks.insert(tx.hash(), block);
    }
}

/// What a message is about.
fn about(message: &Any) -> String {
    if message.type_url == MsgSend::TYPE_URL {
        let send = message.unpack::<MsgSend>().unwrap().unwrap();
        return send.amount[0].amount.clone();
    }
    let claim = message.unpack::<MsgCreateClaim>().unwrap().unwrap();
    String::from_utf8(claim.root_hash).unwrap()
}

#[async_trait]
impl Network for Model {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Draft, TxError> {
        self.away()?;
        if messages.iter().any(|message| about(message).contains("refused")) {
            return Err(TxError::Refused {
                stage: Stage::Simulation,
                reason: Refused::Other,
                codespace: "undefined".to_owned(),
                code: 1,
                log: "no".to_owned(),
            });
        }
        let former = options
            .in_place_of
            .as_ref()
            .map(|tx| decode(tx.raw()).unwrap().body.timeout_timestamp.unwrap());
        let until = former.unwrap_or_else(|| {
            let mut chain = self.chain.lock();
            chain.nonce += 1;
            Timestamp {
                seconds: chain.time + LIFETIME_S,
                nanos: i32::try_from(chain.nonce).unwrap(),
            }
        });
        let fee = Amount::from_upokt(1).max(options.least_fee.unwrap_or_default());
        let gas_limit = 100 * messages.len() as u64;
        let plan = Plan {
            messages,
            memo: options.memo.clone(),
            timeout_height: options.timeout_height.map_or(0, |height| height.0),
            timeout: None,
            replay: Replay::Unordered { until },
            fee: vec![Coin::upokt(fee)],
            gas_limit,
        };
        self.moment_to_kill(Killed::Prepared);
        Ok(Draft {
            unsigned: plan.unsigned(&signer.public_key()),
            account_number: 3,
            fee,
        })
    }

    fn sign(&self, signer: &dyn Signer, draft: &Draft) -> Result<SignedTx, TxError> {
        self.moment_to_kill(Killed::Signing);
        if self.chain.lock().locked {
            let address = signer.address().clone();
            return Err(SignError::Locked { address }.into());
        }
        Ok(sign_unsigned(
            &draft.unsigned,
            signer,
            CHAIN,
            draft.account_number,
        )?)
    }

    async fn send(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.moment_to_kill(Killed::Sending);
        self.away()?;
        let faults = self.chain.lock().faults;
        let refusal = |reason| TxError::Refused {
            stage: Stage::Check,
            reason,
            codespace: "sdk".to_owned(),
            code: 5,
            log: "no".to_owned(),
        };
        let fee: u64 = decode(tx.raw()).unwrap().auth_info.fee.unwrap().amount[0]
            .amount
            .parse()
            .unwrap();
        if faults.dear && fee < 3 {
            let mut chain = self.chain.lock();
            // A liar takes what it refuses, and asks for no more than it was given.
            if faults.refuses && !chain.knows(tx) {
                chain.pool.push(tx.clone());
            }
            let required = (chain.nonce % 2 == 0).then_some(Amount::from_upokt(1));
            return Err(refusal(Refused::InsufficientFee { required }));
        }
        if !faults.drops {
            let mut chain = self.chain.lock();
            if !chain.knows(tx) {
                chain.pool.push(tx.clone());
            }
        }
        self.moment_to_kill(Killed::Sent);
        if faults.refuses {
            return Err(refusal(Refused::InsufficientFunds));
        }
        if faults.refuses_for_good {
            return Err(refusal(Refused::OutOfGas));
        }
        Ok(Sent::New)
    }

    async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>> {
        Some(self.send(tx).await)
    }

    async fn gas_ceiling(&self) -> Option<u64> {
        self.chain.lock().ceiling
    }

    async fn next_sequence(&self, _account: &Address) -> Result<(u64, Height), QueryError> {
        let chain = self.chain.lock();
        // A state is proven by the block after it.
        Ok((chain.sequence, Height(chain.height - 1)))
    }

    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError> {
        self.moment_to_kill(Killed::Looking);
        while self.chain.lock().faults.mute {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if !self.chain.lock().faults.mute {
                return Err(away());
            }
        }
        let chain = self.chain.lock();
        if chain.faults.away {
            return Err(away());
        }
        let until = validity.until.map(OffsetDateTime::unix_timestamp);
        let is_over = until.is_some_and(|until| chain.time > until)
            || validity.last.is_some_and(|last| chain.height > last.0);
        match chain.blocks.get(hash) {
            // Blocks are looked through at the end, so that hiding does not help.
            Some(_) if chain.faults.hides && !is_over => Ok(Seen::Pending),
            // What became of it is proven by the block after it.
            Some(block) if block.height == chain.height && !block.failed => Ok(Seen::Placed {
                height: Height(block.height),
            }),
            Some(block) => Ok(Seen::Done {
                outcome: proven_for_tests(
                    Outcome {
                        code: i64::from(block.failed),
                        gas_used: 1,
                    },
                    Height(block.height),
                ),
                failed: block.failed.then(|| Failure {
                    why: "it failed".to_owned(),
                    moment: if block.may_come_again && !is_over {
                        Moment::Free
                    } else {
                        Moment::Used
                    },
                }),
            }),
            None if is_over => Ok(Seen::Expired),
            None => Ok(Seen::Pending),
        }
    }
}

impl Signers for Model {
    fn signer(&self, _account: &Address) -> Result<Arc<dyn Signer>, SignError> {
        let key: Arc<dyn Signer> = Arc::clone(&self.key) as _;
        Ok(key)
    }
}

pub(crate) struct Keys(pub(crate) Arc<Model>);

impl Signers for Keys {
    fn signer(&self, account: &Address) -> Result<Arc<dyn Signer>, SignError> {
        self.0.signer(account)
    }
}

/// A database in memory where there is such a folder: many are written.
pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let shm = std::path::Path::new("/dev/shm");
    let folder = if shm.is_dir() {
        tempfile::tempdir_in(shm)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.unwrap();
    let store = Store::open(Config {
        path: folder.path().join("hearth.db"),
        chain_id: CHAIN.into(),
        max_pages: None,
    })
    .await
    .unwrap();
    (folder, store)
}

/// A program that has just begun.
pub(crate) fn program(model: &Arc<Model>, store: &Store) -> Outbox {
    Outbox::new(Args {
        store: store.clone(),
        network: Arc::clone(model) as _,
        signers: Arc::new(Keys(Arc::clone(model))),
        clock: Clock::system(),
        first_pause: Duration::ZERO,
    })
}

/// A payment of an amount of its own.
pub(crate) fn payment(model: &Model, amount: &str) -> Intent {
    let account = model.key.address().clone();
    let message = MsgSend {
        from_address: account.to_string(),
        to_address: account.to_string(),
        amount: vec![Coin {
            denom: "upokt".to_owned(),
            amount: amount.to_owned(),
        }],
    };
    Intent {
        account,
        reason: Reason::Payment,
        about: amount.to_owned(),
        messages: vec![message.to_any()],
        memo: String::new(),
        counterparty: None,
        amount: Amount::ZERO,
        max_fee: Amount::from_upokt(10),
        last_height: None,
        after: None,
        is_patient: false,
    }
}

/// A claim of a root of its own, which may be made until a height.
pub(crate) fn claim(model: &Model, root: &str, last: u64) -> Intent {
    let message = MsgCreateClaim {
        supplier_operator_address: model.key.address().to_string(),
        session_header: None,
        root_hash: root.as_bytes().to_vec(),
    };
    Intent {
        reason: Reason::Claim,
        messages: vec![message.to_any()],
        last_height: Some(Height(last)),
        is_patient: true,
        ..payment(model, root)
    }
}
