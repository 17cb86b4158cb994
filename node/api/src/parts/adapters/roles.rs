//! Roles, over chain, wallet and outbox.

mod card;
mod morse;
mod order;
mod staked;

use std::time::Duration;

use hearth_base::{Amount, ServiceId};
use hearth_chain::{Query, QueryError, ReadAt, TxError};
use hearth_outbox::State;
use hearth_pocket::message::{Any, Coin, shared::Service};
use hearth_roles::{Error, FileError, Review, RoleError, Roles as Own};
use hearth_wallet::Purpose;

use staked::{application_role, applications, leaving, operator_role, suppliers};

use super::{chain_error, keyring::outer, money::tx_error, transactions};
use crate::{
    control::types::{
        ApplicationRole, BroadcastDone, BroadcastTrial, BroadcastTx, ClaimMorse, GatewayRole, MorseAccount,
        MorseKeyFile, OperatorRole, RoleNote, RoleOrder, RoleReview, RoleStep, RoleTerms, RolesPage,
        ServiceDetail, ServiceEntry, ServiceList, SignedMorseClaim, TransactionList, TxFile, Upokt,
    },
    error::ApiError,
    parts::{Answer, Roles, SigningAccount, Window},
};

/// How long the page waits for the proof of what was done a moment ago; it is read again with every block.
const SHOWN_WITHIN: Duration = Duration::from_secs(3);

/// Roles behind the API.
pub struct ChainRoles {
    pub roles: Own,
    /// Where relays of others are to arrive, as it is configured.
    pub relay_url: Option<String>,
    /// How long a step may wait for its block.
    pub block_within: Duration,
    /// Whether money is play: a devnet's keys are open, and nobody knows their password.
    pub is_play: bool,
}

#[async_trait::async_trait]
impl Roles for ChainRoles {
    async fn page(&self) -> Answer<RolesPage> {
        let chain = &self.roles.chain;
        let accounts = self.roles.wallet.accounts().ok_or(hearth_wallet::Error::None)?;
        self.roles.outbox.shown(SHOWN_WITHIN).await?;
        let gateway = async {
            match &accounts.gateway {
                Some(gateway) => Ok(chain.gateway(gateway).await?.into_value()),
                None => Ok::<_, QueryError>(None),
            }
        };
        let (params, suppliers, applications, gateway) = futures::try_join!(
            chain.params(),
            suppliers(chain, &accounts),
            applications(chain, &accounts),
            gateway
        )
        .map_err(chain_error)?;
        let params = params.into_value();
        let head = chain.head().borrow().clone();
        let leaving = |until: u64, sessions: u64| {
            leaving(until, sessions, &params.shared, head.height.0, head.block_time)
        };
        let operators: Vec<OperatorRole> = suppliers
            .into_iter()
            .map(|(operator, record)| operator_role(&operator, record, &accounts, &params.shared, &head))
            .collect();
        let mut applications: Vec<ApplicationRole> = applications
            .into_iter()
            .map(|record| application_role(record, &params.shared, &head))
            .collect();
        let usual = accounts.application.as_ref();
        let is_usual = |one: &ApplicationRole| usual.is_some_and(|usual| one.address == usual.as_str());
        let own = applications.extract_if(.., |one| is_usual(one)).next();
        Ok(RolesPage {
            supplier: operators
                .first()
                .filter(|first| !first.is_elsewhere)
                .and_then(|first| first.supplier.clone()),
            operators,
            application: own,
            other_applications: applications,
            gateway: gateway.map(|record| GatewayRole {
                address: record.address,
                stake: upokt(record.stake.as_ref()),
                leaving: leaving(
                    record.unstake_session_end_height,
                    params.shared.gateway_unbonding_period_sessions,
                ),
            }),
            terms: RoleTerms {
                supplier_least: upokt(params.supplier.min_stake.as_ref()),
                application_least: upokt(params.application.min_stake.as_ref()),
                gateway_least: upokt(params.gateway.min_stake.as_ref()),
                staking_charge: upokt(params.supplier.staking_fee.as_ref()),
                service_charge: upokt(params.service.add_service_fee.as_ref()),
                blocks_per_session: params.shared.num_blocks_per_session,
                block_time_ms: head
                    .block_time
                    .and_then(|time| u64::try_from(time.as_millis()).ok()),
            },
            relay_url: self.relay_url.clone(),
        })
    }

