//! The chain, over its light client.

use futures::{StreamExt as _, stream::BoxStream};
use hearth_base::Amount;
use hearth_chain::{
    Chain, EndpointState as Found, Head as Known, Standing as ChainStanding, Trust as Anchored,
};
use hearth_gateway::{Avoided, Gateway};
use hearth_pocket::{difficulty::BASE_TARGET, message::shared::Service, session::Timing, settlement::Price};
use hearth_wallet::Wallet;
use tokio_stream::wrappers::WatchStream;

use super::{
    chain_error,
    stakes::{Stake, StakedAs, stakes},
    standing,
};
use crate::{
    control::types::{
        Endpoint, EndpointState, Event, Head, NetworkName, NetworkPage, NetworkService, Reason, SessionStrip,
        SessionSupplier, StakedRole, Standing, Trust, TrustAnchor, Upokt,
    },
    error::ApiError,
    parts::{Answer, NetworkStatus},
};

/// Receipts that the quality of suppliers is read from.
const RECEIPTS: u32 = 500;
/// Blocks after which proven figures count as old.
const STALE_BLOCKS: u64 = 5;

/// The chain behind the API.
pub struct ChainNetworkStatus {
    pub name: NetworkName,
    pub chain: Chain,
    pub wallet: Wallet,
    pub gateway: Gateway,
    /// Where the trust anchor came from: `devnet`, `network file`, `configuration`.
    pub trust_source: String,
}

impl ChainNetworkStatus {
    async fn trust(&self) -> Option<TrustAnchor> {
        let anchor = |anchor: hearth_chain::Anchor, source: String| TrustAnchor {
            height: anchor.height.0,
            hash: hex::encode_upper(anchor.hash),
            source,
        };
        match self.chain.trust().await.ok()? {
            Anchored::Missing => None,
            Anchored::Given(given) => Some(anchor(given, self.trust_source.clone())),
            Anchored::Agreed {
                anchor: agreed,
                endpoints,
            } => Some(anchor(agreed, format!("agreed by {} endpoints", endpoints.len()))),
        }
    }

    async fn strip(&self, known: &Known) -> Option<SessionStrip> {
        let timing = Timing::from(&self.chain.params_at(known.height).await.ok()?.value);
        let bounds = timing.bounds_at(known.height);
        let windows = timing.windows(bounds.end);
        Some(SessionStrip {
            number: bounds.number,
            start: bounds.start.0,
            end: bounds.end.0,
            grace_end: windows.last_grace.0,
            claim_opens: windows.claim_open.0,
            claim_closes: windows.claim_close.0,
            proof_opens: windows.proof_open.0,
            proof_closes: windows.proof_close.0,
        })
    }

    async fn services(&self, known: &Known) -> Answer<Vec<NetworkService>> {
        let found = self.chain.services().await.map_err(chain_error)?;
        let at = standing(&self.chain, &found);
        let shared = self
            .chain
            .params_at(known.height)
            .await
            .map_err(chain_error)?
            .value;
        let mut services = Vec::new();
        for service in &found.value {
            let suppliers = self.chain.suppliers(&service.id.as_str().into()).await.ok();
            services.push(NetworkService {
                id: service.id.clone(),
                name: service.name.clone(),
                owner: service.owner_address.clone(),
                compute_units_per_answer: service.compute_units_per_relay,
                price: price(service, &shared).map(Upokt),
                suppliers: suppliers.and_then(|found| u32::try_from(found.value.len()).ok()),
                standing: at,
            });
        }
        Ok(services)
    }

    /// Suppliers that this node's gateway may buy from now, with how they did of late.
    async fn suppliers(&self) -> Answer<Vec<SessionSupplier>> {
        let own = self
            .wallet
            .accounts()
            .map(|accounts| accounts.working.to_string());
        let mut suppliers: Vec<SessionSupplier> = self
            .gateway
            .session_suppliers()
            .await
            .into_iter()
            .map(|found| SessionSupplier {
                own: own.as_deref() == Some(found.operator.as_str()),
                address: found.operator,
                service: found.service.to_string(),
                url: Some(found.url.to_string()),
                answered: 0,
                failed: 0,
                first_token_ms: None,
                avoided: found.avoided.map(|why| match why {
                    Avoided::Rests => "it failed of late and rests".to_owned(),
                    Avoided::Distrusted => "it signed something else than it sent".to_owned(),
                }),
            })
            .collect();
        for receipt in self.gateway.receipts(RECEIPTS, 0).await.map_err(ApiError::from)? {
            let Some(supplier) = suppliers
                .iter_mut()
                .find(|found| found.address == receipt.supplier && found.service == receipt.service.as_str())
            else {
                continue;
            };
            match receipt.outcome {
                hearth_gateway::Outcome::Complete | hearth_gateway::Outcome::Cancelled => {
                    supplier.answered += 1
                }
                hearth_gateway::Outcome::Failed { .. } => supplier.failed += 1,
            }
            // Receipts come newest first.
            supplier.first_token_ms = supplier.first_token_ms.or(receipt.first_byte_ms);
        }
        Ok(suppliers)
    }
}

