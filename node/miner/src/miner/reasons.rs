//! What stands in the way of earning.

use std::{sync::Arc, time::Duration};

use hearth_base::Height;
use hearth_chain::{Head, Standing};
use hearth_pocket::Address;
use time::OffsetDateTime;

use super::Miner;
use crate::{
    earning::{EarningEvent, Reason, ReasonCode, SupplierEarning},
    keys::KeyProblem,
    serve::Trouble,
    supplier::{Supplier, Suppliers},
};

/// Time between blocks where too few were seen to say.
const USUAL_BLOCK_TIME: Duration = Duration::from_secs(30);

/// What stands in the way, and what is worth knowing.
#[derive(Default)]
struct Seen {
    reasons: Vec<Reason>,
    notes: Vec<Reason>,
}

impl Seen {
    /// Nothing is begun. What `goes_on` is served to its end: buyers were promised that, and nothing of it needs the
    /// chain, or more than what is set aside.
    fn away(&mut self, said: Reason, goes_on: bool) {
        if goes_on {
            self.notes.push(said);
        } else {
            self.reasons.push(said);
        }
    }
}

impl Miner {
    /// What stands in the way of earning now. A supplier with a reason of its own takes no requests from here on, and one
    /// without takes them.
    pub(super) fn look(&self) -> EarningEvent {
        let taken_up = self.0.suppliers.borrow().clone();
        let operators = self.0.keys.suppliers();
        let here: Vec<SupplierEarning> = operators
            .iter()
            .map(|operator| self.look_at(operator, taken_up.of(operator.as_str())))
            .collect();
        let gone: Vec<SupplierEarning> = taken_up
            .all()
            .iter()
            .filter(|supplier| !operators.contains(supplier.operator()))
            .filter_map(|supplier| gone(supplier))
            .collect();
        let mut common = self.common(&taken_up);
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        if here.is_empty() {
            reasons.push(missing_key(self.0.keys.missing()));
        }
        let is_alone = here.len() + gone.len() <= 1;
        let serves = here.iter().any(|one| one.reasons.is_empty());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (one, is_here) in here
            .iter()
            .map(|one| (one, true))
            .chain(gone.iter().map(|one| (one, false)))
        {
            let named = |reason: &Reason| {
                if is_alone {
                    reason.clone()
                } else {
                    reason.of(&one.operator)
                }
            };
            let stops_all = is_here && !serves;
            for reason in &one.reasons {
                let list = if !stops_all {
                    &mut notes
                } else if is_of_key(reason.code) {
                    &mut before
                } else {
                    &mut after
                };
                list.push(named(reason));
            }
            notes.extend(one.notes.iter().map(named));
        }
        // What a person has to do first comes first: the key, this computer and the chain, the stake.
        reasons.append(&mut before);
        reasons.append(&mut common.reasons);
        reasons.append(&mut after);
        common.notes.append(&mut notes);
        let mut notes = common.notes;
        self.backend_reason(&mut reasons, &mut notes);
        EarningEvent::Looked {
            reasons,
            notes,
            suppliers: here.into_iter().chain(gone).collect(),
        }
    }

    /// What stands in the way of one supplier. It is open from here on, or closed.
    fn look_at(&self, operator: &Address, supplier: Option<&Arc<Supplier>>) -> SupplierEarning {
        let mut seen = Seen::default();
        let signer = self.0.keys.signer(operator);
        if let Err(problem) = &signer {
            seen.reasons.push(missing_key(*problem));
        }
        let on_chain = supplier.map(|one| one.on_chain.borrow().clone());
        let on_chain = on_chain.unwrap_or_default();
        if !on_chain.is_known {
            seen.reasons.push(Reason {
                code: ReasonCode::ChainSyncing,
                fact: String::new(),
            });
        }
        seen.reasons.extend(on_chain.stake);
        seen.notes.extend(on_chain.stake_notes);
        seen.notes.extend(on_chain.record);
        if let Some(funds) = on_chain.funds {
            seen.away(funds, supplier.is_some_and(|one| self.serves_known_sessions(one)));
        }
        if supplier.is_some_and(|one| one.sessions.has_twin()) {
            seen.reasons.push(Reason {
                code: ReasonCode::KeyElsewhere,
                fact: operator.to_string(),
            });
        }
        if let Some(supplier) = supplier {
            seen.notes.extend(supplier.outlook.borrow().losses.notes());
            match signer {
                Ok(signer) if seen.reasons.is_empty() => supplier.open(signer),
                Ok(_) | Err(_) => supplier.close(),
            }
        }
        SupplierEarning {
            operator: operator.clone(),
            owner: on_chain.owner,
            reasons: seen.reasons,
            notes: seen.notes,
        }
    }

