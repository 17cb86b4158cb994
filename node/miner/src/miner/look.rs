//! What stands in the way of earning.

use hearth_base::ServiceId;
use hearth_chain::Standing;

use super::Miner;
use crate::{
    costs::{Costs, CostsError},
    earning::{EarningEvent, EarningState, Reason, ReasonCode, low_funds},
    keys::KeyProblem,
    serve::Trouble,
};

impl Miner {
    /// What stands in the way of earning now.
    pub(super) async fn look(&self) -> EarningEvent {
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        let reason = |code, fact: String| Reason { code, fact };
        match self.0.keys.signer() {
            Ok(_) => {
                self.0
                    .trouble
                    .send_if_modified(|trouble| take_if(trouble, |trouble| *trouble == Trouble::Key));
            }
            Err(KeyProblem::NoWallet) => reasons.push(reason(ReasonCode::NoWallet, String::new())),
            Err(KeyProblem::Locked) => reasons.push(reason(ReasonCode::KeyLocked, String::new())),
        }
        if self.0.config.services.is_empty() {
            reasons.push(reason(ReasonCode::NoModel, "no service is configured".to_owned()));
        }
        reasons.extend(self.disk_reason());
        match &self.0.network.head().borrow().standing {
            Standing::Following => {}
            // Without a trust anchor everything stands on an endpoint's word; the screen says so.
            Standing::Unverified { .. } => {}
            Standing::Starting => reasons.push(reason(ReasonCode::ChainSyncing, String::new())),
            Standing::Unreachable { why } | Standing::TrustExpired { why } => {
                reasons.push(reason(ReasonCode::ChainSyncing, why.clone()));
            }
            Standing::ClockSkew { why, .. } => reasons.push(reason(ReasonCode::ClockSkew, why.clone())),
        }
        let wanted = self.0.earning.borrow().wanted;
        if reasons.is_empty() && wanted {
            reasons.extend(self.stake_reason().await);
            notes.extend(self.funds_note().await);
        }
        self.backend_reason(&mut reasons, &mut notes);
        EarningEvent::Looked { reasons, notes }
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

    /// Whether the supplier is staked. What the chain does not answer now stops nothing.
    async fn stake_reason(&self) -> Option<Reason> {
        // Earning that runs is not asked about its stake each second.
        let runs = !matches!(self.0.earning.borrow().state, EarningState::Off(_));
        let supplier = self.0.keys.supplier().filter(|_| !runs)?;
        let found = match self.0.network.supplier(&supplier).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the supplier's stake cannot be read now");
                return None;
            }
        };
        let is_sold = |id: &str| self.0.config.services.contains_key(&ServiceId::new(id));
        let staked = found.is_some_and(|supplier| {
            supplier
                .services
                .iter()
                .any(|service| is_sold(&service.service_id))
        });
        (!staked).then(|| Reason {
            code: ReasonCode::NeedsStake,
            fact: supplier.to_string(),
        })
    }

    /// Whether the working key can pay for the claims and proofs that are ahead; asked once a block.
    async fn funds_note(&self) -> Option<Reason> {
        let height = self.0.network.head().borrow().height;
        let (looked_at, known) = self.0.funds.lock().clone();
        if looked_at == height {
            return known;
        }
        match self.look_at_funds().await {
            Ok(note) => {
                *self.0.funds.lock() = (height, note.clone());
                note
            }
            Err(error) => {
                tracing::debug!(%error, "what claims cost cannot be read now");
                known
            }
        }
    }

    async fn look_at_funds(&self) -> Result<Option<Reason>, CostsError> {
        let Some(supplier) = self.0.keys.supplier() else {
            return Ok(None);
        };
        let costs = Costs::read(&self.0.network, &self.0.book).await?;
        let needed = costs.reserve(&self.0.book.open_records().await?);
        let balance = self.0.network.balance(&supplier).await?;
        Ok(low_funds(balance, needed))
    }
}

fn take_if<T>(option: &mut Option<T>, condition: impl FnOnce(&T) -> bool) -> bool {
    let takes = option.as_ref().is_some_and(condition);
    if takes {
        *option = None;
    }
    takes
}