#[async_trait::async_trait]
impl NetworkStatus for ChainNetworkStatus {
    fn head(&self) -> Option<Head> {
        head(&self.chain)
    }

    fn problem(&self) -> Option<Reason> {
        chain_problem(&self.chain.head().borrow().standing)
    }

    async fn prefer_anchor(&self) -> Answer<()> {
        let standing = self.chain.head().borrow().standing.clone();
        if !matches!(standing, ChainStanding::TrustConflict { .. }) {
            return Err(ApiError::conflict(
                "no_conflict",
                "the chain does not contradict the trusted block",
            ));
        }
        self.chain.prefer_anchor().await.map_err(chain_error)
    }

    async fn page(&self) -> Answer<NetworkPage> {
        let known = self.chain.head().borrow().clone();
        // A chain that cannot be asked still has endpoints to show.
        let reachable = known.height.0 > 0;
        let services = if reachable {
            self.services(&known).await.unwrap_or_default()
        } else {
            Vec::new()
        };
        let roles = match self.wallet.accounts() {
            Some(accounts) if reachable => stakes(&self.chain, &accounts).await.unwrap_or_default(),
            Some(_) | None => Vec::new(),
        };
        let roles = roles.into_iter().map(role).collect();
        let skew = match &known.standing {
            ChainStanding::ClockSkew { ahead_s, .. } => Some(ahead_s * 1000),
            // The chain measures the skew only where it is too large; a 0 would be an invented figure.
            ChainStanding::Following
            | ChainStanding::Stalled { .. }
            | ChainStanding::TrustConflict { .. }
            | ChainStanding::Starting
            | ChainStanding::Unverified { .. }
            | ChainStanding::Unreachable { .. }
            | ChainStanding::TrustExpired { .. } => None,
        };
        Ok(NetworkPage {
            network: self.name.clone(),
            denom: "upokt".to_owned(),
            head: head(&self.chain),
            problem: self.problem(),
            trust: self.trust().await,
            clock_skew_ms: skew,
            session: if reachable { self.strip(&known).await } else { None },
            endpoints: self.chain.endpoints().into_iter().map(endpoint).collect(),
            services,
            suppliers: self.suppliers().await?,
            roles,
        })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let chain = self.chain.clone();
        WatchStream::from_changes(self.chain.head())
            .filter_map(move |_| futures::future::ready(head(&chain).map(Event::Head)))
            .boxed()
    }
}

fn head(chain: &Chain) -> Option<Head> {
    let known = chain.head().borrow().clone();
    let age = chain.age_of(known.height)?;
    let behind = known.height.since(known.verified_height);
    let is_fresh = behind <= STALE_BLOCKS && age <= known.stale_after();
    let trust = match known.standing {
        ChainStanding::Following if is_fresh => Trust::Proven,
        ChainStanding::Following
        | ChainStanding::Stalled { .. }
        | ChainStanding::Unreachable { .. }
        | ChainStanding::TrustExpired { .. }
        | ChainStanding::ClockSkew { .. } => Trust::Stale,
        ChainStanding::Starting | ChainStanding::Unverified { .. } | ChainStanding::TrustConflict { .. } => {
            Trust::Unverified
        }
    };
    let verified = (known.verified_height.0 > 0).then_some(known.verified_height.0);
    Some(Head {
        height: known.height.0,
        time: known.time.into(),
        verified_height: verified,
        standing: Standing {
            trust,
            height: known.proven_height.0,
            age_s: Some(age.as_secs()),
        },
        block_time_ms: known
            .block_time
            .and_then(|time| u64::try_from(time.as_millis()).ok()),
    })
}

