//! Orders against the chain: looked at, then put into the outbox.

use hearth_base::{Amount, Clock, Height};
use hearth_chain::{Chain, Options, Prepared, QueryError, Told, TxError};
use hearth_outbox::{Intent, Outbox, PutError, Reason};
use hearth_pocket::{
    address::Address,
    message::{Any, migration::MorseClaim},
};
use hearth_store::Store;
use hearth_wallet::{MorseKey, Purpose, Wallet};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::{
    elsewhere::{FileError, Keyless, Unsigned},
    facts::Facts,
    morse::{Morse, MorseKind, MorseOrder, MorseTerms, signing_account},
    order::Order,
    plan::{Plan, RoleError, Step, morse_claim, plan},
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
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the key of {account} is not in this wallet: what it has to sign is given out as a file")]
    Elsewhere { account: Address },
    #[error("this node did not ask for such a transaction: nothing was sent")]
    NotAsked,
    #[error("the chain refuses it in its block {height}: {why}")]
    Failed { height: Height, why: String },
    #[error("no verified block holds the transaction {hash} yet; it may still be included")]
    NotSeen { hash: String },
    #[error("no endpoint takes the transaction {hash} now ({why}); it may still be included")]
    NotTaken { hash: String, why: String },
    #[error("its time is over: {0}")]
    Late(String),
    #[error(
        "its sequence is {sequence}, and the next one of {account} is {next}: it was sent before, or another took its place"
    )]
    SequenceUsed {
        account: Address,
        sequence: u64,
        next: u64,
    },
    #[error(
        "its sequence is {sequence}, and the next one of {account} is {next}: something else has to be sent before"
    )]
    SequenceAhead {
        account: Address,
        sequence: u64,
        next: u64,
    },
    #[error(transparent)]
    Outbox(#[from] hearth_outbox::DbError),
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Transactions that are looked through for those on their way.
const MOST_ITEMS: u32 = 500;

/// An order that was looked at. Nothing is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    pub plan: Plan,
    /// What the network may ask for all of it at most.
    pub max_fee: Amount,
    /// The first step, where its key is not in this wallet.
    pub unsigned: Option<Unsigned>,
}

/// The roles of this node. Clones are the same.
#[derive(Clone)]
pub struct Roles {
    pub chain: Chain,
    pub wallet: Wallet,
    pub outbox: Outbox,
    pub store: Store,
    pub clock: Clock,
    /// Whether suppliers of this network may stand on this computer or in a private network.
    pub allows_local_suppliers: bool,
    /// Whether this node lets applications sign for themselves.
    pub applications_sign: bool,
}

impl Roles {
    /// Looks at an order: what would be signed, what it costs, what to know before.
    ///
    /// # Errors
    /// What stands in its way, also by the chain's own simulation of the first step.
    pub async fn review(&self, order: &Order) -> Result<Review, Error> {
        let accounts = self.wallet.accounts().ok_or(hearth_wallet::Error::None)?;
        let accounts = order.with_operator(accounts)?;
        let facts = self.facts(&accounts, order).await?;
        facts.check_operator(&accounts)?;
        let plan = plan(order, &facts)?;
        // Later steps need those before them, so only the first can be tried.
        let (mut ceiling, mut unsigned) = (LEAST_CEILING, None);
        if let Some(first) = plan.steps.first() {
            let prepared = if first.is_here {
                let signer = self.wallet.signer_of(&first.account)?;
                self.chain
                    .prepare(&signer, first.messages.clone(), &Options::default())
                    .await?
            } else {
                let (prepared, given_out) = self.give_out(first).await?;
                unsigned = Some(given_out);
                prepared
            };
            ceiling = ceiling.max(Amount::from_upokt(prepared.fee.upokt().saturating_mul(2)));
        }
        let n_steps = plan.steps.len() as u128;
        Ok(Review {
            plan,
            max_fee: Amount::from_upokt(ceiling.upokt().saturating_mul(n_steps)),
            unsigned,
        })
    }

    async fn facts(&self, accounts: &hearth_wallet::Accounts, order: &Order) -> Result<Facts, Error> {
        let (local, sign) = (self.allows_local_suppliers, self.applications_sign);
        let mut facts = Facts::read(&self.chain, accounts, order, local, sign).await?;
        // What is on its way out is spent. Roles are not counted: the same order again means the same step.
        let (items, _) = self.outbox.newest(MOST_ITEMS, 0).await?;
        let open = items.into_iter().filter(|item| {
            matches!(item.reason, Reason::Payment | Reason::Elsewhere) && item.state.outcome().is_none()
        });
        facts.take_out(open.map(|item| (item.account, item.amount.saturating_add(item.max_fee))));
        Ok(facts)
    }

