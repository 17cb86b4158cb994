//! What became of a signed transaction, from verified blocks alone.
//!
//! An endpoint that takes a transaction may say that it refused it, and one that is asked for a transaction may say that
//! it knows none. Neither is believed: a transaction counts as gone only once the verified head has passed its last
//! moment and every verified block that could hold it was looked through.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use hearth_base::Height;
use hearth_pocket::tx::SignedTx;
use time::{Duration, OffsetDateTime};

use super::{Sender, send::limits};
use crate::{
    light::LightError,
    query::{AbsencePolicy, FoundTx, QueryError},
};

/// The chain takes no transaction that is valid for longer than ten minutes of its own time.
const LONGEST: Duration = Duration::minutes(10);
/// More blocks than any chain makes in ten minutes that is worth looking through.
const MAX_BLOCKS: u64 = 4_096;
/// Blocks that are asked for at a time.
const AT_ONCE: usize = 16;

/// Until when a block may hold a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first height at which it may be, where that is known: the one after the head for which it was signed.
    pub first: Option<Height>,
    /// The last moment, by the chain's time.
    pub until: Option<OffsetDateTime>,
    /// The last height.
    pub last: Option<Height>,
}

impl Validity {
    /// What the bytes themselves say.
    #[must_use]
    pub fn of(tx: &SignedTx) -> Validity {
        let (until, last) = limits(tx);
        Validity {
            first: None,
            until,
            last: last.map(Height),
        }
    }

    /// Whether no block after this height and time can hold it.
    #[must_use]
    pub fn is_over(&self, height: Height, time: OffsetDateTime) -> bool {
        self.until.is_some_and(|until| time > until) || self.last.is_some_and(|last| height > last)
    }
}

/// What became of a signed transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum TxStatus {
    /// It may still be included, or its outcome is not proven yet.
    Pending,
    /// A block holds it, and what became of it there is proven: its outcome is there.
    Included(Box<FoundTx>),
    /// Its time is over, and none of the verified blocks that could hold it does: it never will be included.
    Expired,
    /// Its time is over, but the blocks that could hold it cannot be had any more.
    Unknown { why: String },
}

impl Sender {
    /// What became of a transaction.
    pub(crate) async fn tx_status(
        &self,
        hash: &[u8; 32],
        validity: &Validity,
    ) -> Result<TxStatus, QueryError> {
        // Before the question, so that a block which comes between the two is not overlooked.
        let head = self.head.borrow().clone();
        let is_over = head.verified_height.0 > 0 && validity.is_over(head.verified_height, head.time);
        match self.reader.tx(hash, AbsencePolicy::All).await {
            // One that failed may have been taken once more: at the end the blocks tell.
            Ok(Some(found)) if found.outcome.is_some() && !(is_over && found.may_come_again()) => {
                return Ok(TxStatus::Included(Box::new(found)));
            }
            // What an endpoint says without proof decides nothing; at the end the blocks do.
            Ok(_) | Err(_) if is_over => {}
            Ok(_) => return Ok(TxStatus::Pending),
            Err(error) => return Err(error),
        }
        match self.look_through(hash, validity, head.verified_height).await {
            Ok(Some(found)) => Ok(TxStatus::Included(Box::new(found))),
            Ok(None) => Ok(TxStatus::Expired),
            Err(error) if is_lost(&error) => Ok(TxStatus::Unknown {
                why: hearth_base::failure::chain(&error),
            }),
            Err(error) => Err(error),
        }
    }

    /// Looks through all verified blocks in which the transaction may be.
    async fn look_through(
        &self,
        hash: &[u8; 32],
        validity: &Validity,
        newest: Height,
    ) -> Result<Option<FoundTx>, QueryError> {
        let last = match validity.until {
            None => newest,
            Some(until) => Height(self.first_after(until, newest).await?.0.saturating_sub(1)),
        };
        let last = validity.last.map_or(last, |limit| limit.min(last));
        let first = match (validity.first, validity.until) {
            (Some(first), _) => first,
            (None, Some(until)) => self.first_after(until - LONGEST, newest).await?,
            (None, None) => Height(last.0.saturating_sub(MAX_BLOCKS - 1).max(1)),
        };
        if last < first {
            return Ok(None);
        }
        if last.since(first) >= MAX_BLOCKS {
            return Err(LightError::TooOld {
                height: first,
                oldest: Height(last.0.saturating_sub(MAX_BLOCKS)),
            }
            .into());
        }
        let found: Vec<Option<FoundTx>> = stream::iter(first.0..=last.0)
            .map(|height| self.reader.tx_in_block(hash, Height(height)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        // Whoever makes blocks may put it into two; where it did what it should counts.
        Ok(found.into_iter().flatten().min_by_key(|found| found.code != 0))
    }

    /// The first height up to `newest` whose block was made after `moment`; the one after `newest` where none was.
    async fn first_after(&self, moment: OffsetDateTime, newest: Height) -> Result<Height, QueryError> {
        let is_after = async |height: u64| -> Result<bool, QueryError> {
            Ok(self.reader.light.header(Height(height)).await?.time() > moment)
        };
        if !is_after(newest.0).await? {
            return Ok(newest.plus(1));
        }
        // In growing steps from the newest, since what is looked for is recent and old headers cost many questions.
        let (mut low, mut high, mut step) = (1, newest.0, 1);
        while high > low {
            let height = newest.0.saturating_sub(step).max(1);
            if is_after(height).await? {
                (high, step) = (height, step * 2);
            } else {
                low = height + 1;
                break;
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_after(middle).await? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Height(low))
    }
}

/// Whether the answer will not be there later either.
fn is_lost(error: &QueryError) -> bool {
    use hearth_base::{Failure as _, Kind};
    error.kind() == Kind::Skip
}