/// What is wrong between this node and the chain, for people; the page, the status and the doctor say the same.
#[must_use]
pub fn chain_problem(standing: &ChainStanding) -> Option<Reason> {
    let (code, fact, meaning, remedy) = match standing {
        ChainStanding::Following => return None,
        ChainStanding::Starting => (
            "chain_syncing",
            String::new(),
            "Nothing was heard of the chain yet. Balances are unknown; local chat works.",
            "Wait a moment.",
        ),
        ChainStanding::Stalled { why } => (
            "chain_stalled",
            why.clone(),
            "What is shown of the chain is old. Payments and claims may be late until blocks come again.",
            "Add an endpoint run by somebody else to chain.rpc. If that one has no newer block either, the chain itself \
             stands still: wait.",
        ),
        ChainStanding::Unverified { why } => (
            "chain_unverified",
            why.clone(),
            "What is shown of the chain is an endpoint's word.",
            "Give a trust anchor: chain.trust.height and chain.trust.hash of a block that you trust.",
        ),
        ChainStanding::TrustConflict { why } => (
            "trust_conflict",
            why.clone(),
            "The chain shows another block than the one you trust. Money and earning wait until you decide.",
            "Compare height and hash with somebody whom you trust. Then correct chain.trust, remove the endpoint that \
             lies from chain.rpc, or accept the trusted block on the Network page.",
        ),
        ChainStanding::Unreachable { why } => (
            "chain_unreachable",
            why.clone(),
            "What is shown of the chain is old, and nothing can be paid or claimed. Local chat works.",
            "Look at the network connection, or set chain.rpc.",
        ),
        ChainStanding::TrustExpired { why } => (
            "trust_expired",
            why.clone(),
            "The last block that was verified is too old to verify others from.",
            "Set chain.trust.height and chain.trust.hash to a recent block that you trust; or set the clock, if it is wrong.",
        ),
        ChainStanding::ClockSkew { why, .. } => (
            "clock_skew",
            why.clone(),
            "With a wrong clock claims would fail, and blocks cannot be judged.",
            "Set the clock, best by the system's time service.",
        ),
    };
    Some(Reason {
        code: code.to_owned(),
        fact: (!fact.is_empty()).then_some(fact),
        meaning: meaning.to_owned(),
        remedy: Some(remedy.to_owned()),
    })
}

fn endpoint(status: hearth_chain::EndpointStatus) -> Endpoint {
    let (state, error) = match status.state {
        Found::Unknown => (EndpointState::Unknown, None),
        Found::Healthy => (EndpointState::Ok, None),
        Found::Stale { why } => (EndpointState::Stale, Some(why)),
        Found::Failing { why } => (EndpointState::Down, Some(why)),
        Found::Banned { why } => (EndpointState::Lied, Some(why)),
        Found::OtherChain { found } => (
            EndpointState::OtherChain,
            Some(format!("it serves chain \"{found}\"")),
        ),
    };
    Endpoint {
        url: status.name,
        state,
        height: (status.height.0 > 0).then_some(status.height.0),
        latency_ms: status
            .latency
            .and_then(|latency| u64::try_from(latency.as_millis()).ok()),
        error,
    }
}

/// What one answer costs: one relay at the easiest difficulty.
fn price(service: &Service, shared: &hearth_pocket::message::shared::Params) -> Option<Amount> {
    let price = Price {
        // At the easiest difficulty every answer is paid for as one.
        target: BASE_TARGET,
        compute_units_to_tokens_multiplier: shared.compute_units_to_tokens_multiplier,
        granularity: shared.compute_unit_cost_granularity,
    };
    price.of_compute_units(service.compute_units_per_relay).ok()
}

fn role(stake: Stake) -> StakedRole {
    let name = match stake.staked_as {
        StakedAs::Supplier => "supplier",
        StakedAs::Application => "application",
        StakedAs::Gateway => "gateway",
    };
    let amount = stake.coin.and_then(|coin| coin.amount.parse().ok());
    StakedRole {
        role: name.to_owned(),
        address: stake.address.to_string(),
        stake: Upokt(amount.unwrap_or_default()),
        services: stake.services,
        standing: stake.standing,
        note: stake
            .unstakes_at
            .map(|unstakes_at| format!("on its way back, last block {unstakes_at}")),
    }
}