    /// What stands in the way of all suppliers.
    fn common(&self, suppliers: &Suppliers) -> Seen {
        let mut seen = Seen::default();
        let reason = |code, fact: String| Reason { code, fact };
        if self.0.config.services.is_empty() {
            seen.reasons
                .push(reason(ReasonCode::NoModel, "no service is configured".to_owned()));
        }
        seen.reasons.extend(self.disk_reason());
        let goes_on = || suppliers.all().iter().any(|one| self.serves_known_sessions(one));
        // A copy: what follows looks at the head again, and two looks at once may wait for each other for ever.
        let standing = self.0.network.head().borrow().standing.clone();
        let (code, why) = match standing {
            Standing::Following => return seen,
            // Nothing that decides about money is proven.
            Standing::Unverified { why } => (ReasonCode::ChainUnverified, why),
            Standing::Starting => (ReasonCode::ChainSyncing, String::new()),
            Standing::Stalled { why } => {
                seen.away(reason(ReasonCode::ChainStalled, why), goes_on());
                return seen;
            }
            Standing::Unreachable { why } => {
                seen.away(reason(ReasonCode::ChainUnreachable, why), goes_on());
                return seen;
            }
            Standing::TrustExpired { why } => (ReasonCode::TrustExpired, why),
            Standing::TrustConflict { why } => (ReasonCode::TrustConflict, why),
            Standing::ClockSkew { why, .. } => (ReasonCode::ClockSkew, why),
        };
        seen.reasons.push(reason(code, why));
        seen
    }

    /// Whether a supplier serves now, and knows a session that is not over, as far as this computer's clock tells.
    fn serves_known_sessions(&self, supplier: &Supplier) -> bool {
        let serves = self.0.earning.borrow().serves(supplier.operator());
        let height = expected_height(&self.0.network.head().borrow(), self.0.clock.now());
        serves && supplier.sessions.knows_after(height)
    }

    fn disk_reason(&self) -> Option<Reason> {
        let (free, least) = (self.0.ledger.free_bytes(), self.0.config.min_free_bytes);
        if let Some(free) = free.filter(|free| *free < least) {
            let fact = format!("{} MB left, {} MB are needed", free >> 20, least >> 20);
            return Some(Reason {
                code: ReasonCode::DiskLow,
                fact,
            });
        }
        // A write that failed counts until the system says that there is room again, or says nothing at all and
        // earning is started anew.
        let failed = match &*self.0.trouble.borrow() {
            Some(Trouble::Disk(why)) => Some(why.clone()),
            Some(Trouble::Key) | None => None,
        }?;
        let wanted = self.0.earning.borrow().wanted;
        if !wanted || self.0.ledger.is_writable() {
            self.0
                .trouble
                .send_if_modified(|trouble| take_if(trouble, |trouble| matches!(trouble, Trouble::Disk(_))));
            return None;
        }
        Some(Reason {
            code: ReasonCode::DiskLow,
            fact: failed,
        })
    }
}

/// What a supplier still has open whose key has left the wallet, if anything. It takes no request.
fn gone(supplier: &Supplier) -> Option<SupplierEarning> {
    supplier.close();
    let is_open = !supplier.sessions.all().is_empty();
    is_open.then(|| SupplierEarning {
        operator: supplier.operator().clone(),
        owner: supplier.on_chain.borrow().owner.clone(),
        reasons: vec![missing_key(KeyProblem::NoOperator)],
        notes: Vec::new(),
    })
}

fn missing_key(problem: KeyProblem) -> Reason {
    let code = match problem {
        KeyProblem::NoWallet => ReasonCode::NoWallet,
        KeyProblem::NoOperator => ReasonCode::NoOperator,
        KeyProblem::Locked => ReasonCode::KeyLocked,
    };
    Reason {
        code,
        fact: String::new(),
    }
}

fn is_of_key(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::NoWallet | ReasonCode::NoOperator | ReasonCode::KeyLocked
    )
}

/// The height at which the chain is by now, where nobody can say: the last one that was seen, and the blocks for which
/// there was time since.
fn expected_height(head: &Head, now: OffsetDateTime) -> Height {
    let since = Duration::try_from(now - head.time).unwrap_or_default();
    let block_time = head
        .block_time
        .unwrap_or(USUAL_BLOCK_TIME)
        .max(Duration::from_millis(1));
    let blocks = since.as_millis() / block_time.as_millis().max(1);
    head.height.plus(u64::try_from(blocks).unwrap_or(u64::MAX))
}

fn take_if<T>(option: &mut Option<T>, condition: impl FnOnce(&T) -> bool) -> bool {
    let takes = option.as_ref().is_some_and(condition);
    if takes {
        *option = None;
    }
    takes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_does_not_stop_the_blocks() {
        let mut head = Head {
            height: Height(100),
            time: OffsetDateTime::UNIX_EPOCH,
            hash: [0; 32],
            verified_height: Height(100),
            proven_height: Height(99),
            block_time: Some(Duration::from_secs(2)),
            standing: Standing::Following,
        };
        let after = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(expected_height(&head, after(0)), Height(100));
        assert_eq!(expected_height(&head, after(21)), Height(110));
        head.block_time = None;
        assert_eq!(expected_height(&head, after(61)), Height(102));
        // A clock that was set back says nothing.
        head.time = after(1000);
        assert_eq!(expected_height(&head, after(0)), Height(100));
    }
}
