//! The table as the outbox sees it: transactions are priced, signed, sent and looked for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hearth_base::{Amount, Clock, Height};
use hearth_chain::{
    Head, Options, Outcome, Proven, QueryError, Sent, TxError, Validity, proven_for_tests, valid_until,
};
use hearth_outbox::{Args, Draft, Failure, Moment, Outbox, Seen, Signers};
use hearth_pocket::{
    Address, Signer,
    keys::SignError,
    message::{
        Any, Coin, Timestamp,
        proof::{MsgCreateClaim, MsgSubmitProof},
    },
    tx::{Plan, Replay, SignedTx, decode, sign_unsigned},
};
use hearth_store::Store;
use tokio::sync::watch;

use super::{TableChain, TableState};

/// A transaction's place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// In no block.
    No,
    /// In a block, and it did what it should.
    Included(Height),
    /// In a block, and it failed there.
    Failed(Height),
}

/// The keys that sign claims and proofs: those of the table's suppliers.
struct Working;

impl Signers for Working {
    fn signer(&self, account: &Address) -> Result<Arc<dyn Signer>, SignError> {
        let found = (3..10).map(super::key).find(|key| key.address() == account);
        let key = found.ok_or_else(|| SignError::Locked {
            address: account.clone(),
        })?;
        Ok(Arc::new(key))
    }
}

fn away() -> QueryError {
    QueryError::Refused {
        path: String::new(),
        codespace: "sdk".to_owned(),
        code: 1,
        log: "no endpoint answers".to_owned(),
    }
}

/// The sessions that a transaction claims, or proves, each with its supplier.
pub(crate) fn sessions(tx: &SignedTx, claim: bool) -> Vec<(String, String)> {
    let id = |message: &Any| {
        let (header, operator) = if claim {
            let message = message.unpack::<MsgCreateClaim>()?.unwrap();
            (message.session_header, message.supplier_operator_address)
        } else {
            let message = message.unpack::<MsgSubmitProof>()?.unwrap();
            (message.session_header, message.supplier_operator_address)
        };
        header.map(|header| (header.session_id, operator))
    };
    decode(tx.raw())
        .unwrap()
        .body
        .messages
        .iter()
        .filter_map(id)
        .collect()
}

impl TableState {
    /// The block that holds the claim of a session, or its proof.
    pub(crate) fn height_of(&self, (session, operator): (&str, &str), claim: bool) -> Option<Height> {
        let heights = self.sent.iter().filter_map(|(tx, found)| {
            let Found::Included(at) = found else { return None };
            sessions(tx, claim)
                .iter()
                .any(|(id, of)| id == session && of == operator)
                .then_some(*at)
        });
        heights.min()
    }

    /// Whether the state of a height has the claim of a session, or its proof.
    pub(crate) fn includes(&self, of: (&str, &str), claim: bool, height: Height) -> bool {
        self.height_of(of, claim).is_some_and(|at| at <= height)
    }
}

impl TableChain {
    /// An outbox as after a start.
    pub(crate) fn outbox(self: &Arc<TableChain>, store: &Store, clock: &Clock) -> Outbox {
        Outbox::new(Args {
            store: store.clone(),
            network: Arc::clone(self) as Arc<dyn hearth_outbox::Network>,
            signers: Arc::new(Working),
            clock: clock.clone(),
            first_pause: Duration::ZERO,
        })
    }
}

#[async_trait]
impl hearth_outbox::Network for TableChain {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Draft, TxError> {
        self.travel("account").await;
        self.travel("simulate").await;
        let state = self.state();
        if state.down {
            return Err(away().into());
        }
        let number = state.signed.len() as u64 + 1;
        let anew = self.head.borrow().time + Duration::from_secs(540) + Duration::from_nanos(number);
        let until = options.in_place_of.as_ref().and_then(valid_until).unwrap_or(anew);
        let fee = Amount::from_upokt(1);
        let plan = Plan {
            gas_limit: 100 * messages.len() as u64,
            messages,
            // Each is another one.
            memo: number.to_string(),
            timeout_height: options.timeout_height.map_or(0, |height| height.0),
            timeout: None,
            replay: Replay::Unordered {
                until: Timestamp::from_unix_nanos(until.unix_timestamp_nanos()),
            },
            fee: vec![Coin::upokt(fee)],
        };
        Ok(Draft {
            unsigned: plan.unsigned(&signer.public_key()),
            account_number: 0,
            fee,
        })
    }

    fn sign(&self, signer: &dyn Signer, draft: &Draft) -> Result<SignedTx, TxError> {
        let tx = sign_unsigned(&draft.unsigned, signer, "test", draft.account_number)?;
        self.state().signed.push(tx.clone());
        Ok(tx)
    }

    async fn send(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.travel("broadcast").await;
        let mut state = self.state();
        if state.down {
            return Err(away().into());
        }
        if let Some(refusal) = state.refusal {
            return Err(refusal());
        }
        if state.sent.iter().any(|(sent, _)| sent.hash() == tx.hash()) {
            return Ok(Sent::Already);
        }
        state.sent.push((tx.clone(), Found::No));
        Ok(Sent::New)
    }

    async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>> {
        Some(hearth_outbox::Network::send(self, tx).await)
    }

    async fn gas_ceiling(&self) -> Option<u64> {
        None
    }

    async fn next_sequence(&self, _account: &Address) -> Result<(u64, Height), QueryError> {
        Ok((0, self.head.borrow().height))
    }

    /// What became of it is proven by the block after its own.
    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError> {
        self.travel("seen").await;
        let (height, time) = {
            let head = self.head.borrow();
            (head.height, head.time)
        };
        let state = self.state();
        if state.down || state.no_index {
            return Err(away());
        }
        let found = state.sent.iter().find(|(tx, _)| tx.hash() == *hash);
        let is_over = validity.is_over(height, time);
        Ok(match found.map(|(_, found)| found.clone()) {
            Some(Found::Included(at)) if !state.hides && at < height && !state.no_results => Seen::Done {
                outcome: outcome(at, 0),
                failed: None,
            },
            Some(Found::Included(at)) if !state.hides && at <= height => Seen::Placed { height: at },
            Some(Found::Failed(at)) if !state.hides => Seen::Done {
                outcome: outcome(at, 1),
                failed: Some(Failure {
                    why: "it failed".to_owned(),
                    moment: Moment::Used,
                }),
            },
            // One who hides it has no blocks either.
            Some(_) | None if is_over && !state.hides => Seen::Expired,
            Some(_) | None => Seen::Pending,
        })
    }
}

/// What a block says of a transaction.
fn outcome(at: Height, code: i64) -> Proven<Outcome> {
    proven_for_tests(Outcome { code, gas_used: 1 }, at)
}
