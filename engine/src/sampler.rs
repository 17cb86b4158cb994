//! Chooses the next token from the model's logits.
//!
//! Order: mask, bias, penalties, temperature, top-k, top-p, min-p, draw. What the mask forbids no bias brings back.
//! Probabilities reported to the caller are those of the untouched logits.

use std::collections::{BTreeMap, VecDeque};

use toktrie::SimpleVob;

use crate::request::{GenerateError, Sampling};

/// Tokens back over which the repetition penalty looks, as in llama.cpp.
const REPETITION_WINDOW: usize = 64;

/// The sampler of one sequence.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Xoshiro,
    /// How often the answer holds each token.
    counts: BTreeMap<u32, u32>,
    /// The last tokens of prompt and answer.
    recent: VecDeque<u32>,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, prompt: &[u32]) -> Self {
        let random = Xoshiro::seeded(sampling.seed.unwrap_or_else(rand::random));
        let recent = prompt
            .iter()
            .rev()
            .take(REPETITION_WINDOW)
            .rev()
            .copied()
            .collect();
        Self {
            sampling,
            random,
            counts: BTreeMap::new(),
            recent,
        }
    }

    /// Chooses a token, of those in `mask` if there is one, and remembers it. `None` if none has a number.
    pub(crate) fn sample(&mut self, logits: &[f32], mask: Option<&SimpleVob>) -> Option<u32> {
        let token = if mask.is_some() || self.changes_logits() {
            let mut logits = mask.map_or_else(|| logits.to_vec(), |mask| masked(logits, mask));
            self.adjust(&mut logits);
            self.choose(&logits)?
        } else {
            self.choose(logits)?
        };
        self.remember(token);
        Some(token)
    }

    /// Takes a token as said that was not drawn here.
    pub(crate) fn remember(&mut self, token: u32) {
        *self.counts.entry(token).or_default() += 1;
        if self.recent.len() == REPETITION_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
    }

    fn changes_logits(&self) -> bool {
        let s = &self.sampling;
        !s.logit_bias.is_empty()
            || s.repetition_penalty != 1.0
            || s.presence_penalty != 0.0
            || s.frequency_penalty != 0.0
    }

    fn adjust(&self, logits: &mut [f32]) {
        let s = &self.sampling;
        for (&token, &bias) in &s.logit_bias {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit += bias;
            }
        }
        if s.repetition_penalty != 1.0 {
            let seen: std::collections::BTreeSet<u32> = self.recent.iter().copied().collect();
            for token in seen {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit = if *logit > 0.0 {
                        *logit / s.repetition_penalty
                    } else {
                        *logit * s.repetition_penalty
                    };
                }
            }
        }
        for (&token, &count) in &self.counts {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit -= s.presence_penalty + s.frequency_penalty * count as f32;
            }
        }
    }

    fn choose(&mut self, logits: &[f32]) -> Option<u32> {
        let best = argmax(logits)?;
        let s = &self.sampling;
        if s.temperature == 0.0 || s.top_k == 1 {
            return Some(best as u32);
        }
        let top = logits[best];
        let mut weights: Vec<f32> = logits
            .iter()
            .map(|logit| ((logit - top) / s.temperature).exp())
            .collect();
        // An infinite best logit makes not-a-number of itself and zero of the rest; NaN logits stay NaN.
        for weight in &mut weights {
            if !weight.is_finite() {
                *weight = 0.0;
            }
        }
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        if total <= 0.0 {
            return Some(best as u32);
        }
        let point = self.random.unit();
        if s.top_k == 0 && s.top_p >= 1.0 && s.min_p <= 0.0 {
            return Some(draw(
                weights.iter().enumerate().map(|(id, &w)| (id as u32, w)),
                total,
                point,
                best,
            ));
        }
        let kept = self.kept(&weights, total);
        let total = kept.iter().map(|&(_, w)| f64::from(w)).sum();
        Some(draw(kept.into_iter(), total, point, best))
    }

    /// Gives the tokens that top-k, top-p and min-p leave, best first.
    fn kept(&self, weights: &[f32], total: f64) -> Vec<(u32, f32)> {
        let s = &self.sampling;
        // Tokens below this share sum to less than what top-p cuts off, so none of them can be kept.
        let floor = if s.top_k == 0 {
            (1.0 - f64::from(s.top_p)) * total / weights.len() as f64
        } else {
            0.0
        };
        let mut kept: Vec<(u32, f32)> = weights
            .iter()
            .enumerate()
            .filter(|&(_, &w)| w > 0.0 && f64::from(w) >= floor)
            .map(|(id, &w)| (id as u32, w))
            .collect();
        let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let k = s.top_k as usize;
        if k > 0 && k < kept.len() {
            kept.select_nth_unstable_by(k - 1, better);
            kept.truncate(k);
        }
        kept.sort_unstable_by(better);
        if s.top_p < 1.0 {
            let total: f64 = if k > 0 {
                kept.iter().map(|&(_, w)| f64::from(w)).sum()
            } else {
                total
            };
            let mut sum = 0.0;
            let needed = kept.iter().position(|&(_, w)| {
                sum += f64::from(w);
                sum >= f64::from(s.top_p) * total
            });
            kept.truncate(needed.map_or(kept.len(), |index| index + 1).max(1));
        }
        // The best token's weight is one.
        kept.retain(|&(_, w)| w >= s.min_p);
        kept
    }
}

