//! What the chain says of each supplier: its stake, its URL, and what its working key can pay. It is looked at beside
//! the loop of earning, so that a slow endpoint never holds up a stop.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use hearth_base::{Height, ServiceId};
use hearth_pocket::{
    Address,
    message::shared::{ServiceConfigUpdate, Supplier as Record},
};
use url::{Host, Url};

use super::Miner;
use crate::{
    costs::{Costs, CostsError},
    earning::{Reason, ReasonCode, low_funds},
    record::{Known, messages_of},
    supplier::{Supplier, Suppliers},
};

/// How often is looked at most.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How often is looked where no block comes: a wallet may have been made, an endpoint may answer again.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(15);
/// Suppliers that are looked at at a time.
const AT_ONCE: usize = 8;

impl Miner {
    /// Looks at the chain once a block, for as long as the miner runs. What the chain does not answer now leaves what
    /// it said before.
    pub(super) async fn watch_chain(self) {
        let mut head = self.0.network.head();
        let mut suppliers = self.0.suppliers.subscribe();
        loop {
            let height = head.borrow_and_update().height;
            let all = suppliers.borrow_and_update().clone();
            self.look_at_chain(&all, height).await;
            tokio::select! {
                // One that is new is looked at at once: it answers nothing before. The sender lives as long as the miner.
                _ = suppliers.changed() => continue,
                () = tokio::time::sleep(LOOK_AT_MOST_EVERY) => {}
            }
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return },
                _ = suppliers.changed() => {}
                () = tokio::time::sleep(LOOK_AT_LEAST_EVERY) => {}
            }
        }
    }

    /// Looks at all suppliers at once: one for which an endpoint takes its time holds up no other.
    async fn look_at_chain(&self, suppliers: &Suppliers, height: Height) {
        if suppliers.all().is_empty() {
            return;
        }
        stream::iter(suppliers.all())
            .for_each_concurrent(AT_ONCE, |supplier| async move {
                self.look_at_stake(supplier, height).await;
            })
            .await;
        let costs = match Costs::read(&self.0.network, &self.0.outbox).await {
            Ok(costs) => costs,
            Err(error) => {
                tracing::debug!(%error, "what claims cost cannot be read now");
                return;
            }
        };
        stream::iter(suppliers.all())
            .for_each_concurrent(AT_ONCE, |supplier| async move {
                self.look_at_funds(supplier, &costs).await;
            })
            .await;
    }

    async fn look_at_stake(&self, supplier: &Supplier, height: Height) {
        if height.0 == 0 {
            return;
        }
        let operator = supplier.operator();
        let record = match self.0.network.supplier(operator).await {
            Ok(record) => record.into_value(),
            Err(error) => {
                tracing::debug!(%operator, %error, "the supplier's stake cannot be read now");
                return;
            }
        };
        if let Some(record) = &record {
            self.look_at_record(supplier, record).await;
        }
        let sold: Vec<&str> = self.0.config.services.keys().map(ServiceId::as_str).collect();
        let stake = stake_reason(operator.as_str(), record.as_ref(), &sold, height);
        let mut stake_notes = Vec::new();
        if let (None, Some(record)) = (&stake, &record) {
            stake_notes.extend(unbonding_note(record));
            stake_notes.extend(starts_later_note(record, &sold, height));
            stake_notes.extend(self.owner_note(record));
            let url = self.0.public_url.as_ref();
            stake_notes.extend(url_note(record, &sold, url, self.0.config.allow_local_url));
        }
        supplier
            .sessions
            .set_retired(record.as_ref().map(retired).unwrap_or_default());
        let owner = record.map(|record| record.owner_address);
        supplier.on_chain.send_modify(|known| {
            known.is_known = true;
            known.owner = owner;
            known.stake = stake;
            known.stake_notes = stake_notes;
        });
    }

    /// Whose the supplier is, where its owner's key is not in this wallet.
    fn owner_note(&self, record: &Record) -> Option<Reason> {
        let owner = record.owner_address.parse().ok()?;
        (!self.0.keys.is_own(&owner)).then(|| Reason {
            code: ReasonCode::OtherOwner,
            fact: record.owner_address.clone(),
        })
    }

    /// Whether the record is as this node left it.
    async fn look_at_record(&self, supplier: &Supplier, record: &Record) {
        let operator = supplier.operator().as_str();
        match self.record_reason(operator, record).await {
            Ok(changed) => {
                supplier.on_chain.send_modify(|known| {
                    if known.record != changed
                        && let Some(reason) = &changed
                    {
                        tracing::warn!(
                            operator, what = %reason.fact,
                            "the supplier's record was changed, and not by this node"
                        );
                    }
                    known.record = changed;
                });
            }
            Err(error) => {
                let error = hearth_base::failure::chain(&error);
                tracing::warn!(operator, %error, "the known record of the supplier cannot be read or kept");
            }
        }
    }

    async fn record_reason(&self, operator: &str, record: &Record) -> Result<Option<Reason>, CostsError> {
        let now = Known::of(record);
        let known = self.0.db.known_record(operator).await?;
        let is_ours = match &known {
            None => true,
            Some((known, _)) if *known == now => return Ok(None),
            Some((known, since_ms)) => {
                let sent = messages_of(self.0.outbox.roles_since(*since_ms).await?);
                known.leads_to(&now, operator, &sent)
            }
        };
        if is_ours {
            let now_ms = self.0.clock.now_ms();
            self.0.db.keep_record(operator, &now, now_ms).await?;
            return Ok(None);
        }
        Ok(known.map(|(known, _)| Reason {
            code: ReasonCode::RecordChanged,
            fact: known.differences(&now),
        }))
    }

    async fn look_at_funds(&self, supplier: &Supplier, costs: &Costs) {
        match self.funds_reason(supplier.operator(), costs).await {
            Ok(funds) => {
                supplier.sessions.set_poor(funds.is_some());
                supplier.on_chain.send_modify(|known| known.funds = funds);
            }
            Err(error) => {
                tracing::debug!(operator = %supplier.operator(), %error, "what the key holds cannot be read now");
            }
        }
    }

    async fn funds_reason(&self, operator: &Address, costs: &Costs) -> Result<Option<Reason>, CostsError> {
        let needed = costs.reserve(&self.0.db.open_records_of(operator.as_str()).await?);
        let balance = self.0.network.balance(operator).await?;
        Ok(low_funds(operator.as_str(), balance.into_value(), needed))
    }
}

