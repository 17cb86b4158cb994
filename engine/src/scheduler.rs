//! Decides who runs next. Pure: figures in, a plan out; the worker does what it says.
//!
//! Rules: local work goes in every round; paid work does too while no local work runs, else in one round of
//! [`PAID_ROUND`], so that its connections do not time out. Every sequence that decodes gets one token per
//! round; prompts share a fixed number of tokens per round, local ones first, then in equal parts for each request.
//!
//! Of those that wait, the one goes first whose asker and request have the fewest places. While one of them has more
//! than one, another that has none need not wait for a place either: there are as many spare ones as usual ones.

use std::collections::BTreeSet;

use crate::request::{Origin, Priority};

/// Of this many rounds, paid work takes part in one while local work runs.
pub(crate) const PAID_ROUND: u64 = 8;

/// A sequence that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) priority: Priority,
    pub(crate) origin: Origin,
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
    let mut tokens = vec![0; running.len()];
    let mut left = prefill_tokens;
    for priority in [Priority::Local, Priority::Paid] {
        let of_it = |one: &Running| one.priority == priority && takes_part(one);
        for (tokens, one) in tokens.iter_mut().zip(running) {
            *tokens += usize::from(one.pending == 1 && of_it(one));
        }
        let prompts: Vec<(usize, &Running)> = running
            .iter()
            .enumerate()
            .filter(|(_, one)| one.pending > 1 && of_it(one))
            .collect();
        let mut requests: Vec<Origin> = Vec::new();
        for (_, one) in &prompts {
            if !requests.contains(&one.origin) {
                requests.push(one.origin);
            }
        }
        // An equal part for each request, then what is over to the oldest.
        let n_requests = requests.len();
        let parts = requests.into_iter().enumerate();
        let parts = parts.map(|(index, origin)| (Some(origin), n_requests - index));
        for (origin, n_left) in parts.chain([(None, 1)]) {
            let mut part = left.div_ceil(n_left);
            for &(index, one) in &prompts {
                if origin.is_none_or(|origin| one.origin == origin) {
                    let more = (one.pending - tokens[index]).min(part);
                    tokens[index] += more;
                    part -= more;
                    left -= more;
                }
            }
        }
    }
    let shares = tokens.into_iter().enumerate();
    shares
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(index, tokens)| Share { index, tokens })
        .collect()
}

/// A request that waits for admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) priority: Priority,
    pub(crate) origin: Origin,
    /// Cache it will need at least.
    pub(crate) cache_bytes: u64,
}

/// What is taken already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    /// For whom the sequences run that do.
    pub(crate) running: Vec<(Priority, Origin)>,
    pub(crate) cache_bytes: u64,
}

impl InUse {
    pub(crate) fn count(&self, priority: Priority) -> usize {
        self.running.iter().filter(|(one, _)| *one == priority).count()
    }

    fn origins(&self, priority: Priority) -> impl Iterator<Item = Origin> {
        let of_it = self.running.iter().filter(move |(one, _)| *one == priority);
        of_it.map(|(_, origin)| *origin)
    }

    /// The places that an asker and one of its requests have.
    fn places_of(&self, priority: Priority, of: Origin) -> (usize, usize) {
        let by_asker = self.origins(priority).filter(|one| one.asker == of.asker);
        (
            by_asker.count(),
            self.origins(priority).filter(|one| *one == of).count(),
        )
    }

    /// Whether there is a place for one more: a usual one, or a spare one where many belong to few.
    fn has_place(&self, one: &Waiting, usual: usize) -> bool {
        let n_running = self.count(one.priority);
        let (of_asker, of_request) = self.places_of(one.priority, one.origin);
        let requests: BTreeSet<Origin> = self.origins(one.priority).collect();
        let askers: BTreeSet<u64> = requests.iter().map(|origin| origin.asker).collect();
        let is_new = (of_request == 0 && requests.len() < usual) || (of_asker == 0 && askers.len() < usual);
        n_running < usual || (is_new && n_running < usual * 2)
    }
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

/// Chooses the next request from the queue. A quarter of the cache is kept for local work, so that it never waits for
/// paid answers to end; those that have outgrown their part since make way ([`outgrown`]).
pub(crate) fn admit(waiting: &[Waiting], taken: &InUse, limits: Limits) -> Admission {
    if let Some(index) = waiting
        .iter()
        .position(|one| one.cache_bytes > limits.cache_bytes)
    {
        return Admission::Refuse(index);
    }
    for priority in [Priority::Local, Priority::Paid] {
        let cache_limit = match priority {
            Priority::Local => limits.cache_bytes,
            Priority::Paid => paid_limit(limits.cache_bytes),
        };
        let queue = waiting.iter().enumerate();
        let next = queue
            .filter(|(_, one)| one.priority == priority && taken.has_place(one, limits.running))
            .min_by_key(|(_, one)| taken.places_of(priority, one.origin));
        let Some((index, one)) = next else {
            continue;
        };
        let alone = taken.running.is_empty();
        if alone || taken.cache_bytes.saturating_add(one.cache_bytes) <= cache_limit {
            return Admission::Admit(index);
        }
        // What becomes free is for the local request, if it is one.
        return Admission::WaitForMemory(priority);
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
            .map(|&(priority, pending)| Running {
                priority,
                origin: Origin::default(),
                pending,
            })
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
            origin: Origin::default(),
            cache_bytes,
        };
        let in_use = |list: &[Priority], cache_bytes| InUse {
            running: list.iter().map(|one| (*one, Origin::default())).collect(),
            cache_bytes,
        };
        let queue = [ask(PAID, 10), ask(LOCAL, 10)];
        assert_eq!(admit(&queue, &InUse::default(), limits), Admission::Admit(1));
        let full = in_use(&[PAID, PAID], 70);
        let half = in_use(&[PAID], 70);
        assert_eq!(admit(&queue, &full, limits), Admission::Admit(1));
        assert_eq!(
            admit(&[ask(PAID, 10)], &half, limits),
            Admission::WaitForMemory(PAID)
        );
        // All places taken is no lack of memory, so nothing is dropped for it.
        assert_eq!(admit(&[ask(PAID, 1)], &full, limits), Admission::Wait);
        assert_eq!(admit(&[], &InUse::default(), limits), Admission::Wait);
        assert_eq!(admit(&[ask(LOCAL, 30)], &half, limits), Admission::Admit(0));
        assert_eq!(
            admit(&[ask(PAID, 10), ask(LOCAL, 40)], &half, limits),
            Admission::WaitForMemory(LOCAL)
        );
        assert_eq!(
            admit(&[ask(PAID, 10), ask(PAID, 101)], &full, limits),
            Admission::Refuse(1)
        );
        assert_eq!(
            admit(&[ask(PAID, 90)], &InUse::default(), limits),
            Admission::Admit(0)
        );
    }