/// Leaves the logits of tokens in `mask`.
fn masked(logits: &[f32], mask: &SimpleVob) -> Vec<f32> {
    let mut left = vec![f32::NEG_INFINITY; logits.len()];
    mask.iter_set_entries(|token| {
        if let (Some(place), Some(logit)) = (left.get_mut(token), logits.get(token)) {
            *place = *logit;
        }
    });
    left
}

fn draw(candidates: impl Iterator<Item = (u32, f32)>, total: f64, point: f64, best: usize) -> u32 {
    let mut left = point * total;
    for (id, weight) in candidates {
        left -= f64::from(weight);
        if left < 0.0 {
            return id;
        }
    }
    // Rounding can leave a crumb at the end of the list.
    best as u32
}

/// Gives the index of the largest number, the first of equals.
pub(crate) fn argmax(logits: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, logit) in logits.iter().enumerate() {
        if !logit.is_nan() && best.is_none_or(|best| *logit > logits[best]) {
            best = Some(index);
        }
    }
    best.filter(|&best| logits[best] > f32::NEG_INFINITY)
}

/// Gives what must be subtracted from a logit to make it a log-probability.
pub(crate) fn log_total(logits: &[f32]) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    top + logits
        .iter()
        .map(|&logit| (f64::from(logit) - top).exp())
        .sum::<f64>()
        .ln()
}

/// Gives the `n` largest logits, best first.
pub(crate) fn best_of(logits: &[f32], n: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let better = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if n == 0 {
        return Vec::new();
    }
    if n < ids.len() {
        ids.select_nth_unstable_by(n - 1, better);
        ids.truncate(n);
    }
    ids.sort_unstable_by(better);
    ids
}

/// Refuses figures outside their range.
pub(crate) fn check(s: &Sampling) -> Result<(), GenerateError> {
    let inside = [
        ("temperature", s.temperature, 0.0, 100.0, "from 0 to 100"),
        ("top_p", s.top_p, f32::MIN_POSITIVE, 1.0, "above 0, at most 1"),
        ("min_p", s.min_p, 0.0, 1.0, "from 0 to 1"),
        (
            "repetition_penalty",
            s.repetition_penalty,
            0.01,
            100.0,
            "from 0.01 to 100",
        ),
        (
            "presence_penalty",
            s.presence_penalty,
            -100.0,
            100.0,
            "from -100 to 100",
        ),
        (
            "frequency_penalty",
            s.frequency_penalty,
            -100.0,
            100.0,
            "from -100 to 100",
        ),
    ];
    for (field, value, low, high, range) in inside {
        if !(low..=high).contains(&value) {
            return Err(GenerateError::BadParameter {
                field,
                value: value.to_string(),
                range,
            });
        }
    }
    match s.logit_bias.values().find(|bias| bias.is_nan()) {
        Some(bias) => Err(GenerateError::BadParameter {
            field: "logit_bias",
            value: bias.to_string(),
            range: "a number",
        }),
        None => Ok(()),
    }
}

/// xoshiro256++ by Blackman and Vigna (public domain), <https://prng.di.unimi.it/xoshiro256plusplus.c>:
/// own code so that a seed means the same answer in every version of the program.
#[derive(Debug)]
struct Xoshiro {
    state: [u64; 4],
}

impl Xoshiro {
    fn seeded(seed: u64) -> Self {
        let mut z = seed;
        let mut next = || {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        };
        Self {
            state: [next(), next(), next(), next()],
        }
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from 0 up to, not including, 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(
            Sampling {
                seed: Some(7),
                ..sampling
            },
            &[],
        )
    }

    #[test]
    fn temperature_zero_takes_the_best_and_the_first_of_equals() {
        assert_eq!(
            sampler(Sampling::greedy()).sample(&[0.0, 3.0, 3.0, f32::NAN], None),
            Some(1)
        );
        assert_eq!(
            sampler(Sampling::greedy()).sample(&[f32::NAN, f32::NEG_INFINITY], None),
            None
        );
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits: Vec<f32> = [0.5_f32, 0.3, 0.2].iter().map(|p| p.ln()).collect();
        let mut sampler = sampler(Sampling::default());
        let mut seen = [0_u32; 3];
        for _ in 0..20_000 {
            seen[sampler.sample(&logits, None).unwrap() as usize] += 1;
        }
        for (count, expected) in seen.iter().zip([10_000_i64, 6_000, 4_000]) {
            assert!((i64::from(*count) - expected).abs() < 300, "{seen:?}");
        }
    }

