//! A supplier's record on the chain, as far as only its owner and its operator may change it: who owns it, what it serves
//! where, who is paid, whether it leaves. What changes it and was not done here is told.

use hearth_outbox::{Item, Outcome, State};
use hearth_pocket::message::{
    Any,
    shared::{Supplier, SupplierServiceConfig},
    supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
};
use hearth_store::stored::Stored;
use serde::{Deserialize, Serialize};

/// What is known of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    owner: String,
    services: Vec<Served>,
    is_leaving: bool,
}

/// A service as it is served, or will be with the next session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Served {
    service: String,
    /// Address and kind of each endpoint.
    endpoints: Vec<(String, i32)>,
    /// Who is paid, in hundredths.
    shares: Vec<(String, u64)>,
}

impl Stored for Known {
    const WHAT: &'static str = "the known record of a supplier";
    const VERSION: u64 = 1;
}

impl Served {
    fn of(config: &SupplierServiceConfig, owner: &str) -> Served {
        let mut endpoints: Vec<(String, i32)> = config
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.url.clone(), endpoint.rpc_type))
            .collect();
        let mut shares: Vec<(String, u64)> = config
            .rev_share
            .iter()
            .map(|share| (share.address.clone(), share.rev_share_percentage))
            .collect();
        if shares.is_empty() {
            shares.push((owner.to_owned(), 100));
        }
        endpoints.sort();
        shares.sort();
        Served {
            service: config.service_id.clone(),
            endpoints,
            shares,
        }
    }

    fn words(&self) -> String {
        let endpoints = self.endpoints.iter().map(|(url, _)| url.as_str());
        let mut endpoints: Vec<&str> = endpoints.collect();
        endpoints.dedup();
        let shares = self
            .shares
            .iter()
            .map(|(who, percent)| format!("{percent} % to {who}"));
        format!(
            "{}, {}",
            endpoints.join(" "),
            shares.collect::<Vec<_>>().join(" and ")
        )
    }
}

impl Known {
    /// The record as the chain has it. What a change of the services brings counts at once, although it is in force with
    /// the next session only.
    pub(crate) fn of(supplier: &Supplier) -> Known {
        let coming: Vec<&SupplierServiceConfig> = supplier
            .service_config_history
            .iter()
            .filter(|update| update.deactivation_height == 0)
            .filter_map(|update| update.service.as_ref())
            .collect();
        let configs = if coming.is_empty() && supplier.service_config_history.is_empty() {
            supplier.services.iter().collect()
        } else {
            coming
        };
        let served = |config: &SupplierServiceConfig| Served::of(config, &supplier.owner_address);
        let mut services: Vec<Served> = configs.into_iter().map(served).collect();
        services.sort();
        Known {
            owner: supplier.owner_address.clone(),
            services,
            is_leaving: supplier.unstake_session_end_height > 0,
        }
    }

    /// Whether both say the same. The chain itself ends the services of one that leaves.
    fn is_like(&self, other: &Known) -> bool {
        self == other || (self.is_leaving && other.is_leaving && self.owner == other.owner)
    }

    /// The same after a message, where it is about this operator.
    fn after(mut self, message: &Any, operator: &str) -> Known {
        if let Some(Ok(stake)) = message.unpack::<MsgStakeSupplier>() {
            if stake.operator_address == operator {
                self.owner = stake.owner_address;
                self.is_leaving = false;
                if !stake.services.is_empty() {
                    let served = |config: &SupplierServiceConfig| Served::of(config, &self.owner);
                    self.services = stake.services.iter().map(served).collect();
                    self.services.sort();
                }
            }
        } else if let Some(Ok(unstake)) = message.unpack::<MsgUnstakeSupplier>()
            && unstake.operator_address == operator
        {
            self.is_leaving = true;
        }
        self
    }

    /// Whether messages of this node lead from this record to another one. Not all of them need be in a block.
    pub(crate) fn leads_to(&self, now: &Known, operator: &str, messages: &[Any]) -> bool {
        let mut known = self.clone();
        known.is_like(now)
            || messages.iter().any(|message| {
                known = known.clone().after(message, operator);
                known.is_like(now)
            })
    }

    /// What is different now, in words.
    pub(crate) fn differences(&self, now: &Known) -> String {
        let mut found = Vec::new();
        if self.owner != now.owner {
            found.push(format!("its owner was {} and is {}", self.owner, now.owner));
        }
        for before in &self.services {
            match now.services.iter().find(|one| one.service == before.service) {
                None => found.push(format!("\"{}\" is not served any more", before.service)),
                Some(after) if after != before => found.push(format!(
                    "\"{}\" was {} and is {}",
                    before.service,
                    before.words(),
                    after.words()
                )),
                Some(_) => {}
            }
        }
        for after in &now.services {
            if !self.services.iter().any(|one| one.service == after.service) {
                found.push(format!("\"{}\" is served: {}", after.service, after.words()));
            }
        }
        match (self.is_leaving, now.is_leaving) {
            (false, true) => found.push("it leaves the network".to_owned()),
            (true, false) => found.push("it stays in the network".to_owned()),
            (true, true) | (false, false) => {}
        }
        found.join("; ")
    }
}

/// The messages of this node that blocks hold, or may.
pub(crate) fn messages_of(sent: Vec<Item>) -> Vec<Any> {
    let may_have_done = |item: &Item| match &item.state {
        State::Signed { .. } | State::Placed { .. } => true,
        State::Ended { outcome } => matches!(outcome, Outcome::Included { .. }),
        State::Waiting { .. } => false,
    };
    let done = sent.into_iter().filter(may_have_done);
    done.flat_map(|item| item.messages).collect()
}

#[cfg(test)]
mod tests;
