//! The steps of a transaction, against the endpoints.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use hearth_base::{Amount, Clock, Height};
use hearth_pocket::{
    address::Address,
    keys::Signer,
    message::{
        Any, Coin, Timestamp,
        cosmos::{SimulateRequest, SimulateResponse},
    },
    tx::{Plan, Replay, SignedTx, decode, sign_unsigned},
};
use parking_lot::Mutex;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    Options, Prepared, Reason, Sent, Stage, TxError, UniqueTimestamps, fee_for,
    gas::{least_gas, most_gas},
    reason_of,
};
use crate::{
    config::Config,
    head::{Head, Standing},
    query::{AbsencePolicy, Query, QueryError, ReadAt, Reader},
    rpc::{Endpoint, RpcError, wire::Broadcast},
};

/// The gas limit is what the simulation used, times this in tenths.
const GAS_MARGIN_TENTHS: u64 = 17;
/// Numbers of accounts that are remembered.
const MAX_ACCOUNTS: usize = 1000;
/// Transactions that are remembered as sent; 40 bytes each.
const MAX_SENT: usize = 4096;
/// After so many blocks a transaction is forgotten where others need the room.
const SENT_BLOCKS: u64 = 1000;
/// The chain refuses an unordered transaction that is valid for longer.
const MAX_LIFETIME: Duration = Duration::from_secs(595);

/// What sending needs.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) config: Config,
    pub(crate) reader: Arc<Reader>,
    pub(crate) head: watch::Receiver<Head>,
    pub(crate) clock: Clock,
    pub(crate) timestamps: UniqueTimestamps,
    /// What was sent in this run, and at which head last.
    pub(crate) sent: Mutex<BTreeMap<[u8; 32], Height>>,
    /// The most gas of a block, and the head at which it was asked for.
    pub(crate) block_gas: Mutex<Option<(Height, Option<u64>)>>,
    /// Proven numbers of accounts.
    pub(crate) account_numbers: Mutex<BTreeMap<Address, u64>>,
}

impl Sender {
    /// Finds account, gas and fee.
    pub(crate) async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Prepared, TxError> {
        self.check_trust()?;
        let (address, public_key) = (signer.address().clone(), signer.public_key());
        let account_number = self.account_number(&address).await?;
        let former = options.in_place_of.as_ref().and_then(moment);
        let until = former.unwrap_or_else(|| self.valid_until(options.lifetime));
        let mut plan = Plan {
            messages,
            memo: options.memo.clone(),
            timeout_height: options.timeout_height.map_or(0, |height| height.0),
            timeout: None,
            replay: Replay::Unordered { until },
            fee: vec![Coin::upokt(Amount::from_upokt(1))],
            gas_limit: 0,
        };
        let simulated = match options.gas_limit {
            Some(_) => None,
            None => Some(self.simulate(&plan.unsigned(&public_key)).await?),
        };
        let gas_limit = match (options.gas_limit, simulated) {
            (Some(limit), _) => limit,
            (None, used) => {
                let used = used.unwrap_or(0).saturating_mul(GAS_MARGIN_TENTHS) / 10;
                used.clamp(least_gas(&plan.messages), most_gas(&plan.messages))
            }
        };
        let fee = fee_for(gas_limit, self.config.gas_price_micro);
        let fee = fee.max(options.least_fee.unwrap_or_default());
        plan.gas_limit = gas_limit;
        let mut prepared = Prepared {
            plan,
            account_number,
            fee,
            gas_limit,
            gas_simulated: simulated,
        };
        self.set_fee(&mut prepared, fee)?;
        Ok(prepared)
    }

    /// The number of an account, which it keeps for ever. A signature over another one is refused by all but whoever told
    /// it, so that nobody's word is taken where there is a proof: it is not there yet for what came in the newest block.
    async fn account_number(&self, address: &Address) -> Result<u64, TxError> {
        if let Some(number) = self.account_numbers.lock().get(address) {
            return Ok(*number);
        }
        let query = Query::account(address);
        if let Some(account) = self.reader.prove(&query, ReadAt::Newest).await?.into_value() {
            let mut known = self.account_numbers.lock();
            if known.len() >= MAX_ACCOUNTS {
                known.clear();
            }
            known.insert(address.clone(), account.number);
            return Ok(account.number);
        }
        let told = self.reader.read(&query, ReadAt::Unproven).await?.into_value();
        let told = told.ok_or(TxError::NoAccount {
            address: address.clone(),
        })?;
        Ok(told.number)
    }

