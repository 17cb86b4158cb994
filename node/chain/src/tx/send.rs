//! The steps of a transaction, against the endpoints.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::{Amount, Clock};
use hearth_pocket::{
    keys::Signer,
    message::{
        Any, Coin, Timestamp,
        cosmos::{SimulateRequest, SimulateResponse},
    },
    tx::{Plan, Replay, SignedTx, decode},
};
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Included, Options, Order, Prepared, Reason, Sent, Stage, Stamps, TxError, fee_for, reason_of};
use crate::{
    config::Config,
    head::Head,
    query::{Ask, At, FoundTx, Query, QueryError, Reader},
    rpc::{Endpoint, RpcError, wire::Broadcast},
};

/// The gas limit is what the simulation used, times this in tenths.
const GAS_MARGIN_TENTHS: u64 = 17;
/// How often a fee is raised or a sequence number corrected before it is given up.
const ATTEMPTS: usize = 3;
/// The chain refuses an unordered transaction that is valid for longer.
const MAX_LIFETIME: Duration = Duration::from_secs(595);

/// What sending needs.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) config: Config,
    pub(crate) reader: Arc<Reader>,
    pub(crate) head: watch::Receiver<Head>,
    pub(crate) clock: Clock,
    pub(crate) stamps: Stamps,
}

impl Sender {
    /// Finds account, gas and fee.
    pub(crate) async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Prepared, TxError> {
        let (address, public_key) = (signer.address().clone(), signer.public_key());
        let account = self
            .reader
            .read(&Query::account(&address), At::Unproven)
            .await?
            .value;
        let account = account.ok_or(TxError::NoAccount {
            address: address.clone(),
        })?;
        let replay = match options.order {
            Order::Ordered => Replay::Ordered {
                sequence: account.sequence,
            },
            Order::Unordered => Replay::Unordered {
                until: self.valid_until(options.lifetime),
            },
        };
        let mut plan = Plan {
            messages,
            memo: options.memo.clone(),
            timeout_height: options.timeout_height.map_or(0, |height| height.0),
            timeout: None,
            replay,
            fee: vec![Coin::upokt(Amount::from_upokt(1))],
            gas_limit: 0,
        };
        let simulated = match options.gas_limit {
            Some(_) => None,
            None => Some(self.simulate(&plan.unsigned(&public_key)).await?),
        };
        let gas_limit = match (options.gas_limit, simulated) {
            (Some(limit), _) => limit,
            (None, used) => used.unwrap_or(0).saturating_mul(GAS_MARGIN_TENTHS) / 10,
        };
        let fee = fee_for(gas_limit, self.config.gas_price_micro);
        plan.gas_limit = gas_limit;
        let mut prepared = Prepared {
            plan,
            account_number: account.number,
            signer: address,
            fee,
            gas_limit,
            gas_simulated: simulated,
        };
        self.set_fee(&mut prepared, fee)?;
        Ok(prepared)
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
        self.stamps
            .moment(from + lifetime.min(MAX_LIFETIME), self.clock.now_ms())
    }

