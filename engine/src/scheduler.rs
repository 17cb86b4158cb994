//! Decides who runs next. Pure: figures in, a plan out; the worker does what it says.
//!
//! Rules: local work goes in every round; paid work does too while no local work runs, else in one round of
//! [`PAID_ROUND`], so that its connections do not time out. Every sequence that decodes gets one token per
//! round; prompts share a fixed number of tokens per round, local ones first, then by age.

use crate::request::Priority;

/// Of this many rounds, paid work takes part in one while local work runs.
pub(crate) const PAID_ROUND: u64 = 8;

/// A sequence that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) priority: Priority,
    /// Tokens that must be computed before the next one can be drawn: one while it decodes.
    pub(crate) pending: usize,
}

/// A sequence's part in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) index: usize,
    pub(crate) tokens: usize,
}

/// Plans round number `round` for the sequences in `running`, oldest first.
pub(crate) fn plan(running: &[Running], round: u64, prefill_tokens: usize) -> Vec<Share> {
    let local_runs = running.iter().any(|one| one.priority == Priority::Local);
    let takes_part = |one: &Running| match one.priority {
        Priority::Local => true,
        Priority::Paid => paid_takes_part(local_runs, round),
    };
    let mut shares = Vec::new();
    let mut left = prefill_tokens;
    for priority in [Priority::Local, Priority::Paid] {
        for (index, one) in running.iter().enumerate() {
            if one.priority != priority || !takes_part(one) {
                continue;
            }
            let tokens = if one.pending == 1 {
                1
            } else {
                one.pending.min(left)
            };
            if one.pending > 1 {
                left -= tokens;
            }
            if tokens > 0 {
                shares.push(Share { index, tokens });
            }
        }
    }
    shares.sort_unstable_by_key(|share| share.index);
    shares
}

/// A request that waits for admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) priority: Priority,
    /// Cache it will need at least.
    pub(crate) cache_bytes: u64,
}

/// What is taken already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    pub(crate) local: usize,
    pub(crate) paid: usize,
    pub(crate) cache_bytes: u64,
}

/// What may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Sequences of each priority.
    pub(crate) running: usize,
    pub(crate) cache_bytes: u64,
}

/// What to do about the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Start this one.
    Admit(usize),
    /// Refuse this one: it cannot fit even alone.
    Refuse(usize),
    /// Nothing waits, or all places of those that wait are taken.
    Wait,
    /// There is a place, but no room for the cache of the first in this queue.
    WaitForMemory(Priority),
}

/// The part of the cache that paid answers leave to local work.
fn paid_limit(cache_bytes: u64) -> u64 {
    cache_bytes / 4 * 3
}

/// Chooses the next request from the queue, oldest first within a priority. A quarter of the cache is kept
/// for local work, so that it never waits for paid answers to end; those that have outgrown their part since
/// make way ([`outgrown`]).
pub(crate) fn admit(waiting: &[Waiting], taken: InUse, limits: Limits) -> Admission {
    if let Some(index) = waiting
        .iter()
        .position(|one| one.cache_bytes > limits.cache_bytes)
    {
        return Admission::Refuse(index);
    }
    for priority in [Priority::Local, Priority::Paid] {
        let Some(index) = waiting.iter().position(|one| one.priority == priority) else {
            continue;
        };
        let (running, cache_limit) = match priority {
            Priority::Local => (taken.local, limits.cache_bytes),
            Priority::Paid => (taken.paid, paid_limit(limits.cache_bytes)),
        };
        let alone = taken.local + taken.paid == 0;
        let fits = alone || taken.cache_bytes.saturating_add(waiting[index].cache_bytes) <= cache_limit;
        if running < limits.running && fits {
            return Admission::Admit(index);
        }
        if running < limits.running {
            // What becomes free is for the local request, if it is one.
            return Admission::WaitForMemory(priority);
        }
    }
    Admission::Wait
}

/// The cache of a running sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheUse {
    pub(crate) priority: Priority,
    /// What it holds, or will hold after the round.
    pub(crate) bytes: u64,
}

/// What must be done before a round may take its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    Enough,
    /// Give back what is kept for later.
    DropKept,
    /// Break this sequence off.
    End(usize),
}

/// Decides who makes way when answers, oldest first in `cache_uses`, grow beyond `limit_bytes`: what is kept for
/// convenience, then the youngest paid answer, and only then the youngest local one.
pub(crate) fn room(cache_uses: &[CacheUse], kept_bytes: u64, limit_bytes: u64) -> Eviction {
    let needed: u64 = cache_uses.iter().map(|one| one.bytes).sum();
    if needed.saturating_add(kept_bytes) <= limit_bytes {
        return Eviction::Enough;
    }
    if kept_bytes > 0 {
        return Eviction::DropKept;
    }
    youngest_paid(cache_uses)
        .or_else(|| cache_uses.len().checked_sub(1))
        .map_or(Eviction::Enough, Eviction::End)
}

/// Gives the paid answer that makes way for a local request: the youngest, if paid answers together have grown
/// beyond the part of the cache that is theirs.
pub(crate) fn outgrown(cache_uses: &[CacheUse], limit_bytes: u64) -> Option<usize> {
    let paid = cache_uses.iter().filter(|one| one.priority == Priority::Paid);
    let paid_bytes: u64 = paid.map(|one| one.bytes).sum();
    youngest_paid(cache_uses).filter(|_| paid_bytes > paid_limit(limit_bytes))
}