    #[test]
    fn a_seed_means_the_same_answer_for_ever() {
        let logits = [0.1_f32, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        let mut sampler = sampler(Sampling::default());
        let drawn: Vec<u32> = (0..12).map(|_| sampler.sample(&logits, None).unwrap()).collect();
        let mut again = self::sampler(Sampling::default());
        assert_eq!(
            drawn,
            (0..12)
                .map(|_| again.sample(&logits, None).unwrap())
                .collect::<Vec<_>>()
        );
        // First output of the reference for the state that splitmix64 makes of seed 0.
        assert_eq!(Xoshiro::seeded(0).next(), 0x53175d61490b23df);
    }

    #[test]
    fn penalties_push_repeated_tokens_away() {
        let mut presence = sampler(Sampling {
            presence_penalty: 2.0,
            ..Sampling::greedy()
        });
        assert_eq!(presence.sample(&[1.0, 2.0, 0.0], None), Some(1));
        assert_eq!(presence.sample(&[1.0, 2.0, 0.0], None), Some(0));
        let mut frequency = sampler(Sampling {
            frequency_penalty: 0.6,
            ..Sampling::greedy()
        });
        let drawn: Vec<_> = (0..3)
            .filter_map(|_| frequency.sample(&[1.0, 2.0, -9.0], None))
            .collect();
        assert_eq!(drawn, [1, 1, 0]);
        let mut repetition = Sampler::new(
            Sampling {
                repetition_penalty: 3.0,
                ..Sampling::greedy()
            },
            &[1],
        );
        assert_eq!(repetition.sample(&[1.0, 2.0, -9.0], None), Some(0));
    }

    #[test]
    fn bias_can_force_and_forbid() {
        let bias = BTreeMap::from([(2_u32, 100.0_f32), (1, -100.0)]);
        assert_eq!(
            sampler(Sampling {
                logit_bias: bias,
                ..Sampling::greedy()
            })
            .sample(&[0.0, 5.0, 0.0], None),
            Some(2)
        );
    }

    #[test]
    fn a_mask_is_stronger_than_any_bias() {
        let mut mask = SimpleVob::alloc(3);
        mask.allow_token(0);
        let bias = BTreeMap::from([(2_u32, f32::INFINITY), (1, 100.0)]);
        let mut with_bias = sampler(Sampling {
            logit_bias: bias,
            repetition_penalty: 1.5,
            ..Sampling::default()
        });
        for _ in 0..20 {
            assert_eq!(with_bias.sample(&[-5.0, 5.0, 0.0], Some(&mask)), Some(0));
        }
        let nothing = SimpleVob::alloc(3);
        assert_eq!(
            sampler(Sampling::default()).sample(&[1.0; 3], Some(&nothing)),
            None
        );
    }

    proptest! {
        #[test]
        fn only_kept_tokens_are_drawn(
            logits in proptest::collection::vec(-8.0_f32..8.0, 2..60),
            top_k in 0_u32..10, top_p in 0.05_f32..1.0, min_p in 0.0_f32..0.5, seed in any::<u64>(),
        ) {
            let sampling = Sampling { top_k, top_p, min_p, seed: Some(seed), ..Sampling::default() };
            let token = Sampler::new(sampling, &[]).sample(&logits, None).unwrap() as usize;
            let top = logits.iter().copied().fold(f32::MIN, f32::max);
            let better = logits.iter().filter(|&&l| l > logits[token]).count();
            if top_k > 0 {
                prop_assert!(better < top_k as usize);
            } else {
                // All better tokens together stay below top-p, else this one would have been cut.
                let share = |l: f32| f64::from((l - top).exp());
                let total: f64 = logits.iter().map(|&l| share(l)).sum();
                let above: f64 = logits.iter().filter(|&&l| l > logits[token]).map(|&l| share(l)).sum();
                prop_assert!(above / total < f64::from(top_p) + 1e-6);
            }
            prop_assert!((logits[token] - top).exp() >= min_p * 0.999);
        }

        #[test]
        fn any_numbers_give_a_token_or_nothing(logits in proptest::collection::vec(any::<f32>(), 1..30), temperature in 0.0_f32..3.0) {
            let drawn = Sampler::new(Sampling { temperature, top_p: 0.9, ..Sampling::default() }, &[]).sample(&logits, None);
            prop_assert!(drawn.is_none_or(|token| (token as usize) < logits.len()));
        }
    }
}
