//! What tests share.

use hearth_base::{Amount, Height};
use hearth_pocket::{
    difficulty::BASE_TARGET, message::session::SessionHeader, session::Timing, settlement::Price,
};

use crate::facts::Facts;

/// Facts of a session of blocks 1 to 10, with grace 1, claims from 12 to 16, proofs from 16 to 20.
pub(crate) fn facts() -> Facts {
    let timing = Timing {
        blocks_per_session: 10,
        grace_period: 1,
        claim_open_offset: 1,
        claim_close_offset: 4,
        proof_open_offset: 0,
        proof_close_offset: 4,
        anchor_height: 1,
        anchor_number: 1,
    };
    Facts {
        header: SessionHeader {
            application_address: "pokt1y8n0alzxnlepy5x04w4tu9zskg2hzw5aa6ypvx".to_owned(),
            service_id: "hearth-llm".to_owned(),
            session_id: "ab".repeat(32),
            session_start_block_height: 1,
            session_end_block_height: 10,
        },
        supplier: "pokt1rxtrzmca0j9mu45j75n35kcxg64ga92sh33su4".to_owned(),
        owner: "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".to_owned(),
        compute_units: 100,
        price: Price {
            target: BASE_TARGET,
            compute_units_to_tokens_multiplier: 42_000_000,
            granularity: 1_000_000,
        },
        windows: timing.windows(Height(10)),
        budget: Amount::from_upokt(10_000_000),
        share_millionths: 790_000,
    }
}
