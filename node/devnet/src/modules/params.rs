//! Parameters of all modules: as they stand, as they count at a height, and how they are changed.

use hearth_base::Height;
use hearth_pocket::{
    message::{session, shared},
    session::Timing,
};
use prost::Message;

use crate::{
    keys,
    state::{State, StoreName},
};

/// The parameters of a module as its `Params` query shows them.
pub(crate) fn of<T: Message + Default>(state: &State, store: StoreName) -> T {
    state
        .read(store, &keys::params(store.as_str()))
        .unwrap_or_default()
}

pub(crate) fn put<T: Message>(state: &mut State, store: StoreName, params: &T) {
    state.write(store, &keys::params(store.as_str()), params);
}

/// The record in force at `height` among those under `prefix`, each of which counts from the height in its key.
fn in_force<T: Message + Default>(state: &State, store: StoreName, prefix: &str, height: u64) -> Option<T> {
    let limit = keys::at_height(prefix, height);
    let entries = state.prefix(store, prefix.as_bytes());
    let entry = entries.iter().rev().find(|entry| entry.key <= limit.as_slice())?;
    T::decode(entry.value).ok()
}

/// The record of a history in force at `height`.
pub(crate) fn history_at<T: Message + Default>(
    state: &State,
    store: StoreName,
    prefix: &str,
    height: u64,
) -> Option<T> {
    in_force(state, store, prefix, height)
}

/// The shared parameters in force at a height.
pub(crate) fn shared_at(state: &State, height: u64) -> shared::Params {
    in_force::<shared::ParamsUpdate>(state, StoreName::Shared, keys::SHARED_HISTORY, height)
        .and_then(|update| update.params)
        .unwrap_or_else(|| of(state, StoreName::Shared))
}

/// The session parameters in force at a height.
pub(crate) fn session_at(state: &State, height: u64) -> session::Params {
    in_force::<session::ParamsUpdate>(state, StoreName::Session, keys::SESSION_HISTORY, height)
        .and_then(|update| update.params)
        .unwrap_or_else(|| of(state, StoreName::Session))
}

/// The grid and the windows in force at a height.
pub(crate) fn timing_at(state: &State, height: u64) -> Timing {
    Timing::from(&shared_at(state, height))
}

/// The last block of the session that a height belongs to.
pub(crate) fn session_end(state: &State, height: u64) -> u64 {
    timing_at(state, height).bounds_at(Height(height)).end.0
}

/// The first block of the session after the one that a height belongs to.
pub(crate) fn next_session_start(state: &State, height: u64) -> u64 {
    session_end(state, height) + 1
}

/// Whether a height is the last of its session.
pub(crate) fn is_session_end(state: &State, height: u64) -> bool {
    session_end(state, height) == height
}

/// Changes the shared parameters. Prices show at once and count from the next session; what moves the grid or a
/// window is held back until then, and the grid is anchored anew.
pub(crate) fn update_shared(state: &mut State, height: u64, wanted: &shared::Params) {
    let now: shared::Params = of(state, StoreName::Shared);
    let next = next_session_start(state, height);
    let moves_grid = grid(&now) != grid(wanted);
    let mut then = wanted.clone();
    then.session_grid_anchor_height = now.session_grid_anchor_height;
    then.session_number_at_anchor = now.session_number_at_anchor;
    if now.num_blocks_per_session != wanted.num_blocks_per_session {
        then.session_grid_anchor_height = next;
        then.session_number_at_anchor = timing_at(state, height).bounds_at(Height(height)).number + 1;
    }
    if state
        .prefix(StoreName::Shared, keys::SHARED_HISTORY.as_bytes())
        .is_empty()
    {
        put_shared_update(state, 1, now.clone());
    }
    put_shared_update(state, next, then.clone());
    if !moves_grid {
        put(state, StoreName::Shared, &then);
    }
}

fn put_shared_update(state: &mut State, height: u64, params: shared::Params) {
    let update = shared::ParamsUpdate {
        effective_height: height as i64,
        params: Some(params),
    };
    state.write(
        StoreName::Shared,
        &keys::at_height(keys::SHARED_HISTORY, height),
        &update,
    );
}