/// What of the stake stands in the way at a height.
fn stake_reason(operator: &str, supplier: Option<&Record>, sold: &[&str], height: Height) -> Option<Reason> {
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
    if staked.clone().any(|id| sold.contains(&id)) || updates_of(supplier, sold, height).next().is_some() {
        return None;
    }
    let list = |ids: &[String]| {
        if ids.is_empty() {
            "none".to_owned()
        } else {
            ids.join(", ")
        }
    };
    let coming = supplier.service_config_history.iter().filter_map(|update| {
        let service = update.service.as_ref()?;
        let from = update.activation_height;
        is_after(from, height).then(|| format!("{} from block {from} on", service.service_id))
    });
    let staked: Vec<String> = staked.map(str::to_owned).chain(coming).collect();
    let sold: Vec<String> = sold.iter().map(|&id| id.to_owned()).collect();
    Some(Reason {
        code: ReasonCode::NoStakedService,
        fact: format!(
            "{operator} is staked for: {}; sold here: {}",
            list(&staked),
            list(&sold)
        ),
    })
}

/// What of the services that are sold is staked now or with a coming session: a change counts from the next session on,
/// and the chain takes the services of one that leaves out of its list at once, although it serves to the end of the
/// session.
fn updates_of<'a>(
    supplier: &'a Record,
    sold: &'a [&str],
    height: Height,
) -> impl Iterator<Item = &'a ServiceConfigUpdate> {
    supplier.service_config_history.iter().filter(move |update| {
        let is_over = update.deactivation_height > 0 && !is_after(update.deactivation_height, height);
        let service = update.service.as_ref().map(|service| service.service_id.as_str());
        !is_over && service.is_some_and(|id| sold.contains(&id))
    })
}

