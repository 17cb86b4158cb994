//! The program that the chain runs.

use std::time::Duration;

use hearth_chain::{Chain, Head, TESTED_WITH};
use tokio::time::Instant;

use crate::control::types::{ChainProgram, PlannedUpgrade};

/// How long what was told counts: an upgrade is planned days before.
const COUNTS: Duration = Duration::from_secs(600);

/// What was told last.
#[derive(Default)]
pub struct KnownProgram(tokio::sync::Mutex<Option<(Instant, hearth_chain::Program)>>);

impl KnownProgram {
    pub(super) async fn told(&self, chain: &Chain, known: &Head) -> Option<ChainProgram> {
        let mut kept = self.0.lock().await;
        let is_old = kept.as_ref().is_none_or(|(at, _)| at.elapsed() > COUNTS);
        if is_old && known.height.0 > 0 {
            match chain.program().await {
                Ok(program) => *kept = Some((Instant::now(), program)),
                Err(error) => tracing::debug!(%error, "the chain's program is not known at present"),
            }
        }
        let (_, program) = kept.as_ref()?;
        let seconds = |height: u64| {
            let blocks = u32::try_from(height.checked_sub(known.height.0)?).ok()?;
            Some(known.block_time?.checked_mul(blocks)?.as_secs())
        };
        Some(ChainProgram {
            is_newer: program.is_newer(),
            version: program.version.clone(),
            tested_with: TESTED_WITH.to_owned(),
            upgrade: program.upgrade.as_ref().map(|upgrade| PlannedUpgrade {
                name: upgrade.name.clone(),
                height: upgrade.height.0,
                seconds: seconds(upgrade.height.0),
                is_newer: upgrade.is_newer(),
            }),
        })
    }
}
