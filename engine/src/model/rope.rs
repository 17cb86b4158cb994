//! Rotary positions (arXiv 2104.09864) and how they are stretched over longer contexts.

use super::family::Family;
use super::shape::ModelError;
use crate::checkpoint::Gguf;

/// How positions beyond those of the training are met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stretch {
    /// Positions are divided by this.
    Linear(f64),
    /// YaRN (arXiv 2309.00071).
    Yarn {
        factor: f64,
        /// Tokens of the contexts of the training.
        original: f64,
        /// Turns within them above which a pair stays as it is, and below which it is stretched whole.
        fast: f64,
        slow: f64,
        /// Of what is rotated, on top of what the factor asks for.
        amplitude: f64,
    },
}

impl Stretch {
    /// Reads what a file says under the name of its family.
    pub(crate) fn from_gguf(gguf: &Gguf, family: Family, context: usize) -> Result<Self, ModelError> {
        let key = |name: &str| format!("{}.rope.scaling.{name}", family.name);
        let figure = |name: &str, usual: f64| -> Result<f64, ModelError> {
            Ok(gguf.optional_figure(&key(name))?.unwrap_or(usual))
        };
        match gguf.optional_text(&key("type")) {
            None | Some("none") => Ok(Self::Linear(1.0)),
            Some("linear") => Ok(Self::Linear(figure("factor", 1.0)?)),
            Some("yarn") => {
                let original = gguf.optional_count(&key("original_context_length"), 1..1 << 31)?;
                Ok(Self::Yarn {
                    factor: figure("factor", 1.0)?,
                    original: original.unwrap_or(context) as f64,
                    fast: figure("yarn_beta_fast", 32.0)?,
                    slow: figure("yarn_beta_slow", 1.0)?,
                    amplitude: figure("attn_factor", 1.0)?,
                })
            }
            Some(other) => Err(ModelError::Unsupported {
                what: format!("position scaling of type {other:?}"),
            }),
        }
    }
}

/// The turns of each pair of elements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rope {
    /// Radians per position.
    pub(crate) frequencies: Vec<f64>,
    /// What is rotated is multiplied with this.
    pub(crate) amplitude: f64,
}

impl Rope {
    /// Of `2 * factors.len()` elements; `factors` slow each pair down.
    pub(crate) fn new(base: f64, factors: &[f32], stretch: Stretch) -> Self {
        let rotated = 2 * factors.len();
        let plain = |pair: usize| {
            let frequency = base.powf(-2.0 * pair as f64 / rotated as f64);
            frequency / f64::from(factors[pair])
        };
        match stretch {
            Stretch::Linear(divisor) => Self {
                frequencies: (0..factors.len()).map(|pair| plain(pair) / divisor).collect(),
                amplitude: 1.0,
            },
            Stretch::Yarn {
                factor,
                original,
                fast,
                slow,
                amplitude,
            } => {
                // The pair that turns so often within the contexts of the training.
                let pair_of = |turns: f64| {
                    let turns = (original / (turns * std::f64::consts::TAU)).ln();
                    rotated as f64 * turns / (2.0 * base.ln())
                };
                let low = pair_of(fast).floor().max(0.0);
                let high = pair_of(slow).ceil().min(rotated as f64 - 1.0);
                let frequency = |pair: usize| {
                    let ramp = (pair as f64 - low) / (high - low).max(0.001);
                    let kept = 1.0 - ramp.clamp(0.0, 1.0);
                    plain(pair) * (kept + (1.0 - kept) / factor)
                };
                Self {
                    frequencies: (0..factors.len()).map(frequency).collect(),
                    amplitude: amplitude * (1.0 + 0.1 * factor.ln()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_pairs_stay_and_slow_ones_are_stretched() {
        let factors = [1.0; 32];
        let plain = Rope::new(10_000.0, &factors, Stretch::Linear(1.0));
        let half = Rope::new(10_000.0, &factors, Stretch::Linear(2.0));
        let yarn = Stretch::Yarn {
            factor: 4.0,
            original: 4096.0,
            fast: 32.0,
            slow: 1.0,
            amplitude: 1.0,
        };
        let yarn = Rope::new(10_000.0, &factors, yarn);
        assert_eq!(half.frequencies[7], plain.frequencies[7] / 2.0);
        assert_eq!(yarn.frequencies[0], plain.frequencies[0]);
        assert_eq!(yarn.frequencies[31], plain.frequencies[31] / 4.0);
        assert!((yarn.amplitude - 1.138_629).abs() < 1e-6);
    }
}