    #[test]
    fn many_answers_of_one_leave_places_to_others() {
        let limits = Limits {
            running: 4,
            cache_bytes: 1000,
        };
        let of = |asker, request| Origin { asker, request };
        let ask = |origin| Waiting {
            priority: LOCAL,
            origin,
            cache_bytes: 1,
        };
        // Admits whatever may be, from a queue, and says for whom.
        let fill = |queue: &[Origin]| {
            let (mut queue, mut taken) = (queue.to_vec(), InUse::default());
            loop {
                let waiting: Vec<Waiting> = queue.iter().copied().map(ask).collect();
                match admit(&waiting, &taken, limits) {
                    Admission::Admit(index) => taken.running.push((LOCAL, queue.remove(index))),
                    Admission::Wait => return taken,
                    Admission::Refuse(_) | Admission::WaitForMemory(_) => panic!("there is memory"),
                }
            }
        };
        let many = |origin: Origin, n: usize| vec![origin; n];
        let places =
            |taken: &InUse, asker| taken.running.iter().filter(|(_, one)| one.asker == asker).count();
        // One request has the usual places and no more, and another needs not wait.
        let full = fill(&many(of(1, 1), 32));
        assert_eq!(places(&full, 1), 4);
        assert_eq!(
            admit(&[ask(of(1, 1)), ask(of(1, 2))], &full, limits),
            Admission::Admit(1)
        );
        // Whatever one asks for, another has a place.
        let all: Vec<Origin> = (0..20).flat_map(|request| many(of(1, request), 32)).collect();
        let full = fill(&all);
        assert_eq!(
            admit(&[ask(of(1, 99)), ask(of(2, 1))], &full, limits),
            Admission::Admit(1)
        );
        // Those who ask for one answer each share the usual places.
        let single: Vec<Origin> = (0..20).map(|asker| of(asker, asker)).collect();
        assert_eq!(fill(&single).running.len(), 4);
        // Who has the fewest goes first.
        let mut taken = fill(&many(of(1, 1), 3));
        taken.running.push((LOCAL, of(2, 2)));
        taken.running.remove(0);
        let queue = [ask(of(1, 1)), ask(of(1, 3)), ask(of(2, 2)), ask(of(3, 4))];
        assert_eq!(admit(&queue, &taken, limits), Admission::Admit(3));
        assert_eq!(admit(&queue[..3], &taken, limits), Admission::Admit(2));
        assert_eq!(admit(&queue[..2], &taken, limits), Admission::Admit(1));
    }

    #[test]
    fn the_prompts_of_one_request_do_not_hold_up_another() {
        let of = |request, pending| Running {
            priority: LOCAL,
            origin: Origin { asker: 1, request },
            pending,
        };
        let parts = |list: &[Running]| -> Vec<(usize, usize)> {
            let shares = plan(list, 1, 100);
            shares.iter().map(|share| (share.index, share.tokens)).collect()
        };
        assert_eq!(
            parts(&[of(1, 500), of(1, 500), of(2, 30), of(3, 500)]),
            [(0, 34), (2, 30), (3, 36)]
        );
        assert_eq!(parts(&[of(1, 40), of(2, 500), of(2, 500)]), [(0, 40), (1, 60)]);
        assert_eq!(parts(&[of(1, 500), of(2, 20)]), [(0, 80), (1, 20)]);
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
                .map(|&(local, pending)| Running {
                    priority: if local { LOCAL } else { PAID },
                    origin: Origin { asker: 0, request: pending as u64 % 3 },
                    pending,
                }).collect();
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
