//! Orders against the chain: looked at, then put into the outbox.

use hearth_base::Amount;
use hearth_chain::{Chain, Options, QueryError, TxError};
use hearth_outbox::{Intent, Outbox, PutError, Reason};
use hearth_pocket::message::Any;
use hearth_wallet::Wallet;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::{
    facts::Facts,
    order::Order,
    plan::{Plan, RoleError, Step, plan},
};

/// What a transaction may cost at least: fees are a few upokt, and an endpoint may ask for more.
const LEAST_CEILING: Amount = Amount::from_upokt(1_000);

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error(transparent)]
    Wallet(#[from] hearth_wallet::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Tx(#[from] TxError),
    #[error(transparent)]
    Put(#[from] PutError),
}

/// An order that was looked at. Nothing is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    pub plan: Plan,
    /// What the network may ask for all of it at most.
    pub max_fee: Amount,
}

/// The roles of this node. Clones are the same.
#[derive(Clone)]
pub struct Roles {
    pub chain: Chain,
    pub wallet: Wallet,
    pub outbox: Outbox,
    /// Whether everybody of this network is on this computer.
    pub is_devnet: bool,
}

impl Roles {
    /// Looks at an order: what would be signed, what it costs, what to know before.
    ///
    /// # Errors
    /// What stands in its way, also by the chain's own simulation of the first step.
    pub async fn review(&self, order: &Order) -> Result<Review, Error> {
        let accounts = self.wallet.accounts().ok_or(hearth_wallet::Error::None)?;
        let facts = Facts::read(&self.chain, &accounts, order, self.is_devnet).await?;
        let plan = plan(order, &facts)?;
        // Later steps need those before them, so only the first can be tried.
        let mut ceiling = LEAST_CEILING;
        if let Some(first) = plan.steps.first() {
            let signer = self.wallet.signer(first.key)?;
            let prepared = self
                .chain
                .prepare(&signer, first.messages.clone(), &Options::default())
                .await?;
            ceiling = ceiling.max(Amount::from_upokt(prepared.fee.upokt().saturating_mul(2)));
        }
        let n_steps = plan.steps.len() as u128;
        Ok(Review {
            plan,
            max_fee: Amount::from_upokt(ceiling.upokt().saturating_mul(n_steps)),
        })
    }

    /// Carries out what was looked at. Gives the outbox's items, each of which waits for the one before it.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn send(&self, review: &Review) -> Result<Vec<i64>, Error> {
        let n_steps = review.plan.steps.len().max(1) as u128;
        let max_fee = Amount::from_upokt(review.max_fee.upokt() / n_steps);
        let intent = |step: &Step| Intent {
            account: step.account.clone(),
            reason: Reason::Role,
            about: about(&step.messages),
            messages: step.messages.clone(),
            memo: String::new(),
            counterparty: None,
            amount: step.amount,
            max_fee,
            last_height: None,
            after: None,
            is_patient: false,
        };
        let intents: Vec<Intent> = review.plan.steps.iter().map(intent).collect();
        let put = self.outbox.put_chain(&intents).await?;
        Ok(put.into_iter().map(|put| put.id()).collect())
    }
}

/// Names what messages do: the same order again is the one on its way, another one of its kind is not.
fn about(messages: &[Any]) -> String {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update(message.encode_to_vec());
    }
    hex::encode(hash.finalize())
}
