//! The chain, over its light client.

mod list;
mod program;

pub use program::KnownProgram;

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_base::{Amount, ServiceId};
use hearth_chain::{Chain, Head as Known, Standing as ChainStanding, Trust as Anchored};
use hearth_gateway::{Avoided, Gateway};
use hearth_pocket::{difficulty::BASE_TARGET, message::shared::Service, session::Timing, settlement::Price};
use hearth_wallet::Wallet;
use tokio_stream::wrappers::WatchStream;

use super::{
    chain_error,
    stakes::{Stake, stakes},
    standing_of_list,
};
use crate::{
    control::types::{
        EndpointTrial, Event, FalseAnswer, GiveAnchor, Head, NetworkName, NetworkPage, NetworkService,
        OfferedBlock, Reason, SessionStrip, SessionSupplier, StakedRole, Standing, Timestamp, Trust,
        TrustAnchor, Upokt,
    },
    error::ApiError,
    parts::{Answer, NetworkStatus},
};

/// Receipts that the quality of suppliers is read from.
const RECEIPTS: u32 = 500;
/// Blocks after which proven figures count as old.
const STALE_BLOCKS: u64 = 5;
/// Services whose suppliers are counted, one list each, and how many of them at a time.
const COUNTED_SERVICES: usize = 12;
const COUNTED_AT_ONCE: usize = 6;

/// The chain behind the API.
pub struct ChainNetworkStatus {
    pub name: NetworkName,
    pub chain: Chain,
    pub wallet: Wallet,
    pub gateway: Gateway,
    /// Where the trust anchor came from: `devnet`, `network file`, `configuration`.
    pub trust_source: String,
    /// The services of the network as they were listed last: suppliers come and go between sessions only.
    pub listed: ListedServices,
    /// The chain's program as it was told last.
    pub program: KnownProgram,
}

/// What was listed last, with the session for which it holds. Opening the page asks for it once a session.
#[derive(Default)]
pub struct ListedServices(tokio::sync::Mutex<Option<(u64, Vec<NetworkService>)>>);

impl ChainNetworkStatus {
    async fn trust(&self) -> Option<TrustAnchor> {
        let anchor = |anchor: hearth_chain::Anchor, source: String| TrustAnchor {
            height: anchor.height.0,
            hash: hex::encode_upper(anchor.hash),
            source,
            given_at: None,
        };
        match self.chain.trust().await.ok()? {
            Anchored::Missing => None,
            Anchored::Given(given) => Some(anchor(given, self.trust_source.clone())),
            Anchored::ByPerson { anchor: given, at_ms } => Some(TrustAnchor {
                given_at: Some(Timestamp::from_ms(at_ms)),
                ..anchor(given, "a person".to_owned())
            }),
            Anchored::Agreed {
                anchor: agreed,
                endpoints,
            } => Some(anchor(agreed, format!("agreed by {} endpoints", endpoints.len()))),
        }
    }