    /// Nothing is signed or sent on a chain that the trust anchor contradicts, or of which nothing can be proven: nobody
    /// could say what became of it.
    fn check_trust(&self) -> Result<(), TxError> {
        match &self.head.borrow().standing {
            Standing::TrustConflict { why } => Err(TxError::TrustConflict { why: why.clone() }),
            Standing::Unverified { why } => Err(QueryError::NotProven { why: why.clone() }.into()),
            Standing::Starting
            | Standing::Following
            | Standing::Stalled { .. }
            | Standing::Unreachable { .. }
            | Standing::TrustExpired { .. }
            | Standing::ClockSkew { .. } => Ok(()),
        }
    }

    fn set_fee(&self, prepared: &mut Prepared, fee: Amount) -> Result<(), TxError> {
        if fee > self.config.max_fee {
            return Err(TxError::FeeTooHigh {
                asked: fee,
                limit: self.config.max_fee,
            });
        }
        prepared.fee = fee;
        prepared.plan.fee = vec![Coin::upokt(fee)];
        Ok(())
    }

    /// A moment by the chain's time, which is what the chain compares it with.
    fn valid_until(&self, lifetime: Duration) -> Timestamp {
        let head = self.head.borrow().time;
        let from = if head == OffsetDateTime::UNIX_EPOCH {
            self.clock.now()
        } else {
            head
        };
        self.timestamps
            .moment(from + lifetime.min(MAX_LIFETIME), self.clock.now_ms())
    }