    async fn services(&self, search: &str, window: Window) -> Answer<ServiceList> {
        let own = self.own_address();
        let found = self.roles.chain.services().await.map_err(chain_error)?.value;
        let wanted = search.trim().to_lowercase();
        let is_wanted = |service: &&Service| {
            wanted.is_empty()
                || service.id.to_lowercase().contains(&wanted)
                || service.name.to_lowercase().contains(&wanted)
        };
        let mut services: Vec<ServiceEntry> = found
            .iter()
            .filter(is_wanted)
            .map(|service| entry(service, own.as_deref()))
            .collect();
        services.sort_by(|a, b| (!a.is_own, &a.id).cmp(&(!b.is_own, &b.id)));
        let total = services.len() as u64;
        let (from, limit) = (window.offset as usize, window.limit as usize);
        let services = services.into_iter().skip(from).take(limit).collect();
        Ok(ServiceList { services, total })
    }

    async fn service(&self, id: &str) -> Answer<ServiceDetail> {
        let chain = &self.roles.chain;
        let id = ServiceId::new(id);
        let proven = chain.service(&id).await.map_err(chain_error)?.into_value();
        // What was made in the newest block is proven by the next one; to be shown it need not be.
        let found = match proven {
            Some(service) => Some(service),
            None => {
                let seen = chain.query(Query::service(&id), ReadAt::Unproven).await;
                seen.map_err(chain_error)?.into_value()
            }
        };
        let service = found.ok_or_else(|| refused(Error::Role(RoleError::NoService(id.to_string()))))?;
        let own = self.own_address();
        Ok(ServiceDetail {
            card: service
                .metadata
                .as_ref()
                .filter(|metadata| !metadata.card.is_empty())
                .map(|metadata| card::read(&metadata.card)),
            service: entry(&service, own.as_deref()),
        })
    }

    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview> {
        let order = order::read(order, &self.roles.wallet)?;
        self.roles.outbox.shown(self.block_within).await?;
        let review = self.roles.review(&order).await.map_err(refused)?;
        Ok(self.shown(&review))
    }

    async fn send(&self, order: &RoleOrder, seen: &RoleReview) -> Answer<TransactionList> {
        let order = order::read(order, &self.roles.wallet)?;
        self.roles.outbox.shown(self.block_within).await?;
        let review = self.roles.review(&order).await.map_err(refused)?;
        if !do_the_same(&self.shown(&review).steps, &seen.steps) {
            return Err(ApiError::conflict(
                "role_changed",
                "the chain has changed since: something else would be signed now",
            )
            .remedy("Look at it again. Nothing was signed."));
        }
        let review = Review {
            max_fee: seen.max_fee.0,
            ..review
        };
        let items = self.roles.send(&review).await.map_err(refused)?;
        let mut transactions = Vec::new();
        for id in items {
            let item = self.roles.outbox.wait(id, self.block_within).await?;
            let goes_on = matches!(
                item.state,
                State::Placed { .. }
                    | State::Ended {
                        outcome: hearth_outbox::Outcome::Included { .. }
                    }
            );
            transactions.push(transactions::shown(item));
            // What comes after it waits for it.
            if !goes_on {
                break;
            }
        }
        let total = transactions.len() as u64;
        Ok(TransactionList { transactions, total })
    }