    async fn simulate(&self, bytes: &[u8]) -> Result<u64, TxError> {
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

    /// Signs. An ordered transaction gets its sequence number only now, so that two of one account never share one.
    pub(crate) fn sign(&self, signer: &dyn Signer, prepared: &Prepared) -> Result<SignedTx, TxError> {
        let mut plan = prepared.plan.clone();
        if let Replay::Ordered { sequence } = plan.replay {
            plan.replay = Replay::Ordered {
                sequence: self.stamps.sequence(&prepared.signer, sequence),
            };
        }
        Ok(plan.sign(signer, self.config.chain_id.as_str(), prepared.account_number)?)
    }

    /// Sends signed bytes. Another endpoint is asked where one gives no answer, and where it refuses for a reason that
    /// the others may not share; the bytes are the same, so the chain takes them at most once.
    pub(crate) async fn broadcast(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        let (mut unanswered, mut refused): (Option<RpcError>, Option<TxError>) = (None, None);
        let mut maybe_taken = false;
        for endpoint in self.reader.pool.candidates() {
            match self.broadcast_to(&endpoint, tx).await {
                Ok(sent) => return Ok(sent),
                Err(TxError::Unsent { source, .. }) => {
                    // Whoever was not even reached took nothing.
                    maybe_taken |= !matches!(source, RpcError::Unreachable { .. });
                    unanswered = Some(source);
                }
                Err(error) => {
                    let is_final = error.reason().is_some_and(Reason::lies_in_the_bytes);
                    // The best endpoint's reason is the one that is told.
                    refused.get_or_insert(error);
                    if is_final {
                        break;
                    }
                }
            }
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
        if in_mempool || self.reader.tx(&tx.hash(), Ask::Best).await?.is_some() {
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

    /// Waits until a sent transaction is in a block, or certainly never will be.
    pub(crate) async fn wait(&self, tx: &SignedTx, patience: Duration) -> Result<Included, TxError> {
        let began = Instant::now();
        let (until, last_height) = limits(tx);
        let pause = (self.config.poll / 2).clamp(Duration::from_millis(50), Duration::from_secs(2));
        let mut expired_at = None;
        loop {
            // What is given up for good is asked of everybody.
            let ask = if expired_at.is_some() { Ask::All } else { Ask::Best };
            match self.reader.tx(&tx.hash(), ask).await {
                Ok(Some(found)) => return included(found),
                Ok(None) => {}
                // An endpoint that fails says nothing about the transaction.
                Err(error) if began.elapsed() < patience => {
                    tracing::debug!(%error, "a transaction cannot be asked for at the moment");
                }
                Err(_) => return Err(TxError::NotSeen { hash: tx.hash_text() }),
            }
            let (height, time) = {
                let head = self.head.borrow();
                (head.verified_height, head.time)
            };
            let over =
                until.is_some_and(|until| time > until) || last_height.is_some_and(|last| height.0 > last);
            if over {
                // Two more blocks, since the index of transactions may lag behind the head.
                let since = *expired_at.get_or_insert(height);
                if height.since(since) >= 2 {
                    return Err(TxError::Expired { hash: tx.hash_text() });
                }
            }
            if began.elapsed() >= patience {
                return Err(TxError::NotSeen { hash: tx.hash_text() });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// All steps in a row, with a higher fee or a newer sequence number where the chain asks for one.
    pub(crate) async fn submit(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Included, TxError> {
        let mut prepared = self.prepare(signer, messages.clone(), options).await?;
        for _ in 0..ATTEMPTS {
            let signed = self.sign(signer, &prepared)?;
            match self.broadcast(&signed).await {
                Ok(_) => return self.wait(&signed, options.patience).await,
                Err(TxError::Refused {
                    reason: Reason::InsufficientFee { required },
                    ..
                }) => {
                    self.stamps.forget(&prepared.signer);
                    let fee = required.unwrap_or_else(|| prepared.fee.saturating_add(prepared.fee));
                    // The moment of validity stays, so that not both can be included.
                    self.set_fee(&mut prepared, fee)?;
                }
                Err(TxError::Refused {
                    reason: Reason::WrongSequence { .. },
                    ..
                }) => {
                    self.stamps.forget(&prepared.signer);
                    prepared = self.prepare(signer, messages.clone(), options).await?;
                }
                Err(error) => {
                    self.stamps.forget(&prepared.signer);
                    return Err(error);
                }
            }
        }
        let signed = self.sign(signer, &prepared)?;
        self.broadcast(&signed).await?;
        self.wait(&signed, options.patience).await
    }
}

/// The moment, by the chain's time, after which no block takes this transaction any more; `None` where it has none.
#[must_use]
pub fn valid_until(tx: &SignedTx) -> Option<OffsetDateTime> {
    limits(tx).0
}

/// Until when a transaction may be included.
fn limits(tx: &SignedTx) -> (Option<OffsetDateTime>, Option<u64>) {
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

fn included(found: FoundTx) -> Result<Included, TxError> {
    if found.code == 0 {
        return Ok(Included {
            height: found.height,
            tx_hash: found.hash,
            gas_used: found.gas_used,
            events: found.events,
            how: found.how,
        });
    }
    let reason = reason_of(&found.codespace, found.code, &found.log);
    Err(TxError::Refused {
        stage: Stage::Block(found.height),
        reason,
        codespace: found.codespace,
        code: found.code,
        log: found.log,
    })
}