    pub(crate) async fn simulate(&self, bytes: &[u8]) -> Result<u64, TxError> {
        let request = SimulateRequest {
            tx_bytes: bytes.to_vec(),
        };
        let answer: Result<SimulateResponse, QueryError> = self
            .reader
            .call("/cosmos.tx.v1beta1.Service/Simulate", &request, None)
            .await;
        match answer {
            Ok(answer) => Ok(answer.gas_info.map_or(0, |gas| gas.gas_used)),
            Err(QueryError::Refused {
                codespace, code, log, ..
            }) => {
                let reason = reason_of(&codespace, code, &log);
                Err(TxError::Refused {
                    stage: Stage::Simulation,
                    reason,
                    codespace,
                    code,
                    log,
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Signs.
    pub(crate) fn sign(&self, signer: &dyn Signer, prepared: &Prepared) -> Result<SignedTx, TxError> {
        self.check_trust()?;
        let chain_id = self.config.chain_id.as_str();
        Ok(prepared.plan.sign(signer, chain_id, prepared.account_number)?)
    }

    /// Signs bytes that were kept.
    pub(crate) fn sign_kept(
        &self,
        signer: &dyn Signer,
        unsigned: &[u8],
        account_number: u64,
    ) -> Result<SignedTx, TxError> {
        self.check_trust()?;
        Ok(sign_unsigned(
            unsigned,
            signer,
            self.config.chain_id.as_str(),
            account_number,
        )?)
    }

    /// Sends signed bytes. Another endpoint is asked where one gives no answer, where it has them already, and where it
    /// refuses: its word is not the chain's. What is sent a second time goes to every endpoint, since the first may have
    /// dropped it. The bytes are the same, so the chain takes them at most once.
    pub(crate) async fn broadcast(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.check_trust()?;
        let is_new = self.note_sending(tx);
        let candidates = self.reader.pool.candidates();
        if !is_new {
            let all = candidates.iter().map(|endpoint| self.broadcast_to(endpoint, tx));
            return self.judge(tx, join_all(all).await);
        }
        let mut answers = Vec::new();
        for endpoint in candidates {
            let answer = self.broadcast_to(&endpoint, tx).await;
            let is_done = match &answer {
                Ok(Sent::New) => true,
                Ok(Sent::Already) => false,
                Err(error) => error.reason().is_some_and(Reason::lies_in_the_bytes),
            };
            answers.push(answer);
            if is_done {
                break;
            }
        }
        self.judge(tx, answers)
    }

    /// What the answers of several endpoints say together.
    fn judge(&self, tx: &SignedTx, answers: Vec<Result<Sent, TxError>>) -> Result<Sent, TxError> {
        let (mut taken, mut unanswered, mut refused) = (None, None, None);
        let mut maybe_taken = false;
        for answer in answers {
            match answer {
                Ok(Sent::New) => taken = Some(Sent::New),
                Ok(Sent::Already) => taken = taken.or(Some(Sent::Already)),
                Err(TxError::Unsent { source, .. }) => {
                    // Whoever was not even reached took nothing.
                    maybe_taken |= !matches!(source, RpcError::Unreachable { .. });
                    unanswered = Some(source);
                }
                // The best endpoint's reason is the one that is told.
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        if let Some(sent) = taken {
            return Ok(sent);
        }
        // Whoever did not answer may have taken it, and another refuses because of that.
        if let Some(error) = refused.filter(|_| !maybe_taken) {
            return Err(error);
        }
        let source = unanswered.unwrap_or_else(|| self.reader.pool.none_left());
        Err(TxError::Unsent {
            hash: tx.hash_text(),
            source,
        })
    }

    /// Notes that a transaction is sent at the present head. Says whether it is for the first time in this run.
    fn note_sending(&self, tx: &SignedTx) -> bool {
        let height = self.head.borrow().height;
        let mut sent = self.sent.lock();
        if sent.len() >= MAX_SENT {
            sent.retain(|_, last| height.since(*last) < SENT_BLOCKS);
        }
        if sent.len() >= MAX_SENT {
            sent.pop_first();
        }
        match sent.entry(tx.hash()) {
            Entry::Vacant(entry) => {
                entry.insert(height);
                true
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() = height;
                false
            }
        }
    }

    /// Sends again what no block holds, once for each new block: a mempool may have dropped it. `None`: it was sent at
    /// this head already.
    pub(crate) async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>> {
        let height = self.head.borrow().height;
        let is_known = |last: &Height| *last >= height;
        if self.sent.lock().get(&tx.hash()).is_some_and(is_known) {
            return None;
        }
        Some(self.broadcast(tx).await)
    }

    async fn broadcast_to(&self, endpoint: &Endpoint, tx: &SignedTx) -> Result<Sent, TxError> {
        let params = json!({ "tx": STANDARD.encode(tx.raw()) });
        let answer: Broadcast = match endpoint.call("broadcast_tx_sync", params).await {
            Ok(answer) => answer,
            Err(RpcError::Refused { data, message, .. })
                if data.contains("already exists in cache")
                    || message.contains("already exists in cache") =>
            {
                return Ok(Sent::Already);
            }
            Err(source) => {
                return Err(TxError::Unsent {
                    hash: tx.hash_text(),
                    source,
                });
            }
        };
        if answer.code == 0 {
            return Ok(Sent::New);
        }
        let in_mempool = answer.codespace == "sdk" && answer.code == 19;
        // A repeated transaction that is in a block by now is refused like a stranger's.
        if in_mempool || matches!(self.reader.tx(&tx.hash(), AbsencePolicy::Best).await, Ok(Some(_))) {
            return Ok(Sent::Already);
        }
        let reason = reason_of(&answer.codespace, answer.code, &answer.log);
        let (codespace, code, log) = (answer.codespace, answer.code, answer.log);
        Err(TxError::Refused {
            stage: Stage::Check,
            reason,
            codespace,
            code,
            log,
        })
    }
}

/// The moment, by the chain's time, after which no block takes this transaction any more; `None` where it has none.
#[must_use]
pub fn valid_until(tx: &SignedTx) -> Option<OffsetDateTime> {
    limits(tx).0
}

/// The moment that makes an unordered transaction different from all others of its account.
fn moment(tx: &SignedTx) -> Option<Timestamp> {
    let body = decode(tx.raw()).ok()?.body;
    body.timeout_timestamp.filter(|_| body.unordered)
}

/// Until when a transaction may be included.
pub(super) fn limits(tx: &SignedTx) -> (Option<OffsetDateTime>, Option<u64>) {
    let Ok(decoded) = decode(tx.raw()) else {
        return (None, None);
    };
    let until = decoded.body.timeout_timestamp.and_then(|until| {
        let nanos = i128::from(until.seconds) * 1_000_000_000 + i128::from(until.nanos);
        OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
    });
    (
        until,
        Some(decoded.body.timeout_height).filter(|height| *height > 0),
    )
}