    async fn to_sign(&self, file: &TxFile, account: &SigningAccount) -> Answer<hearth_roles::ToSign> {
        let at = file.account_number.zip(file.sequence);
        let key = (&account.address, &account.public_key);
        self.roles.to_sign(&file.tx, key, at).await.map_err(refused)
    }

    async fn numbers(
        &self,
        account: &hearth_pocket::Address,
        given: (u64, Option<u64>),
    ) -> Vec<hearth_roles::Note> {
        self.roles.other_numbers(account, given).await
    }

    async fn before(&self, messages: &[Any]) -> hearth_roles::Before {
        self.roles.before(messages).await
    }

    async fn morse(&self, address: &str) -> Answer<MorseAccount> {
        morse::account(&self.roles, address).await
    }

    async fn open_morse(&self, key: MorseKeyFile) -> Answer<MorseAccount> {
        morse::account(&self.roles, &morse::open(key).await?.address()).await
    }

    async fn claim_morse(&self, order: ClaimMorse) -> Answer<SignedMorseClaim> {
        morse::claim(&self.roles, order).await
    }

    async fn broadcast(&self, order: &BroadcastTx) -> Answer<BroadcastDone> {
        let sent = self
            .roles
            .broadcast(&order.tx, self.block_within)
            .await
            .map_err(refused)?;
        Ok(BroadcastDone {
            account: sent.account.to_string(),
            tx: sent.tx_hash,
            height: sent.height.0,
            was_there: sent.was_there,
            messages: shown(&sent.messages),
            notes: sent.notes.iter().map(RoleNote::from).collect(),
        })
    }

    async fn try_broadcast(&self, order: &BroadcastTx) -> Answer<BroadcastTrial> {
        let trial = self
            .roles
            .try_broadcast(&order.tx, self.block_within)
            .await
            .map_err(refused)?;
        Ok(BroadcastTrial {
            account: trial.account.to_string(),
            tx: trial.tx_hash,
            height: trial.placed.map(|height| height.0),
            fee: Upokt(trial.fee),
            messages: shown(&trial.messages),
            notes: trial.notes.iter().map(RoleNote::from).collect(),
        })
    }
}

impl ChainRoles {
    /// The owner of what is this wallet's; nothing is without one.
    fn own_address(&self) -> Option<String> {
        let owner = self.roles.wallet.address(Purpose::Owner)?;
        Some(owner.to_string())
    }

    fn shown(&self, review: &Review) -> RoleReview {
        let state = self.roles.wallet.state().borrow().clone();
        let first = |at: usize| review.unsigned.as_ref().filter(|_| at == 0);
        let steps = review.plan.steps.iter().enumerate().map(|(at, step)| RoleStep {
            purpose: outer(step.purpose),
            // What comes after it is planned anew once it is in a block.
            unsigned: first(at).map(|unsigned| unsigned.file.clone()),
            command: first(at).map(|unsigned| unsigned.command.clone()),
            account: step.account.to_string(),
            amount: Upokt(step.amount),
            messages: shown(&step.messages),
        });
        RoleReview {
            review_id: String::new(),
            steps: steps.collect(),
            notes: review.plan.notes.iter().map(RoleNote::from).collect(),
            total: Upokt(review.plan.total()),
            max_fee: Upokt(review.max_fee),
            needs_password: review.plan.steps.iter().any(|step| {
                let gives_up = |message: &Any| message.type_url.contains(".MsgUnstake");
                // An operator signs its services unattended, and gives nobody's stake up.
                let is_asked = !self.is_play && step.messages.iter().any(gives_up);
                step.is_here && (is_asked || state.is_locked(&step.account))
            }),
        }
    }
}

/// Whether steps do the same. What is given out to be signed elsewhere may differ in gas and sequence.
fn do_the_same(now: &[RoleStep], seen: &[RoleStep]) -> bool {
    let does = |step: &RoleStep| {
        let RoleStep {
            purpose,
            account,
            amount,
            messages,
            unsigned,
            command: _,
        } = step.clone();
        (purpose, account, amount, messages, unsigned.is_some())
    };
    now.iter().map(does).eq(seen.iter().map(does))
}

