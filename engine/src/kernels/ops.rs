//! Small vector work between the matrices: norms, rotations, activations.

/// Root-mean-square norm (Zhang and Sennrich 2019): `x / rms(x) * weight`.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    out.copy_from_slice(x);
    rms_norm_in_place(out, weight, epsilon);
}

/// As [`rms_norm`], in place of `x`.
pub(crate) fn rms_norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32) {
    let square = x.iter().map(|x| f64::from(x * x)).sum::<f64>() / x.len() as f64;
    let scale = (1.0 / (square + f64::from(epsilon)).sqrt()) as f32;
    for (x, weight) in x.iter_mut().zip(weight) {
        *x = *x * scale * weight;
    }
}

/// Adds `other` to `x`.
pub(crate) fn add_in_place(x: &mut [f32], other: &[f32]) {
    for (x, other) in x.iter_mut().zip(other) {
        *x += other;
    }
}

/// What a gate is put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x / (1 + exp(-x))`
    Silu,
    /// The usual approximation of `x` times the share of the normal distribution below it, by `tanh`.
    Gelu,
    /// As [`Self::Silu`] with a slope of 1.702, of gates up to 7; to what they are multiplied with, -7 to 7, one is
    /// added.
    ClampedSilu,
}

impl Activation {
    /// Turns gates into `activation(gate) * up`.
    pub(super) fn gate(self, gates: &mut [f32], ups: &[f32]) {
        for (gate, up) in gates.iter_mut().zip(ups) {
            let (x, up) = match self {
                Self::Silu | Self::Gelu => (*gate, *up),
                Self::ClampedSilu => (gate.min(7.0), up.clamp(-7.0, 7.0) + 1.0),
            };
            // Of all, `x` times a share: `gelu` is `silu` of another slope.
            let slope = match self {
                Self::Silu => x,
                Self::ClampedSilu => 1.702 * x,
                Self::Gelu => 1.595_769 * x * (1.0 + 0.044_715 * x * x),
            };
            *gate = x / (1.0 + exp(-slope)) * up;
        }
    }
}

/// Brings figures below a cap: `cap * tanh(x / cap)`.
#[inline(always)]
pub(crate) fn capped(x: f32, cap: f32) -> f32 {
    // `tanh(y) = 1 - 2 / (exp(2y) + 1)`
    cap * (1.0 - 2.0 / (exp(2.0 * x / cap) + 1.0))
}

/// Rounds to the nearest whole number, ties to even, for numbers below 2^22: adding this constant leaves the
/// whole part in the low bits. Unlike `round` it needs no call and vectorises on every processor.
#[inline(always)]
pub(crate) fn round(x: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    ((x + MAGIC).to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32)
}

/// Rotates pairs (2i, 2i + 1) of a head, as GGUF files of architecture `llama` want it.
pub(crate) fn rotate_pairs(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, cos), sin) in head.chunks_exact_mut(2).zip(cos).zip(sin) {
        let (a, b) = (pair[0], pair[1]);
        pair[0] = a * cos - b * sin;
        pair[1] = a * sin + b * cos;
    }
}

/// Rotates pairs (i, i + d/2) of a head, as `qwen2` wants it.
pub(crate) fn rotate_halves(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
        let (x, y) = (*a, *b);
        *a = x * cos - y * sin;
        *b = x * sin + y * cos;
    }
}

/// The exponential function without branches, so that loops over it vectorise. Relative error below 2e-7
/// from -87 to 88 (Cephes, `expf`); smaller arguments give about 1e-38, larger ones about 1e38.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let n = round(x * std::f32::consts::LOG2_E);
    let whole = n as f32;
    let r = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    (p * r * r + r + 1.0) * f32::from_bits(((n + 127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest() {
        assert_eq!(
            [round(-2.5), round(1.4999), round(-127.0), round(0.0)],
            [-2, 1, -127, 0]
        );
    }

    #[test]
    fn exp_is_exact_to_seven_digits() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let (ours, theirs) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(
                (ours / theirs - 1.0).abs() < 2e-7,
                "exp({x}) = {ours}, not {theirs}"
            );
        }
    }

    #[test]
    fn rotations_keep_lengths_and_differ_in_pairing() {
        let (cos, sin) = ([0.6_f32, 1.0], [0.8_f32, 0.0]);
        let mut pairs = [1.0_f32, 0.0, 2.0, 3.0];
        rotate_pairs(&mut pairs, &cos, &sin);
        assert_eq!(pairs, [0.6, 0.8, 2.0, 3.0]);
        let mut halves = [1.0_f32, 2.0, 0.0, 3.0];
        rotate_halves(&mut halves, &cos, &sin);
        assert_eq!(halves, [0.6, 2.0, 0.8, 3.0]);
    }

    #[test]
    fn norm_divides_by_the_root_of_the_mean_square() {
        let mut out = [0.0; 2];
        rms_norm(&[3.0, 4.0], &[1.0, 2.0], 0.0, &mut out);
        let rms = 12.5_f32.sqrt();
        assert!((out[0] - 3.0 / rms).abs() < 1e-6 && (out[1] - 8.0 / rms).abs() < 1e-6);
    }
}
