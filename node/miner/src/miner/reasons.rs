//! What stands in the way of earning.

use std::time::Duration;

use hearth_base::Height;
use hearth_chain::{Head, Standing};
use time::OffsetDateTime;

use super::Miner;
use crate::{
    earning::{EarningEvent, EarningState, Reason, ReasonCode},
    keys::KeyProblem,
    serve::Trouble,
};

/// Time between blocks where too few were seen to say.
const USUAL_BLOCK_TIME: Duration = Duration::from_secs(30);

impl Miner {
    /// What stands in the way of earning now.
    pub(super) fn look(&self) -> EarningEvent {
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
        // A copy: what follows looks at the head again, and two looks at once may wait for each other for ever.
        let standing = self.0.network.head().borrow().standing.clone();
        match &standing {
            Standing::Following => {}
            // Without a trust anchor everything stands on an endpoint's word; the screen says so.
            Standing::Unverified { .. } => {}
            Standing::Starting => reasons.push(reason(ReasonCode::ChainSyncing, String::new())),
            Standing::Stalled { why } => self.away(ReasonCode::ChainStalled, why, &mut reasons, &mut notes),
            Standing::Unreachable { why } => {
                self.away(ReasonCode::ChainUnreachable, why, &mut reasons, &mut notes);
            }
            Standing::TrustExpired { why } => reasons.push(reason(ReasonCode::TrustExpired, why.clone())),
            Standing::TrustConflict { why } => {
                reasons.push(reason(ReasonCode::TrustConflict, why.clone()));
            }
            Standing::ClockSkew { why, .. } => reasons.push(reason(ReasonCode::ClockSkew, why.clone())),
        }
        let on_chain = self.0.on_chain.borrow().clone();
        reasons.extend(on_chain.stake);
        notes.extend(on_chain.stake_notes);
        notes.extend(on_chain.funds);
        notes.extend(self.0.outlook.borrow().losses.notes());
        self.backend_reason(&mut reasons, &mut notes);
        EarningEvent::Looked { reasons, notes }
    }

    /// The chain tells nothing new. Sessions that are known are served to their end: buyers were promised that, and nothing
    /// of it needs the chain.
    fn away(&self, code: ReasonCode, why: &str, reasons: &mut Vec<Reason>, notes: &mut Vec<Reason>) {
        let fact = why.to_owned();
        let said = Reason { code, fact };
        if self.serves_known_sessions() {
            notes.push(said);
        } else {
            reasons.push(said);
        }
    }

    /// Whether earning runs and knows a session that is not over, as far as this computer's clock tells.
    fn serves_known_sessions(&self) -> bool {
        let runs = matches!(
            self.0.earning.borrow().state,
            EarningState::Idle | EarningState::Serving
        );
        let height = expected_height(&self.0.network.head().borrow(), self.0.clock.now());
        let sessions = self.0.sessions.borrow();
        runs && sessions
            .as_ref()
            .is_some_and(|sessions| sessions.knows_after(height))
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
