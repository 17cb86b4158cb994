//! What the events of a block say of a claim. They stand on an endpoint's word, since the chain does not commit to
//! them: an end is believed only when the state shows it, too.

use hearth_base::Height;
use hearth_chain::ChainEvent;
use hearth_pocket::{message::proof::ClaimProofStatus, session::Windows};

use crate::{
    claim::{ClaimEvent, ClaimState, Paid, Slash},
    facts::Facts,
    network::ClaimSeen,
};

/// How an event names a claim: most have no session id.
pub(super) struct About<'event> {
    application: &'event str,
    service: &'event str,
    session_end: i64,
    operator: &'event str,
}

impl About<'_> {
    pub(super) fn is_of(&self, facts: &Facts) -> bool {
        facts.supplier == self.operator
            && facts.header.application_address == self.application
            && facts.header.service_id == self.service
            && facts.header.session_end_block_height == self.session_end
    }
}

macro_rules! about {
    ($event:expr) => {
        About {
            application: &$event.application_address,
            service: &$event.service_id,
            session_end: $event.session_end_block_height,
            operator: &$event.supplier_operator_address,
        }
    };
}

/// What an event of the chain says of the end of a claim, if it is about one.
pub(super) fn said_by(event: &ChainEvent, height: Height) -> Option<(About<'_>, ClaimEvent)> {
    let upokt = |text: &str| text.parse().unwrap_or_default();
    if let ChainEvent::ProofValidityChecked(event) = event {
        let valid = event.claim_proof_status_int == i32::from(ClaimProofStatus::Validated);
        let why = event.failure_reason.clone();
        // A valid proof moves nothing on.
        return (!valid).then(|| (about!(event), ClaimEvent::ProofChecked { valid, why }));
    }
    if let ChainEvent::ClaimSettled(event) = event {
        let rewards = event.reward_distribution.iter();
        let paid = Paid {
            height,
            claimed: upokt(&event.claimed_upokt),
            settled: upokt(&event.settled_upokt),
            minted: upokt(&event.minted_upokt),
            rewards: rewards
                .map(|(who, amount)| (who.clone(), upokt(amount)))
                .collect(),
        };
        return Some((about!(event), ClaimEvent::Paid(paid)));
    }
    if let ChainEvent::SupplierSlashed(event) = event {
        let slash = Slash {
            height,
            amount: upokt(&event.proof_missing_penalty),
            stake_after: upokt(&event.supplier_stake_after_slash),
        };
        return Some((about!(event), ClaimEvent::Slashed(slash)));
    }
    if let ChainEvent::ClaimExpired(event) = event {
        let why = "the chain had no valid proof".to_owned();
        return Some((about!(event), ClaimEvent::Expired { height, why }));
    }
    if let ChainEvent::ClaimDiscarded(event) = event {
        let why = event.error.clone();
        return Some((about!(event), ClaimEvent::Expired { height, why }));
    }
    None
}

/// Whether an event ends a claim.
pub(super) fn is_end(event: &ClaimEvent) -> bool {
    matches!(event, ClaimEvent::Paid(_) | ClaimEvent::Expired { .. })
}

/// Whether an event belongs to the settlement, which no block is before the proof window has closed.
pub(super) fn is_of_settlement(event: &ClaimEvent) -> bool {
    is_end(event) || matches!(event, ClaimEvent::Slashed(_))
}

/// Whether it is too early to say whose proof a block found wrong. Before this node's own is in a block that is another
/// program's with the same key, and this node's, which comes after it, is the one that counts.
pub(super) fn is_early(event: &ClaimEvent, state: &ClaimState, seen: Height, windows: &Windows) -> bool {
    let is_of_proof = matches!(event, ClaimEvent::ProofChecked { .. });
    is_of_proof && state.outcome().is_none() && state.proof().is_none() && seen <= windows.proof_close
}

/// What is said of an event that the state does not show.
pub(super) fn not_so(event: &ClaimEvent, height: Height, proof: Option<Height>) -> &'static str {
    if matches!(event, ClaimEvent::ProofChecked { .. }) && proof.is_some_and(|own| height < own) {
        return "an endpoint tells of a wrong proof before this node's own: another program may have this operator's key";
    }
    "an endpoint tells of the end of a claim that the state does not show: ignored"
}

/// What the state says of something that a block said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is so.
    Holds,
    /// It is not so.
    False,
    /// The state is too old to tell.
    Open,
}

/// Holds what the block of `height` said against the state.
pub(super) fn verdict(event: &ClaimEvent, height: Height, seen: &ClaimSeen, windows: &Windows) -> Verdict {
    let holds = |holds: bool| if holds { Verdict::Holds } else { Verdict::False };
    if seen.height < height {
        return Verdict::Open;
    }
    match seen.status {
        Some(_) if is_of_settlement(event) => Verdict::False,
        Some(status) => holds(status == i32::from(ClaimProofStatus::Invalid)),
        // A claim that is gone before its end was never there.
        None => holds(seen.height >= windows.settlement),
    }
}
