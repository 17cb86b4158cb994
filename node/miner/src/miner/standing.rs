//! What the chain says of the supplier: its stake, its URL, and what its working key can pay. It is looked at beside
//! the loop of earning, so that a slow endpoint never holds up a stop.

use std::time::Duration;

use hearth_base::{Height, ServiceId};
use hearth_pocket::message::shared::Supplier;
use url::{Host, Url};

use super::Miner;
use crate::{
    costs::{Costs, CostsError},
    earning::{Reason, ReasonCode, low_funds},
};

/// How often is looked at most.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How often is looked where no block comes: a wallet may have been made, an endpoint may answer again.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(15);

/// What the chain said when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OnChain {
    /// What of the stake stands in the way.
    pub(super) stake: Option<Reason>,
    /// What of the stake is worth knowing.
    pub(super) stake_notes: Vec<Reason>,
    /// Whether the working key can pay for what is ahead.
    pub(super) funds: Option<Reason>,
}

impl Miner {
    /// Looks at the chain once a block, for as long as the miner runs. What the chain does not answer now leaves what
    /// it said before.
    pub(super) async fn watch_chain(self) {
        let mut head = self.0.network.head();
        loop {
            let height = head.borrow_and_update().height;
            self.look_at_stake(height).await;
            self.look_at_funds().await;
            tokio::time::sleep(LOOK_AT_MOST_EVERY).await;
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK_AT_LEAST_EVERY) => {}
            }
        }
    }

    async fn look_at_stake(&self, height: Height) {
        let Some(operator) = self.0.keys.supplier().filter(|_| height.0 > 0) else {
            return;
        };
        let supplier = match self.0.network.supplier(&operator).await {
            Ok(supplier) => supplier,
            Err(error) => {
                tracing::debug!(%error, "the supplier's stake cannot be read now");
                return;
            }
        };
        let sold: Vec<&str> = self.0.config.services.keys().map(ServiceId::as_str).collect();
        let stake = stake_reason(operator.as_str(), supplier.as_ref(), &sold, height);
        let mut stake_notes = Vec::new();
        if let (None, Some(supplier)) = (&stake, &supplier) {
            stake_notes.extend(unbonding_note(supplier));
            let url = self.0.public_url.as_ref();
            stake_notes.extend(url_note(supplier, &sold, url, self.0.config.allow_local_url));
        }
        self.0.on_chain.send_if_modified(|known| {
            let changed = known.stake != stake || known.stake_notes != stake_notes;
            known.stake = stake;
            known.stake_notes = stake_notes;
            changed
        });
    }

    async fn look_at_funds(&self) {
        match self.funds_reason().await {
            Ok(funds) => {
                self.0.on_chain.send_if_modified(|known| {
                    let changed = known.funds != funds;
                    known.funds = funds;
                    changed
                });
            }
            Err(error) => tracing::debug!(%error, "what claims cost cannot be read now"),
        }
    }

    async fn funds_reason(&self) -> Result<Option<Reason>, CostsError> {
        let Some(supplier) = self.0.keys.supplier() else {
            return Ok(None);
        };
        let costs = Costs::read(&self.0.network, &self.0.db).await?;
        let needed = costs.reserve(&self.0.db.open_records().await?);
        let balance = self.0.network.balance(&supplier).await?;
        Ok(low_funds(balance, needed))
    }
}

/// What of the stake stands in the way at a height.
fn stake_reason(
    operator: &str,
    supplier: Option<&Supplier>,
    sold: &[&str],
    height: Height,
) -> Option<Reason> {
    let Some(supplier) = supplier.filter(|supplier| !is_unbonded(supplier, height)) else {
        return Some(Reason {
            code: ReasonCode::NeedsStake,
            fact: operator.to_owned(),
        });
    };
    let staked = supplier
        .services
        .iter()
        .map(|service| service.service_id.as_str());
    if staked.clone().any(|id| sold.contains(&id)) {
        return None;
    }
    let list = |ids: &[&str]| {
        if ids.is_empty() {
            "none".to_owned()
        } else {
            ids.join(", ")
        }
    };
    Some(Reason {
        code: ReasonCode::NoStakedService,
        fact: format!(
            "{operator} is staked for: {}; sold here: {}",
            list(&staked.collect::<Vec<_>>()),
            list(sold)
        ),
    })
}

/// Whether a supplier that left takes part in no session any more.
fn is_unbonded(supplier: &Supplier, height: Height) -> bool {
    let end = supplier.unstake_session_end_height;
    end > 0 && height.0 > end
}

