//! The head of the chain: the newest block, how far it was verified, and how things stand.

use std::time::Duration;

use hearth_base::Height;
use time::OffsetDateTime;

/// So many blocks must be overdue before a head is called old.
const OVERDUE_BLOCKS: u32 = 5;

/// The newest block, and how far it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest block. Verified, unless [`Standing::Unverified`] says otherwise. 0 before the first answer.
    pub height: Height,
    /// When it was made.
    pub time: OffsetDateTime,
    /// Its hash.
    pub hash: [u8; 32],
    /// The newest block whose header was verified; 0 while nothing is.
    pub verified_height: Height,
    /// The newest state that can be proven: the one after the block before the newest verified header.
    pub proven_height: Height,
    /// Mean time between the last blocks, once a few were seen.
    pub block_time: Option<Duration>,
    /// How things stand.
    pub standing: Standing,
}

impl Head {
    /// How old the newest block is by a clock that shows `now`.
    #[must_use]
    pub fn age(&self, now: OffsetDateTime) -> Duration {
        if self.height.0 == 0 {
            return Duration::ZERO;
        }
        Duration::try_from(now - self.time).unwrap_or_default()
    }

    /// When the block of a height was made, or about when.
    #[must_use]
    pub fn time_of(&self, height: Height) -> OffsetDateTime {
        let behind = u32::try_from(self.height.since(height)).unwrap_or(u32::MAX);
        self.time - self.block_time.unwrap_or_default().saturating_mul(behind)
    }

    /// The age from which the newest block is called old: several blocks are overdue then.
    #[must_use]
    pub fn stale_after(&self) -> Duration {
        stale_after(self.block_time)
    }

    pub(crate) fn nothing() -> Head {
        Head {
            height: Height(0),
            time: OffsetDateTime::UNIX_EPOCH,
            hash: [0; 32],
            verified_height: Height(0),
            proven_height: Height(0),
            block_time: None,
            standing: Standing::Starting,
        }
    }
}

/// How things stand between us and the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing heard yet.
    Starting,
    /// Verified to the newest block.
    Following,
    /// No endpoint has a new block, although it is time for one: the chain stands still, or they do.
    Stalled { why: String },
    /// An endpoint answers, but nothing can be verified yet.
    Unverified { why: String },
    /// Trust anchor and chain contradict each other. Money and earning stand still until a person decides.
    TrustConflict { why: String },
    /// No endpoint gives a usable answer.
    Unreachable { why: String },
    /// The newest trusted header is too old; a newer anchor is needed.
    TrustExpired { why: String },
    /// This computer's clock is wrong. `ahead_s` is negative where it is behind.
    ClockSkew { ahead_s: i64, why: String },
}

/// Blocks come every minute on the main network; some wait longer for their validators.
pub(crate) fn stale_after(block_time: Option<Duration>) -> Duration {
    let usual = block_time.unwrap_or(Duration::from_secs(60));
    usual
        .saturating_mul(OVERDUE_BLOCKS)
        .clamp(Duration::from_secs(30), Duration::from_secs(1800))
}

/// A moment without fractions, for people.
pub(crate) fn to_the_second(time: OffsetDateTime) -> String {
    let time = time.replace_nanosecond(0).unwrap_or(time);
    time.format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_else(|_| time.to_string())
}