fn refused(error: Error) -> ApiError {
    match error {
        Error::Role(error) => ApiError::conflict(error.code(), error.to_string()).remedy(error.remedy()),
        Error::Wallet(error) => error.into(),
        Error::Query(error) => chain_error(error),
        // What an endpoint refuses was sent by nobody, but another one may have taken it before.
        Error::Tx(ref error @ TxError::Refused { ref log, .. }) => {
            ApiError::conflict("chain_refused", hearth_base::failure::chain(error))
                .details(log)
                .remedy("Look at the history before you sign another one in its place.")
        }
        Error::Tx(error) => tx_error(error),
        Error::Put(error) => error.into(),
        error @ Error::Elsewhere { .. } => ApiError::conflict("sign_elsewhere", error.to_string())
            .remedy("Sign the file there, then hand it back: `hearth tx broadcast FILE`."),
        Error::File(error) => file_refused(&error),
        error @ Error::Late(_) => ApiError::conflict("tx_expired", error.to_string())
            .remedy("Make it again and sign it in time. Nothing was sent."),
        error @ Error::SequenceUsed { .. } => ApiError::conflict("tx_sequence", error.to_string()).remedy(
            "Look at the history of that account; where it is not there, sign it again. Nothing was sent.",
        ),
        error @ Error::SequenceAhead { .. } => ApiError::conflict("tx_sequence", error.to_string())
            .remedy("Send what comes before it first, or sign it again. Nothing was sent."),
        error @ Error::NotTaken { .. } => ApiError::unavailable("tx_not_taken", error.to_string())
            .remedy("`hearth wallet transactions` tells what becomes of it."),
        Error::Outbox(error) => ApiError::internal(&error),
        error @ Error::NotAsked => ApiError::conflict("tx_not_asked", error.to_string())
            .remedy("Look at what it does, and send it with your own tools if you mean it."),
        error @ Error::Failed { .. } => ApiError::conflict("chain_refused", error.to_string()),
        error @ Error::NotSeen { .. } => ApiError::unavailable("not_seen", error.to_string())
            .remedy("Look at the chain before you sign it again."),
        Error::Store(error) => error.into(),
    }
}

/// Why a file is not signed or sent.
pub(crate) fn file_refused(error: &FileError) -> ApiError {
    let refused = match error {
        FileError::OtherChain { .. } => ApiError::conflict("tx_other_chain", error.to_string()),
        FileError::UnknownMessage(_) => ApiError::refused("tx_message_unknown", error.to_string()),
        FileError::Amino => ApiError::refused("tx_amino", error.to_string()),
        FileError::Shape(_)
        | FileError::Field(_)
        | FileError::NoEnd
        | FileError::Unsigned
        | FileError::Mode
        | FileError::Key
        | FileError::Signed
        | FileError::NoSigner
        | FileError::Signers { .. }
        | FileError::Unknown { .. }
        | FileError::Signature { .. } => ApiError::refused("tx_wrong", error.to_string()),
    };
    refused.remedy(error.remedy())
}

/// Messages as the chain's own JSON.
fn shown(messages: &[Any]) -> Vec<serde_json::Value> {
    let json = |message: &Any| serde_json::to_value(message).ok();
    messages.iter().filter_map(json).collect()
}

fn upokt(coin: Option<&Coin>) -> Upokt {
    Upokt(
        coin.and_then(|coin| coin.amount.parse().ok())
            .unwrap_or(Amount::ZERO),
    )
}

fn entry(service: &Service, own: Option<&str>) -> ServiceEntry {
    ServiceEntry {
        id: service.id.clone(),
        name: service.name.clone(),
        compute_units: service.compute_units_per_relay,
        is_own: own == Some(service.owner_address.as_str()),
        owner: service.owner_address.clone(),
    }
}
