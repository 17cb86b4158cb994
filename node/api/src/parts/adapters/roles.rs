//! Roles, over chain, wallet and outbox.

use std::time::Duration;

use hearth_base::{Amount, ServiceId};
use hearth_outbox::State;
use hearth_pocket::{
    Address,
    message::{
        Coin,
        shared::{Params, Supplier, SupplierServiceConfig},
    },
};
use hearth_roles::{Error, Note, Offer, Order, Review, Role, RoleError, Roles as Own, Share};
use hearth_wallet::{KeyState, Role as Key};
use url::Url;

use super::{chain_error, money::tx_error, transactions};
use crate::{
    control::types::{
        ApplicationRole, GatewayRole, KeyRole, Leaving, RevenueShare, RoleName, RoleNote, RoleOrder,
        RoleReview, RoleStep, RoleTerms, RolesPage, ServiceOffer, StakedService, SupplierRole,
        TransactionList, Upokt,
    },
    error::ApiError,
    parts::{Answer, Roles},
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
}

#[async_trait::async_trait]
impl Roles for ChainRoles {
    async fn page(&self) -> Answer<RolesPage> {
        let chain = &self.roles.chain;
        let accounts = self.roles.wallet.accounts().ok_or(hearth_wallet::Error::None)?;
        self.roles.outbox.shown(SHOWN_WITHIN).await?;
        let params = chain.params().await.map_err(chain_error)?.value;
        let supplier = chain
            .supplier(&accounts.working)
            .await
            .map_err(chain_error)?
            .value;
        let application = chain
            .application(&accounts.main)
            .await
            .map_err(chain_error)?
            .value;
        let gateway = chain.gateway(&accounts.working).await.map_err(chain_error)?.value;
        let head = chain.head().borrow().clone();
        let leaving = |until: u64, sessions: u64| {
            leaving(until, sessions, &params.shared, head.height.0, head.block_time)
        };
        Ok(RolesPage {
            supplier: supplier.map(|record| SupplierRole {
                services: served(&record, head.height.0),
                is_own: record.owner_address == accounts.main.as_str(),
                operator: record.operator_address,
                owner: record.owner_address,
                stake: upokt(record.stake.as_ref()),
                leaving: leaving(
                    record.unstake_session_end_height,
                    params.shared.supplier_unbonding_period_sessions,
                ),
            }),
            application: application.map(|record| ApplicationRole {
                address: record.address,
                stake: upokt(record.stake.as_ref()),
                services: record
                    .service_configs
                    .into_iter()
                    .map(|config| config.service_id)
                    .collect(),
                gateways: record.delegatee_gateway_addresses,
                session_limit: record
                    .per_session_spend_limit
                    .as_ref()
                    .map(|coin| upokt(Some(coin))),
                leaving: leaving(
                    record.unstake_session_end_height,
                    params.shared.application_unbonding_period_sessions,
                ),
            }),
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

    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview> {
        let order = read(order)?;
        self.roles.outbox.shown(self.block_within).await?;
        let review = self.roles.review(&order).await.map_err(refused)?;
        Ok(self.shown(&review))
    }

    async fn send(&self, order: &RoleOrder, seen: &RoleReview) -> Answer<TransactionList> {
        let order = read(order)?;
        self.roles.outbox.shown(self.block_within).await?;
        let review = self.roles.review(&order).await.map_err(refused)?;
        if self.shown(&review).steps != seen.steps {
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
}

impl ChainRoles {
    fn shown(&self, review: &Review) -> RoleReview {
        let state = self.roles.wallet.state().borrow().clone();
        let is_locked = |key: Key| match key {
            Key::Main => state.main == KeyState::Locked,
            Key::Working => state.working == KeyState::Locked,
        };
        let steps = review.plan.steps.iter().map(|step| RoleStep {
            key: match step.key {
                Key::Main => KeyRole::Main,
                Key::Working => KeyRole::Working,
            },
            account: step.account.to_string(),
            amount: Upokt(step.amount),
            messages: step
                .messages
                .iter()
                .filter_map(|message| serde_json::to_value(message).ok())
                .collect(),
        });
        RoleReview {
            review_id: String::new(),
            steps: steps.collect(),
            notes: review.plan.notes.iter().map(note).collect(),
            max_fee: Upokt(review.max_fee),
            needs_password: review.plan.steps.iter().any(|step| is_locked(step.key)),
        }
    }
}

/// Reads an order.
fn read(order: &RoleOrder) -> Answer<Order> {
    Ok(match order {
        RoleOrder::StakeSupplier { stake, services } => Order::Supplier {
            stake: stake.map(|stake| stake.0),
            services: services.iter().map(offer).collect::<Answer<Vec<_>>>()?,
        },
        RoleOrder::StakeApplication {
            stake,
            service,
            session_limit,
        } => Order::Application {
            stake: stake.0,
            service: ServiceId::new(service.trim()),
            session_limit: session_limit.map(|limit| limit.0),
        },
        RoleOrder::StakeGateway { stake } => Order::Gateway { stake: stake.0 },
        RoleOrder::Unstake { role } => Order::Unstake(match role {
            RoleName::Supplier => Role::Supplier,
            RoleName::Application => Role::Application,
            RoleName::Gateway => Role::Gateway,
        }),
        RoleOrder::Delegate { gateway } => Order::Delegate(gateway.as_deref().map(address).transpose()?),
        RoleOrder::Undelegate { gateway } => Order::Undelegate(gateway.as_deref().map(address).transpose()?),
        RoleOrder::Service {
            id,
            name,
            compute_units,
            card,
        } => Order::Service {
            id: ServiceId::new(id.trim()),
            name: name.trim().to_owned(),
            compute_units: *compute_units,
            card: card.as_ref().map(|card| card.to_string().into_bytes()),
        },
    })
}

fn offer(offer: &ServiceOffer) -> Answer<Offer> {
    let url = Url::parse(offer.url.trim()).map_err(|error| {
        let url = offer.url.clone();
        tracing::debug!(%error, "an address that is none");
        refused(Error::Role(RoleError::Url {
            url,
            why: "it is not written as one",
        }))
    })?;
    let share = |share: &RevenueShare| {
        Ok(Share {
            address: address(&share.address)?,
            percent: share.percent,
        })
    };
    Ok(Offer {
        service: ServiceId::new(offer.service.trim()),
        url,
        shares: offer.shares.iter().map(share).collect::<Answer<Vec<_>>>()?,
    })
}

fn address(text: &str) -> Answer<Address> {
    text.trim()
        .parse()
        .map_err(|error: hearth_pocket::address::AddressError| {
            ApiError::refused("address_wrong", error.to_string()).remedy("Copy the whole address again.")
        })
}

fn refused(error: Error) -> ApiError {
    match error {
        Error::Role(error) => ApiError::conflict(error.code(), error.to_string()).remedy(error.remedy()),
        Error::Wallet(error) => error.into(),
        Error::Query(error) => chain_error(error),
        Error::Tx(error) => tx_error(error),
        Error::Put(error) => error.into(),
    }
}

fn upokt(coin: Option<&Coin>) -> Upokt {
    Upokt(
        coin.and_then(|coin| coin.amount.parse().ok())
            .unwrap_or(Amount::ZERO),
    )
}

/// The services of a supplier that count now or from the next session.
fn served(record: &Supplier, height: u64) -> Vec<StakedService> {
    let shown = |config: &SupplierServiceConfig, from_height: Option<u64>| StakedService {
        service: config.service_id.clone(),
        urls: {
            let mut urls: Vec<String> = config
                .endpoints
                .iter()
                .map(|endpoint| endpoint.url.clone())
                .collect();
            urls.dedup();
            urls
        },
        shares: config
            .rev_share
            .iter()
            .map(|share| RevenueShare {
                address: share.address.clone(),
                percent: share.rev_share_percentage,
            })
            .collect(),
        from_height,
    };
    let mut services: Vec<StakedService> = record.services.iter().map(|config| shown(config, None)).collect();
    for update in &record.service_config_history {
        let Some(config) = update
            .service
            .as_ref()
            .filter(|_| update.deactivation_height == 0)
        else {
            continue;
        };
        let from = u64::try_from(update.activation_height)
            .ok()
            .filter(|from| *from > height);
        match services
            .iter_mut()
            .find(|known| known.service == config.service_id)
        {
            Some(known) if from.is_some() => *known = shown(config, from),
            Some(_) => {}
            None => services.push(shown(config, from)),
        }
    }
    services
}

fn leaving(
    until: u64,
    sessions: u64,
    shared: &Params,
    height: u64,
    block_time: Option<Duration>,
) -> Option<Leaving> {
    if until == 0 {
        return None;
    }
    let free = until.saturating_add(sessions.saturating_mul(shared.num_blocks_per_session));
    let left = u32::try_from(free.saturating_sub(height)).unwrap_or(u32::MAX);
    Some(Leaving {
        until_height: until,
        free_height: free,
        seconds: block_time.map(|time| time.saturating_mul(left).as_secs()),
    })
}

fn note(note: &Note) -> RoleNote {
    let values = note.values().into_iter();
    RoleNote {
        code: note.code().to_owned(),
        text: note.to_string(),
        values: values.map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}
