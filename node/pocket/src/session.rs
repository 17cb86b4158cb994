//! Sessions: the grid of heights, the id of a session, who serves in it, and the windows that follow its end.
//!
//! Everything here is arithmetic over parameters that the caller read from the chain. Which height's parameters to
//! read is the caller's duty: the grid asks for those in force at the queried height, the windows for those in force
//! at the session's end.

use hearth_base::{Height, SessionId};
use sha3::{Digest as _, Sha3_256};

use crate::message::shared::Params;

/// The shared parameters that heights are computed from, as in force at one height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Blocks in a session.
    pub blocks_per_session: u64,
    /// Blocks after the end of a session in which its relays are still accepted.
    pub grace_period: u64,
    /// Blocks from the end of a session to the opening of its claim window, less one.
    pub claim_open_offset: u64,
    /// Blocks that the claim window stays open.
    pub claim_close_offset: u64,
    /// Blocks from the end of the claim window to the opening of the proof window.
    pub proof_open_offset: u64,
    /// Blocks that the proof window stays open.
    pub proof_close_offset: u64,
    /// The height at which counting of sessions starts; 0 stands for height 1.
    pub anchor_height: u64,
    /// The number of the session that starts at the anchor; 0 stands for number 1.
    pub anchor_number: u64,
}

impl From<&Params> for Timing {
    fn from(params: &Params) -> Timing {
        Timing {
            blocks_per_session: params.num_blocks_per_session,
            grace_period: params.grace_period_end_offset_blocks,
            claim_open_offset: params.claim_window_open_offset_blocks,
            claim_close_offset: params.claim_window_close_offset_blocks,
            proof_open_offset: params.proof_window_open_offset_blocks,
            proof_close_offset: params.proof_window_close_offset_blocks,
            anchor_height: params.session_grid_anchor_height,
            anchor_number: params.session_number_at_anchor,
        }
    }
}

/// Where a height lies in the grid. All zero for heights before the first block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionBounds {
    /// The first block of the session.
    pub start: Height,
    /// The last block of the session.
    pub end: Height,
    /// The number of the session, counted from 1.
    pub number: u64,
}

/// The heights that follow the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Windows {
    /// The last block of the session.
    pub session_end: Height,
    /// The last block in which relays of the session are accepted.
    pub last_grace: Height,
    /// The first block that a claim may be in.
    pub claim_open: Height,
    /// The last block that a claim may be in.
    pub claim_close: Height,
    /// The first block that a proof may be in.
    pub proof_open: Height,
    /// The last block that a proof may be in.
    pub proof_close: Height,
    /// The block whose end settles the session.
    pub settlement: Height,
}

impl Windows {
    /// The block whose hash chooses the leaf to prove, and whether a proof is needed at all.
    #[must_use]
    pub const fn proof_seed(&self) -> Height {
        Height(self.proof_open.0.saturating_sub(1))
    }
}

impl Timing {
    /// The session that a height belongs to.
    #[must_use]
    pub fn bounds_at(&self, height: Height) -> SessionBounds {
        if height.0 == 0 || self.blocks_per_session == 0 {
            return SessionBounds::default();
        }
        let (anchor, number) = match self.anchor_height {
            0 => (1, 1),
            anchor if anchor > height.0 => (1, 1),
            anchor => (anchor, self.anchor_number.max(1)),
        };
        let n_sessions = (height.0 - anchor) / self.blocks_per_session;
        let start = anchor + n_sessions * self.blocks_per_session;
        SessionBounds {
            start: Height(start),
            end: Height(start).plus(self.blocks_per_session - 1),
            number: number.saturating_add(n_sessions),
        }
    }

    /// The windows of the session that ends at `session_end`.
    #[must_use]
    pub fn windows(&self, session_end: Height) -> Windows {
        let claim_open = session_end.plus(self.claim_open_offset).plus(1);
        let claim_close = claim_open.plus(self.claim_close_offset);
        let proof_open = claim_close.plus(self.proof_open_offset);
        let proof_close = proof_open.plus(self.proof_close_offset);
        Windows {
            session_end,
            last_grace: session_end.plus(self.grace_period),
            claim_open,
            claim_close,
            proof_open,
            proof_close,
            settlement: proof_close,
        }
    }

    /// Blocks from the end of a session to the end of its proof window, less one.
    #[must_use]
    pub const fn blocks_to_settlement(&self) -> u64 {
        self.claim_open_offset
            .saturating_add(self.claim_close_offset)
            .saturating_add(self.proof_open_offset)
            .saturating_add(self.proof_close_offset)
    }

    /// How many sessions of one application can be unsettled at a time: what its stake is divided by.
    #[must_use]
    pub const fn pending_sessions(&self) -> u64 {
        match self.blocks_per_session {
            0 => 0,
            blocks => self.blocks_to_settlement().div_ceil(blocks),
        }
    }
}

/// The bytes that a session's id and the weights of its candidates are hashed from. `start_hash` is the header hash
/// of the session's first block; the chain uses nothing for a session that starts before the first block.
#[must_use]
pub fn id_preimage(start_hash: &[u8], service_id: &str, application: &str, start: Height) -> Vec<u8> {
    let mut preimage = Vec::with_capacity(start_hash.len() + service_id.len() + application.len() + 11);
    preimage.extend_from_slice(start_hash);
    preimage.push(b'.');
    preimage.extend_from_slice(service_id.as_bytes());
    preimage.push(b'.');
    preimage.extend_from_slice(application.as_bytes());
    preimage.push(b'.');
    preimage.extend_from_slice(&start.0.to_le_bytes());
    preimage
}

/// The id of the session with this preimage.
#[must_use]
pub fn id(preimage: &[u8]) -> SessionId {
    SessionId::new(hex::encode(Sha3_256::digest(preimage)))
}

/// A candidate's rank in a session: the lower, the sooner chosen.
#[must_use]
pub fn weight(preimage: &[u8], operator: &str) -> i64 {
    let mut hash = Sha3_256::new();
    hash.update(preimage);
    hash.update(b".");
    hash.update(operator.as_bytes());
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// Whether a service configuration serves at `height`. A deactivation height of 0 stands for none.
#[must_use]
pub fn is_active(activation: Height, deactivation: Height, height: Height) -> bool {
    activation <= height && (deactivation.0 == 0 || deactivation > height)
}

/// Puts candidates into the order of the chain's store: by activation height, then by the text of the operator.
pub fn sort_as_stored<T>(candidates: &mut [T], key: impl Fn(&T) -> (Height, &str)) {
    candidates.sort_by(|one, two| key(one).cmp(&key(two)));
}

/// Chooses at most `limit` suppliers from the active candidates, which come in the order of the chain's store.
///
/// Fewer candidates than `limit` all serve, in that order; otherwise the lowest weights serve, in the order of weight.
#[must_use]
pub fn choose<T>(preimage: &[u8], candidates: Vec<T>, limit: usize, operator: impl Fn(&T) -> &str) -> Vec<T> {
    if candidates.len() < limit {
        return candidates;
    }
    let mut ranked: Vec<(i64, T)> = candidates
        .into_iter()
        .map(|candidate| (weight(preimage, operator(&candidate)), candidate))
        .collect();
    ranked.sort_by(|(weight, one), (other, two)| (weight, operator(one)).cmp(&(other, operator(two))));
    ranked
        .into_iter()
        .take(limit)
        .map(|(_, candidate)| candidate)
        .collect()
}

#[cfg(test)]
mod tests;
