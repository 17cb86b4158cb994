//! Which supplier is asked: by recent results, with chance, so that others keep being measured.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
/// How much one result counts against all earlier ones.
const WEIGHT: f64 = 0.2;
/// The latency that is assumed of a supplier that was never asked.
const UNKNOWN_LATENCY_MS: f64 = 500.0;
/// Added to every latency, so that a difference of a few milliseconds means little.
const LATENCY_FLOOR_MS: f64 = 100.0;
/// How long a supplier is left alone after its first failure; doubled by each further one.
const FIRST_REST: Duration = Duration::from_secs(1);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long a supplier is left alone that signed something else than it sent.
const DISTRUST: Duration = Duration::from_secs(3600);

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good { first_byte: Duration },
    Failed,
    Dishonest,
}

/// Why a supplier is not chosen at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Avoided {
    /// It failed of late.
    Rests,
    /// It signed something else than it sent.
    Distrusted,
}

/// What is known of a supplier.
#[derive(Clone, Copy, Debug)]
struct Score {
    /// Share of good results, recent ones counting most.
    good: f64,
    latency_ms: f64,
    failures_in_a_row: u32,
    rests_until_ms: i64,
    distrusted_until_ms: i64,
}

impl Score {
    /// Strangers are taken for good enough to be tried.
    const STRANGER: Score = Score {
        good: 0.8,
        latency_ms: UNKNOWN_LATENCY_MS,
        failures_in_a_row: 0,
        rests_until_ms: 0,
        distrusted_until_ms: 0,
    };

    fn chance(&self) -> f64 {
        self.good.max(0.01).powi(3) / (self.latency_ms + LATENCY_FLOOR_MS)
    }
}

/// Results of all suppliers.
#[derive(Debug, Default)]
pub(crate) struct Scores(Mutex<BTreeMap<String, Score>>);

impl Scores {
    /// Notes a result.
    pub(crate) fn note(&self, operator: &str, verdict: Verdict, now_ms: i64) {
        let mut scores = self.0.lock();
        let score = scores.entry(operator.to_owned()).or_insert(Score::STRANGER);
        let after =
            |time: Duration| now_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        match verdict {
            Verdict::Good { first_byte } => {
                score.good += WEIGHT * (1.0 - score.good);
                score.latency_ms += WEIGHT * (first_byte.as_secs_f64() * 1000.0 - score.latency_ms);
                score.failures_in_a_row = 0;
                score.rests_until_ms = 0;
            }
            Verdict::Failed | Verdict::Dishonest => {
                score.good -= WEIGHT * score.good;
                let rest = FIRST_REST
                    .saturating_mul(1 << score.failures_in_a_row.min(10))
                    .min(LONGEST_REST);
                score.rests_until_ms = after(rest);
                score.failures_in_a_row = score.failures_in_a_row.saturating_add(1);
                if verdict == Verdict::Dishonest {
                    score.distrusted_until_ms = after(DISTRUST);
                }
            }
        }
    }

    /// Chooses one of `operators` by `dice`, a number from 0 to 1. Those that rest are asked only when all do, and
    /// then the one whose rest ends first; those that are distrusted never.
    pub(crate) fn choose<'a>(
        &self,
        operators: impl IntoIterator<Item = &'a str>,
        dice: f64,
        now_ms: i64,
    ) -> Option<&'a str> {
        let scores = self.0.lock();
        let known = operators
            .into_iter()
            .map(|operator| (operator, *scores.get(operator).unwrap_or(&Score::STRANGER)));
        let trusted: Vec<(&str, Score)> = known
            .filter(|(_, score)| score.distrusted_until_ms <= now_ms)
            .collect();
        let ready = || trusted.iter().filter(|(_, score)| score.rests_until_ms <= now_ms);
        let total: f64 = ready().map(|(_, score)| score.chance()).sum();
        let mut left = dice * total;
        for (operator, score) in ready() {
            left -= score.chance();
            if left < 0.0 {
                return Some(operator);
            }
        }
        // Rounding may leave a crumb of the dice; without anybody ready it is all that rest.
        let last = ready()
            .next_back()
            .or_else(|| trusted.iter().min_by_key(|(_, score)| score.rests_until_ms));
        last.map(|(operator, _)| *operator)
    }

    /// Why a supplier is not chosen now, if it is not.
    pub(crate) fn avoided(&self, operator: &str, now_ms: i64) -> Option<Avoided> {
        let score = *self.0.lock().get(operator)?;
        if score.distrusted_until_ms > now_ms {
            Some(Avoided::Distrusted)
        } else {
            (score.rests_until_ms > now_ms).then_some(Avoided::Rests)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn often(scores: &Scores, now_ms: i64) -> [usize; 2] {
        let mut counts = [0; 2];
        for step in 0..1000 {
            match scores.choose(["a", "b"], f64::from(step) / 1000.0, now_ms) {
                Some("a") => counts[0] += 1,
                Some(_) => counts[1] += 1,
                None => {}
            }
        }
        counts
    }

    #[test]
    fn the_faster_is_asked_more_often_and_the_slower_still_at_times() {
        let scores = Scores::default();
        let [a, b] = often(&scores, 0);
        assert_eq!((a, b), (500, 500));
        for _ in 0..20 {
            scores.note(
                "a",
                Verdict::Good {
                    first_byte: Duration::from_millis(50),
                },
                0,
            );
            scores.note(
                "b",
                Verdict::Good {
                    first_byte: Duration::from_millis(900),
                },
                0,
            );
        }
        let [a, b] = often(&scores, 0);
        assert!(a > 700 && b > 100, "{a} {b}");
    }

    #[test]
    fn who_fails_rests_longer_and_longer() {
        let scores = Scores::default();
        scores.note("a", Verdict::Failed, 0);
        assert_eq!(often(&scores, 999), [0, 1000]);
        let [a, b] = often(&scores, 1000);
        assert!(a > 0 && a < b, "{a} {b}");
        scores.note("a", Verdict::Failed, 1000);
        assert_eq!(often(&scores, 2999), [0, 1000]);
        for _ in 0..50 {
            scores.note("a", Verdict::Failed, 10_000);
        }
        assert_eq!(often(&scores, 69_999), [0, 1000]);
        assert!(often(&scores, 70_000)[0] > 0);
    }

    #[test]
    fn when_all_rest_the_first_to_be_ready_is_asked_but_never_a_liar() {
        let scores = Scores::default();
        scores.note("a", Verdict::Failed, 0);
        scores.note("b", Verdict::Failed, 500);
        assert_eq!(often(&scores, 600), [1000, 0]);
        scores.note("a", Verdict::Dishonest, 600);
        assert_eq!(often(&scores, 600), [0, 1000]);
        scores.note("b", Verdict::Dishonest, 600);
        assert_eq!(often(&scores, 600), [0, 0]);
        assert_eq!(
            often(&scores, 600 + 3_600_000)[0] + often(&scores, 600 + 3_600_000)[1],
            1000
        );
    }
}
