//! The feed-forward part of a layer: one gated product, or those of a few experts that a router chooses for each token.
//!
//! Mixture of experts: Shazeer and others 2017, Mixtral (arXiv 2401.04088).

use std::sync::Arc;

use super::{Decoder, Layer, Workspace};
use crate::kernels::{Compute, Matrix, Stack, add_in_place};

/// A gated product and what follows it.
pub(super) struct Dense {
    /// gate, up: 2 inner rows of width
    gate_up: Stack,
    /// (width, inner)
    down: Stack,
    biases: Option<Biases>,
}

/// What is added to the products.
pub(super) struct Biases {
    /// (inner) each
    pub(super) gate_up: [Vec<f32>; 2],
    /// (width)
    pub(super) down: Vec<f32>,
}

impl Dense {
    pub(super) fn new(gate_up: Vec<Arc<Matrix>>, down: Vec<Arc<Matrix>>, biases: Option<Biases>) -> Self {
        Self {
            gate_up: Stack::new(gate_up),
            down: Stack::new(down),
            biases,
        }
    }

    fn gate_up_biases(&self) -> Option<&[Vec<f32>; 2]> {
        self.biases.as_ref().map(|biases| &biases.gate_up)
    }

    fn down_bias(&self) -> Option<&[f32]> {
        self.biases.as_ref().map(|biases| biases.down.as_slice())
    }
}

/// What a layer has.
pub(super) enum FeedForward {
    Dense(Dense),
    Experts {
        /// (experts, width)
        router: Stack,
        /// (experts)
        bias: Option<Vec<f32>>,
        experts: Vec<Dense>,
        /// How many of them each token is given to.
        used: usize,
    },
}

/// Memory of the choice of experts, used again.
#[derive(Debug, Default)]
pub(super) struct ExpertSpace {
    /// (rows, experts)
    scores: Vec<f32>,
    /// For each expert its rows, with the share that it has in each.
    chosen: Vec<Vec<(usize, f32)>>,
    /// (chosen rows, width)
    gathered: Vec<f32>,
    /// (chosen rows, width)
    given: Vec<f32>,
}

impl Decoder {
    pub(super) fn feed_forward(&self, compute: &Compute, layer: &Layer, space: &mut Workspace) {
        self.normed(compute, &space.x, &layer.mlp_norm, &mut space.normed);
        let post = layer.post_norms.as_ref().map(|[_, norm]| norm.as_slice());
        match &layer.feed_forward {
            FeedForward::Dense(dense) => {
                let columns = &mut space.columns[self.bits()];
                dense.gate_up.take_in(compute, &space.normed, columns);
                let activation = self.config.family.activation;
                dense.gate_up.gated(
                    compute,
                    activation,
                    dense.gate_up_biases(),
                    columns,
                    &mut space.gated,
                );
                dense.down.take_in(compute, &space.gated, columns);
                self.add(compute, &dense.down, dense.down_bias(), post, space);
            }
            FeedForward::Experts {
                router,
                bias,
                experts,
                used,
            } => {
                let columns = &mut space.columns[self.bits()];
                router.take_in(compute, &space.normed, columns);
                space.experts.scores.resize(space.rows.len() * router.rows, 0.0);
                router.multiply(compute, columns, &mut space.experts.scores);
                if let Some(bias) = bias {
                    let rows = space.experts.scores.chunks_exact_mut(bias.len());
                    rows.for_each(|row| add_in_place(row, bias));
                }
                space.experts.choose(router.rows, *used);
                self.ask(compute, experts, space);
                self.add_in(compute, post, space);
            }
        }
    }

    /// Adds up what the chosen experts give. Those of a row are added in their order, whatever other rows there are.
    fn ask(&self, compute: &Compute, experts: &[Dense], space: &mut Workspace) {
        let width = self.config.width;
        let columns = &mut space.columns[self.bits()];
        space.added.fill(0.0);
        let ExpertSpace {
            chosen,
            gathered,
            given,
            ..
        } = &mut space.experts;
        for (expert, rows) in experts.iter().zip(chosen) {
            if rows.is_empty() {
                continue;
            }
            gathered.clear();
            for (row, _) in rows.iter() {
                gathered.extend_from_slice(&space.normed[row * width..][..width]);
            }
            let gated = &mut space.gated[..rows.len() * self.config.inner];
            expert.gate_up.take_in(compute, gathered, columns);
            expert.gate_up.gated(
                compute,
                self.config.family.activation,
                expert.gate_up_biases(),
                columns,
                gated,
            );
            expert.down.take_in(compute, gated, columns);
            given.resize(rows.len() * width, 0.0);
            expert.down.multiply(compute, columns, given);
            if let Some(bias) = expert.down_bias() {
                let rows = given.chunks_exact_mut(width);
                rows.for_each(|row| add_in_place(row, bias));
            }
            for ((row, share), given) in rows.iter().zip(given.chunks_exact(width)) {
                for (sum, x) in space.added[row * width..][..width].iter_mut().zip(given) {
                    *sum += share * x;
                }
            }
        }
    }
}

impl ExpertSpace {
    /// Chooses the experts of each row by their scores, the best first and of equals the earlier; their shares make
    /// up one.
    fn choose(&mut self, n_experts: usize, used: usize) {
        self.chosen.resize_with(n_experts, Vec::new);
        self.chosen.iter_mut().for_each(Vec::clear);
        let mut order: Vec<usize> = Vec::new();
        for (row, scores) in self.scores.chunks_exact(n_experts).enumerate() {
            order.clear();
            order.extend(0..n_experts);
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let best = &order[..used.min(n_experts)];
            let top = best.first().map_or(0.0, |best| scores[*best]);
            let shares = best.iter().map(|expert| (scores[*expert] - top).exp());
            let total: f32 = shares.clone().sum();
            for (expert, share) in best.iter().zip(shares) {
                self.chosen[*expert].push((row, share / total));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_experts_are_chosen_and_share_one() {
        let mut space = ExpertSpace {
            scores: vec![0.0, 2.0, 1.0, -1.0, 5.0, 5.0, 5.0, 5.0],
            ..ExpertSpace::default()
        };
        space.choose(4, 2);
        let e = std::f32::consts::E;
        let near = |(row, share): &(usize, f32), wanted: (usize, f32)| {
            *row == wanted.0 && (share - wanted.1).abs() < 1e-6
        };
        assert!(near(&space.chosen[1][0], (0, e / (e + 1.0))));
        assert!(near(&space.chosen[2][0], (0, 1.0 / (e + 1.0))));
        // Of equals the earlier ones.
        assert!(near(&space.chosen[0][0], (1, 0.5)) && near(&space.chosen[1][1], (1, 0.5)));
        assert!(space.chosen[3].is_empty());
    }
}