/// What may not move while a session runs.
fn grid(params: &shared::Params) -> [u64; 6] {
    [
        params.num_blocks_per_session,
        params.grace_period_end_offset_blocks,
        params.claim_window_open_offset_blocks,
        params.claim_window_close_offset_blocks,
        params.proof_window_open_offset_blocks,
        params.proof_window_close_offset_blocks,
    ]
}

/// Shows parameters that were held back until this height. The last step of a block.
pub(crate) fn promote_shared(state: &mut State, height: u64) {
    let update: Option<shared::ParamsUpdate> =
        state.read(StoreName::Shared, &keys::at_height(keys::SHARED_HISTORY, height));
    if let Some(params) = update.and_then(|update| update.params) {
        put(state, StoreName::Shared, &params);
    }
}

/// Changes the session parameters: shown at once, counted from the next session.
pub(crate) fn update_session(state: &mut State, height: u64, wanted: &session::Params) {
    let now: session::Params = of(state, StoreName::Session);
    if state
        .prefix(StoreName::Session, keys::SESSION_HISTORY.as_bytes())
        .is_empty()
    {
        put_session_update(state, height, now);
    }
    let next = next_session_start(state, height);
    put_session_update(state, next, wanted.clone());
    put(state, StoreName::Session, wanted);
}

fn put_session_update(state: &mut State, height: u64, params: session::Params) {
    let update = session::ParamsUpdate {
        effective_height: height as i64,
        params: Some(params),
    };
    state.write(
        StoreName::Session,
        &keys::at_height(keys::SESSION_HISTORY, height),
        &update,
    );
}

/// The chain's own rules for shared parameters, with its texts.
pub(crate) fn check_shared(params: &shared::Params) -> Result<(), String> {
    let invalid = |text: String| Err(text);
    if params.num_blocks_per_session < 1 {
        return invalid(format!(
            "invalid NumBlocksPerSession: ({})",
            params.num_blocks_per_session
        ));
    }
    let (grace, open) = (
        params.grace_period_end_offset_blocks,
        params.claim_window_open_offset_blocks,
    );
    if grace >= params.num_blocks_per_session {
        return invalid(format!(
            "GracePeriodEndOffsetBlocks ({grace}) must be less than NumBlocksPerSession ({})",
            params.num_blocks_per_session
        ));
    }
    if open < grace {
        return invalid(format!(
            "ClaimWindowOpenOffsetBlocks ({open}) must be at least GracePeriodEndOffsetBlocks ({grace})"
        ));
    }
    let offsets = [
        open,
        params.claim_window_close_offset_blocks,
        params.proof_window_open_offset_blocks,
        params.proof_window_close_offset_blocks,
    ];
    let sum: u64 = offsets.iter().sum();
    if sum == 0 {
        return invalid(format!(
            "the claim and proof window offsets yield 0 pending sessions; their sum (ClaimWindowOpenOffsetBlocks {} + \
             ClaimWindowCloseOffsetBlocks {} + ProofWindowOpenOffsetBlocks {} + ProofWindowCloseOffsetBlocks {}) must \
             be greater than 0",
            offsets[0], offsets[1], offsets[2], offsets[3]
        ));
    }
    for (name, sessions) in [
        (
            "SupplierUnbondingPeriodSessions",
            params.supplier_unbonding_period_sessions,
        ),
        (
            "ApplicationUnbondingPeriodSessions",
            params.application_unbonding_period_sessions,
        ),
    ] {
        let blocks = sessions.saturating_mul(params.num_blocks_per_session);
        if blocks < sum {
            return invalid(format!(
                "{name} ({sessions} session) ({blocks} blocks) must be greater than the cumulative \
                 ProofWindowCloseOffsetBlocks ({sum})"
            ));
        }
    }
    if params.compute_units_to_tokens_multiplier == 0 || params.compute_unit_cost_granularity == 0 {
        return invalid(
            "invalid ComputeUnitsToTokensMultiplier or ComputeUnitCostGranularity: (0)".to_owned(),
        );
    }
    Ok(())
}