    async fn strip(&self, known: &Known) -> Option<SessionStrip> {
        let params = self.chain.params_at(known.height).await.ok()?.into_value();
        let timing = Timing::from(&params);
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

    /// The services, listed once a session; where nobody answers, as they were listed last.
    async fn services(&self, known: &Known, session: Option<u64>) -> Vec<NetworkService> {
        let mut listed = self.listed.0.lock().await;
        if let Some((of, services)) = &*listed
            && session.is_none_or(|session| session == *of)
        {
            return services.clone();
        }
        match self.list_services(known).await {
            Ok(services) => {
                *listed = session.map(|session| (session, services.clone()));
                services
            }
            Err(error) => {
                tracing::debug!(%error, "the services of the network are not known at present");
                listed
                    .as_ref()
                    .map(|(_, services)| services.clone())
                    .unwrap_or_default()
            }
        }
    }

    async fn list_services(&self, known: &Known) -> Answer<Vec<NetworkService>> {
        let (found, shared) = futures::join!(self.chain.services(), self.chain.params_at(known.height));
        let (found, shared) = (
            found.map_err(chain_error)?,
            shared.map_err(chain_error)?.into_value(),
        );
        let at = standing_of_list(&self.chain, &found);
        let counted: Vec<ServiceId> = found
            .value
            .iter()
            .take(COUNTED_SERVICES)
            .map(|one| one.id.as_str().into())
            .collect();
        let counts: Vec<Option<u32>> = stream::iter(counted)
            .map(|service| async move {
                let suppliers = self.chain.suppliers(&service).await.ok();
                suppliers.and_then(|found| u32::try_from(found.value.len()).ok())
            })
            .buffered(COUNTED_AT_ONCE)
            .collect()
            .await;
        let counts = counts.into_iter().chain(std::iter::repeat(None));
        let services = found
            .value
            .iter()
            .zip(counts)
            .map(|(service, suppliers)| NetworkService {
                id: service.id.clone(),
                name: service.name.clone(),
                owner: service.owner_address.clone(),
                compute_units_per_answer: service.compute_units_per_relay,
                price: price(service, &shared).map(Upokt),
                suppliers,
                standing: at,
            });
        Ok(services.collect())
    }

    /// Suppliers that this node's gateway may buy from now, with how they did of late.
    async fn suppliers(&self) -> Answer<Vec<SessionSupplier>> {
        let own = self.wallet.accounts().map(|accounts| accounts.operators);
        let own = own.unwrap_or_default();
        let mut suppliers: Vec<SessionSupplier> = self
            .gateway
            .session_suppliers()
            .await
            .into_iter()
            .map(|found| SessionSupplier {
                own: own
                    .iter()
                    .any(|operator| operator.as_str() == found.operator.as_str()),
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
        let session = if reachable { self.strip(&known).await } else { None };
        let number = session.as_ref().map(|session| session.number);
        let staked = async {
            match self.wallet.accounts() {
                Some(accounts) if reachable => stakes(&self.chain, &accounts).await.unwrap_or_default(),
                Some(_) | None => Vec::new(),
            }
        };
        let listed = async {
            if reachable {
                self.services(&known, number).await
            } else {
                Vec::new()
            }
        };
        let (services, roles, suppliers, trust, evidence, program) = futures::join!(
            listed,
            staked,
            self.suppliers(),
            self.trust(),
            self.chain.evidence(),
            self.program.told(&self.chain, &known)
        );
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
            offered: offered(&known, trust.is_some()),
            trust,
            clock_skew_ms: skew,
            session,
            program,
            endpoints: list::endpoints(&self.chain),
            false_answers: evidence.map_or(0, |lies| u32::try_from(lies.len()).unwrap_or(u32::MAX)),
            services,
            suppliers: suppliers?,
            roles,
        })
    }

    async fn give_anchor(&self, given: &GiveAnchor) -> Answer<()> {
        let anchor = list::anchor(given)?;
        let given = self.chain.give_anchor(anchor, given.instead).await;
        given.map_err(list::anchor_error)
    }

    async fn forget_anchor(&self) -> Answer<()> {
        self.chain.forget_anchor().await.map_err(chain_error)
    }

    async fn add_endpoint(&self, url: &str) -> Answer<()> {
        self.chain
            .add_endpoint(url)
            .await
            .map(drop)
            .map_err(list::endpoint_error)
    }

    async fn remove_endpoint(&self, which: &str) -> Answer<()> {
        self.chain
            .remove_endpoint(which)
            .await
            .map_err(list::endpoint_error)
    }

    async fn try_endpoints(&self, which: Option<&str>) -> Answer<Vec<EndpointTrial>> {
        let trials = self
            .chain
            .try_endpoints(which)
            .await
            .map_err(list::endpoint_error)?;
        Ok(trials.into_iter().map(list::trial).collect())
    }

    async fn false_answers(&self) -> Answer<Vec<FalseAnswer>> {
        let lies = self
            .chain
            .evidence()
            .await
            .map_err(|error| ApiError::internal(&error))?;
        Ok(lies.into_iter().map(list::false_answer).collect())
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
            "Add an endpoint run by somebody else, on the Network page. If that one has no newer block either, the chain itself \
             stands still: wait.",
        ),
        ChainStanding::Unverified { why } => (
            "chain_unverified",
            why.clone(),
            "What is shown of the chain is an endpoint's word, so nothing of it decides about money: nothing is paid, earned \
             or bought on the network.",
            "Give a block that you trust on the Network page, or with `hearth network trust HEIGHT HASH`; or add an endpoint \
             run by somebody else.",
        ),
        ChainStanding::TrustConflict { why } => (
            "trust_conflict",
            why.clone(),
            "The chain shows another block than the one you trust. Money and earning wait until you decide.",
            "Compare height and hash with somebody whom you trust. Then give the right block, remove the endpoint that lies, \
             or accept the trusted block, on the Network page.",
        ),
        ChainStanding::Unreachable { why } => (
            "chain_unreachable",
            why.clone(),
            "What is shown of the chain is old, and nothing can be paid or claimed. Local chat works.",
            "Look at the network connection, or add another endpoint on the Network page.",
        ),
        ChainStanding::TrustExpired { why } => (
            "trust_expired",
            why.clone(),
            "The last block that was verified is too old to verify others from.",
            "Give a recent block that you trust on the Network page, or with `hearth network trust HEIGHT HASH`; or set the \
             clock, if it is wrong.",
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

/// The newest block that an endpoint shows, where nothing is trusted yet.
fn offered(known: &Known, is_trusted: bool) -> Option<OfferedBlock> {
    let is_offered = !is_trusted
        && matches!(known.standing, ChainStanding::Unverified { .. })
        && known.height.0 > 0
        && known.hash != [0; 32];
    is_offered.then(|| OfferedBlock {
        height: known.height.0,
        hash: hex::encode_upper(known.hash),
    })
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
    let amount = stake.coin.and_then(|coin| coin.amount.parse().ok());
    StakedRole {
        role: stake.role.word().to_owned(),
        address: stake.address.to_string(),
        stake: Upokt(amount.unwrap_or_default()),
        services: stake.services,
        standing: stake.standing,
        note: stake
            .unstakes_at
            .map(|unstakes_at| format!("on its way back, last block {unstakes_at}")),
    }
}