fn unbonding_note(supplier: &Supplier) -> Option<Reason> {
    let end = supplier.unstake_session_end_height;
    (end > 0).then(|| Reason {
        code: ReasonCode::Unbonding,
        fact: format!("the last session ends with block {end}"),
    })
}

/// Whether buyers are sent somewhere else than here, or to their own computers.
fn url_note(supplier: &Supplier, sold: &[&str], ours: Option<&Url>, allow_local: bool) -> Option<Reason> {
    let services = supplier.services.iter();
    let mut staked = services
        .filter(|service| sold.contains(&service.service_id.as_str()))
        .flat_map(|service| &service.endpoints)
        .filter_map(|endpoint| Url::parse(&endpoint.url).ok());
    if let Some(local) = staked.clone().find(|url| !allow_local && is_local(url)) {
        return Some(Reason {
            code: ReasonCode::UrlLocal,
            fact: local.to_string(),
        });
    }
    let ours = ours?;
    let other = staked.find(|url| !same_place(url, ours))?;
    Some(Reason {
        code: ReasonCode::UrlDiffers,
        fact: format!("staked: {other}; miner.public_url: {ours}"),
    })
}

/// Whether only this computer, or its own network, can mean the address.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
        }
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        None => true,
    }
}

fn same_place(one: &Url, other: &Url) -> bool {
    let place = |url: &Url| {
        let host = url.host_str().map(str::to_ascii_lowercase);
        (
            url.scheme().to_owned(),
            host,
            url.port_or_known_default(),
            url.path().trim_end_matches('/').to_owned(),
        )
    };
    place(one) == place(other)
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::shared::{SupplierEndpoint, SupplierServiceConfig};

    use super::*;

    fn supplier(service: &str, url: &str, unstaked_at: u64) -> Supplier {
        Supplier {
            operator_address: "pokt1op".to_owned(),
            services: vec![SupplierServiceConfig {
                service_id: service.to_owned(),
                endpoints: vec![SupplierEndpoint {
                    url: url.to_owned(),
                    ..SupplierEndpoint::default()
                }],
                ..SupplierServiceConfig::default()
            }],
            unstake_session_end_height: unstaked_at,
            ..Supplier::default()
        }
    }

    fn code(reason: Option<Reason>) -> Option<ReasonCode> {
        reason.map(|reason| reason.code)
    }

    #[test]
    fn a_stake_that_is_missing_over_or_for_other_services_is_told_apart() {
        let of = |supplier: Option<&Supplier>, height| {
            code(stake_reason("pokt1op", supplier, &["svc"], Height(height)))
        };
        assert_eq!(of(None, 5), Some(ReasonCode::NeedsStake));
        let good = supplier("svc", "https://a.example", 0);
        assert_eq!(of(Some(&good), 5), None);
        let other = supplier("other", "https://a.example", 0);
        assert_eq!(of(Some(&other), 5), Some(ReasonCode::NoStakedService));
        let without = Supplier {
            services: vec![],
            ..good.clone()
        };
        assert_eq!(of(Some(&without), 5), Some(ReasonCode::NoStakedService));
        // It serves to the end of its last session, and not a block longer.
        let leaving = supplier("svc", "https://a.example", 20);
        assert_eq!(of(Some(&leaving), 20), None);
        assert_eq!(code(unbonding_note(&leaving)), Some(ReasonCode::Unbonding));
        assert_eq!(of(Some(&leaving), 21), Some(ReasonCode::NeedsStake));
    }

    #[test]
    fn a_staked_url_that_leads_elsewhere_is_noted() {
        let note = |staked: &str, ours: Option<&str>, local: bool| {
            let ours = ours.map(|url| Url::parse(url).unwrap());
            code(url_note(
                &supplier("svc", staked, 0),
                &["svc"],
                ours.as_ref(),
                local,
            ))
        };
        let ours = Some("https://me.example/relay");
        assert_eq!(note("https://ME.example:443/relay/", ours, false), None);
        assert_eq!(
            note("https://me.example/", ours, false),
            Some(ReasonCode::UrlDiffers)
        );
        assert_eq!(
            note("http://me.example/relay", ours, false),
            Some(ReasonCode::UrlDiffers)
        );
        assert_eq!(note("https://you.example", None, false), None);
        for local in [
            "http://127.0.0.1:4328",
            "http://localhost:4328",
            "http://192.168.1.7",
            "http://[::1]:1",
        ] {
            assert_eq!(note(local, None, false), Some(ReasonCode::UrlLocal), "{local}");
            assert_eq!(note(local, None, true), None, "{local}");
        }
    }
}