fn youngest_paid(cache_uses: &[CacheUse]) -> Option<usize> {
    cache_uses.iter().rposition(|one| one.priority == Priority::Paid)
}

/// Says whether paid work may be done in this round.
pub(crate) fn paid_takes_part(local_runs: bool, round: u64) -> bool {
    !local_runs || round.is_multiple_of(PAID_ROUND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOCAL: Priority = Priority::Local;
    const PAID: Priority = Priority::Paid;

    fn running(list: &[(Priority, usize)]) -> Vec<Running> {
        list.iter()
            .map(|&(priority, pending)| Running { priority, pending })
            .collect()
    }

    fn parts(list: &[(Priority, usize)], round: u64) -> Vec<(usize, usize)> {
        plan(&running(list), round, 100)
            .iter()
            .map(|share| (share.index, share.tokens))
            .collect()
    }

    #[test]
    fn decoding_goes_on_while_prompts_share_what_is_left() {
        assert_eq!(
            parts(&[(PAID, 1), (PAID, 80), (PAID, 80), (PAID, 80)], 1),
            [(0, 1), (1, 80), (2, 20)]
        );
    }

    #[test]
    fn local_prompts_overtake_and_paid_work_keeps_one_round_in_eight() {
        let both = [(PAID, 1), (PAID, 200), (LOCAL, 60)];
        assert_eq!(parts(&both, 1), [(2, 60)]);
        assert_eq!(parts(&both, 8), [(0, 1), (1, 40), (2, 60)]);
    }

    #[test]
    fn admission_prefers_local_and_keeps_cache_for_it() {
        let limits = Limits {
            running: 2,
            cache_bytes: 100,
        };
        let ask = |priority, cache_bytes| Waiting {
            priority,
            cache_bytes,
        };
        let queue = [ask(PAID, 10), ask(LOCAL, 10)];
        assert_eq!(admit(&queue, InUse::default(), limits), Admission::Admit(1));
        let full = InUse {
            local: 0,
            paid: 2,
            cache_bytes: 70,
        };
        assert_eq!(admit(&queue, full, limits), Admission::Admit(1));
        assert_eq!(
            admit(&[ask(PAID, 10)], InUse { paid: 1, ..full }, limits),
            Admission::WaitForMemory(PAID)
        );
        // All places taken is no lack of memory, so nothing is dropped for it.
        assert_eq!(admit(&[ask(PAID, 1)], full, limits), Admission::Wait);
        assert_eq!(admit(&[], InUse::default(), limits), Admission::Wait);
        assert_eq!(
            admit(&[ask(LOCAL, 30)], InUse { paid: 1, ..full }, limits),
            Admission::Admit(0)
        );
        assert_eq!(
            admit(
                &[ask(PAID, 10), ask(LOCAL, 40)],
                InUse { paid: 1, ..full },
                limits
            ),
            Admission::WaitForMemory(LOCAL)
        );
        assert_eq!(
            admit(&[ask(PAID, 10), ask(PAID, 101)], full, limits),
            Admission::Refuse(1)
        );
        assert_eq!(
            admit(&[ask(PAID, 90)], InUse::default(), limits),
            Admission::Admit(0)
        );
    }

    #[test]
    fn kept_caches_and_then_the_youngest_paid_answer_make_way() {
        let hold = |priority, bytes| CacheUse { priority, bytes };
        let mixed = [hold(PAID, 30), hold(PAID, 30), hold(LOCAL, 30)];
        assert_eq!(room(&mixed, 10, 100), Eviction::Enough);
        assert_eq!(room(&mixed, 11, 100), Eviction::DropKept);
        assert_eq!(room(&mixed, 0, 89), Eviction::End(1));
        assert_eq!(room(&[hold(LOCAL, 30), hold(LOCAL, 30)], 0, 59), Eviction::End(1));
        assert_eq!(room(&[], 0, 0), Eviction::Enough);
        assert_eq!(outgrown(&mixed, 80), None);
        assert_eq!(outgrown(&mixed, 79), Some(1));
        assert_eq!(outgrown(&[hold(LOCAL, 90)], 100), None);
    }

    proptest! {
        #[test]
        fn a_plan_stays_within_its_bounds(
            list in proptest::collection::vec((any::<bool>(), 1_usize..300), 0..12), round in 0_u64..32, budget in 1_usize..256,
        ) {
            let running: Vec<Running> = list.iter()
                .map(|&(local, pending)| Running { priority: if local { LOCAL } else { PAID }, pending }).collect();
            let plan = plan(&running, round, budget);
            let prefill: usize = plan.iter().filter(|s| running[s.index].pending > 1).map(|s| s.tokens).sum();
            prop_assert!(prefill <= budget);
            prop_assert!(plan.iter().all(|s| s.tokens >= 1 && s.tokens <= running[s.index].pending));
            prop_assert!(plan.windows(2).all(|pair| pair[0].index < pair[1].index));
            for (index, one) in running.iter().enumerate() {
                if one.priority == LOCAL && one.pending == 1 {
                    let one_token = Share { index, tokens: 1 };
                    prop_assert!(plan.contains(&one_token));
                }
            }
            prop_assert_eq!(plan.is_empty(), running.is_empty());
        }
    }
}