    /// What is known of an account of the former network.
    ///
    /// # Errors
    /// The chain gives no answer.
    pub async fn morse(&self, address: &str) -> Result<(Told<Morse>, MorseTerms), Error> {
        Ok(tokio::try_join!(
            Morse::read(&self.chain, address),
            MorseTerms::read(&self.chain)
        )?)
    }

    /// Has a former key sign a claim of what it had, for an account here. The claim is looked at like any other order, and
    /// holds nothing secret.
    ///
    /// # Errors
    /// No wallet, no account that could pay for it, a service that is not there.
    pub async fn sign_morse(&self, key: &MorseKey, wanted: &MorseOrder) -> Result<MorseClaim, Error> {
        let accounts = self.wallet.accounts().ok_or(hearth_wallet::Error::None)?;
        let owner = wanted.to.clone().or_else(|| accounts.owner.clone());
        let to = owner.ok_or(RoleError::NoKey(Purpose::Owner))?;
        let signer = signing_account(&self.chain, &accounts, &to).await?;
        let signer = signer.ok_or(RoleError::NoSigningAccount)?;
        // What a claim is made of is what such orders are made of.
        let about = match &wanted.kind {
            MorseKind::Account => Order::Delegate(None),
            MorseKind::Application { service } => Order::Application {
                stake: Amount::ZERO,
                service: service.clone(),
                session_limit: None,
            },
            MorseKind::Supplier {
                operator, services, ..
            } => Order::Supplier {
                operator: operator.clone(),
                stake: None,
                services: services.clone(),
            },
        };
        let accounts = about.with_operator(accounts)?;
        let facts = self.facts(&accounts, &about).await?;
        facts.check_operator(&accounts)?;
        let mut claim = morse_claim(&wanted.kind, (&to, &signer), &key.public_key(), &facts)?;
        claim.set_signature(key.sign(&claim.signed_bytes()).to_vec());
        Ok(claim)
    }

    /// Makes a transaction for somebody else to sign, and notes that it was asked for.
    async fn give_out(&self, step: &Step) -> Result<(Prepared, Unsigned), Error> {
        let account = self.chain.account(&step.account).await?.proven()?.into_value();
        let (number, sequence) = account
            .as_ref()
            .map_or((0, 0), |account| (account.number, account.sequence));
        let keyless = Keyless::new(
            step.account.clone(),
            account.and_then(|account| account.public_key),
        );
        let prepared = self
            .chain
            .prepare(&keyless, step.messages.clone(), &Options::default())
            .await?;
        let unsigned = Unsigned::new(
            &step.messages,
            (prepared.fee, prepared.gas_limit),
            &step.account,
            self.chain.chain_id().as_str(),
            (number, sequence),
        )?;
        sqlx::query(
            "INSERT INTO role_asked_elsewhere (about, account, at_ms) VALUES (?, ?, ?) \
             ON CONFLICT (about) DO UPDATE SET at_ms = excluded.at_ms",
        )
        .bind(about(&step.messages))
        .bind(step.account.as_str())
        .bind(self.clock.now_ms())
        .execute(self.store.pool())
        .await?;
        Ok((prepared, unsigned))
    }

    /// Carries out what was looked at. Gives the outbox's items, each of which waits for the one before it.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn send(&self, review: &Review) -> Result<Vec<i64>, Error> {
        // What comes after a step of somebody else is planned anew once that one is in a block.
        let here: Vec<&Step> = review.plan.steps.iter().take_while(|step| step.is_here).collect();
        if let (true, Some(first)) = (here.is_empty(), review.plan.steps.first()) {
            return Err(Error::Elsewhere {
                account: first.account.clone(),
            });
        }
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
        let intents: Vec<Intent> = here.into_iter().map(intent).collect();
        let put = self.outbox.put_chain(&intents).await?;
        Ok(put.into_iter().map(|put| put.id()).collect())
    }
}

/// Names what messages do: the same order again is the one on its way, another one of its kind is not.
pub(crate) fn about(messages: &[Any]) -> String {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update(message.encode_to_vec());
    }
    hex::encode(hash.finalize())
}