/// From which block on a record offers a service no more: it was dropped, or its supplier unstaked.
fn retired(supplier: &Record) -> BTreeMap<String, Height> {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for update in &supplier.service_config_history {
        let Some(service) = &update.service else { continue };
        // One without an end is later than any.
        let end = match update.deactivation_height {
            0 => i64::MAX,
            end => end,
        };
        let known = last.entry(service.service_id.clone()).or_default();
        *known = end.max(*known);
    }
    let ended = last.into_iter().filter(|(_, end)| *end < i64::MAX);
    ended
        .filter_map(|(service, end)| Some((service, Height(u64::try_from(end).ok()?))))
        .collect()
}

fn is_after(at: i64, height: Height) -> bool {
    u64::try_from(at).is_ok_and(|at| at > height.0)
}

/// From when on a stake counts that does not yet.
fn starts_later_note(supplier: &Record, sold: &[&str], height: Height) -> Option<Reason> {
    let first = updates_of(supplier, sold, height)
        .map(|update| update.activation_height)
        .min()?;
    is_after(first, height).then(|| Reason {
        code: ReasonCode::StartsLater,
        fact: format!("from block {first} on"),
    })
}

/// Whether a supplier that left takes part in no session any more.
fn is_unbonded(supplier: &Record, height: Height) -> bool {
    let end = supplier.unstake_session_end_height;
    end > 0 && height.0 > end
}

fn unbonding_note(supplier: &Record) -> Option<Reason> {
    let end = supplier.unstake_session_end_height;
    (end > 0).then(|| Reason {
        code: ReasonCode::Unbonding,
        fact: format!("the last session ends with block {end}"),
    })
}

/// Whether buyers are sent somewhere else than here, or to their own computers.
fn url_note(supplier: &Record, sold: &[&str], ours: Option<&Url>, allow_local: bool) -> Option<Reason> {
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
    use hearth_pocket::message::shared::{Supplier, SupplierEndpoint, SupplierServiceConfig};

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
    fn a_stake_that_counts_from_the_next_session_on_is_no_missing_one() {
        let update = |from: i64, to: i64| ServiceConfigUpdate {
            operator_address: "pokt1op".to_owned(),
            service: supplier("svc", "https://a.example", 0).services.pop(),
            activation_height: from,
            deactivation_height: to,
        };
        let with = |history: Vec<ServiceConfigUpdate>| Supplier {
            services: vec![],
            service_config_history: history,
            ..supplier("svc", "https://a.example", 0)
        };
        let reason =
            |supplier: &Supplier| code(stake_reason("pokt1op", Some(supplier), &["svc"], Height(15)));
        let note =
            |supplier: &Supplier| starts_later_note(supplier, &["svc"], Height(15)).map(|note| note.fact);
        let coming = with(vec![update(21, 0)]);
        assert_eq!(
            (reason(&coming), note(&coming)),
            (None, Some("from block 21 on".to_owned()))
        );
        assert!(retired(&coming).is_empty());
        let other = stake_reason("pokt1op", Some(&coming), &["other"], Height(15)).unwrap();
        assert_eq!(
            other.fact,
            "pokt1op is staked for: svc from block 21 on; sold here: other"
        );
        // One that is replaced serves until then.
        let replaced = with(vec![update(1, 21), update(21, 0)]);
        assert_eq!((reason(&replaced), note(&replaced)), (None, None));
        assert!(retired(&replaced).is_empty());
        let leaving = with(vec![update(1, 21)]);
        assert_eq!(retired(&leaving), [("svc".to_owned(), Height(21))].into());
        assert_eq!((reason(&leaving), note(&leaving)), (None, None));
        let left = with(vec![update(1, 15)]);
        assert_eq!(
            (reason(&left), note(&left)),
            (Some(ReasonCode::NoStakedService), None)
        );
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
