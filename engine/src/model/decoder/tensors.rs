//! From the tensors of a file to the layers of a decoder.

use std::ops::Range;
use std::sync::Arc;

use super::Layer;
use super::feed_forward::{Biases, Dense, FeedForward};
use crate::checkpoint::{Gguf, GgufError, OpenFile, TensorInfo, TensorType};
use crate::config::Precision;
use crate::kernels::{Matrix, PackError, Stack};
use crate::model::rope::{Rope, Stretch};
use crate::model::shape::{DecoderConfig, Experts, ModelError, vector_info};

/// Takes tensors out of a file, checking their shapes.
pub(super) struct Tensors<'a> {
    pub(super) gguf: &'a Gguf,
    pub(super) files: &'a [Arc<OpenFile>],
    pub(super) precision: Precision,
}

impl Tensors<'_> {
    pub(super) fn layer(&self, config: &DecoderConfig, layer: usize) -> Result<Layer, ModelError> {
        let (width, queries, kv) = (config.width, config.query_rows(), config.kv_rows());
        let name = |part: &str| format!("blk.{layer}.{part}");
        let matrix = |part: &str, rows, columns| self.matrix(&name(part), rows, columns);
        let norms = |parts: [&str; 2], len| -> Result<[Vec<f32>; 2], ModelError> {
            Ok([
                self.vector(&name(parts[0]), len)?,
                self.vector(&name(parts[1]), len)?,
            ])
        };
        let (head_norms, post_norms) = (config.family.head_norms, config.family.post_norms);
        let head_norms =
            head_norms.then(|| norms(["attn_q_norm.weight", "attn_k_norm.weight"], config.head_dim));
        let post_norms =
            post_norms.then(|| norms(["post_attention_norm.weight", "post_ffw_norm.weight"], width));
        let qkv = match config.family.joined {
            true => vec![matrix("attn_qkv.weight", queries + 2 * kv, width)?],
            false => vec![
                matrix("attn_q.weight", queries, width)?,
                matrix("attn_k.weight", kv, width)?,
                matrix("attn_v.weight", kv, width)?,
            ],
        };
        Ok(Layer {
            attention_norm: self.vector(&name("attn_norm.weight"), width)?,
            qkv: Stack::new(qkv),
            qkv_bias: self.biases(layer, queries, kv)?,
            head_norms: head_norms.transpose()?,
            attention_out: Stack::new(vec![matrix("attn_output.weight", width, queries)?]),
            attention_bias: self.optional(&name("attn_output.bias"), width)?,
            sinks: match config.family.sinks {
                true => Some(self.vector(&name("attn_sinks.weight"), config.heads)?),
                false => None,
            },
            post_norms: post_norms.transpose()?,
            mlp_norm: self.vector(
                &name(&format!("{}.weight", config.family.feed_forward_norm)),
                width,
            )?,
            feed_forward: self.feed_forward(config, layer)?,
        })
    }

    fn feed_forward(&self, config: &DecoderConfig, layer: usize) -> Result<FeedForward, ModelError> {
        let (width, inner) = (config.width, config.inner);
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        if let Some(Experts { count, used }) = config.experts {
            let part = |part: &str, expert: usize, rows: usize, columns: usize| {
                self.rows(
                    &name(part),
                    &[count, rows, columns],
                    expert * rows..(expert + 1) * rows,
                )
            };
            let expert = |index: usize| {
                let gate_up = vec![
                    part("ffn_gate_exps", index, inner, width)?,
                    part("ffn_up_exps", index, inner, width)?,
                ];
                let down = vec![part("ffn_down_exps", index, width, inner)?];
                Ok(Dense::new(
                    gate_up,
                    down,
                    self.expert_biases(config, layer, index)?,
                ))
            };
            return Ok(FeedForward::Experts {
                router: Stack::new(vec![self.matrix(&name("ffn_gate_inp"), count, width)?]),
                bias: self.optional(&format!("blk.{layer}.ffn_gate_inp.bias"), count)?,
                experts: (0..count).map(expert).collect::<Result<_, ModelError>>()?,
                used,
            });
        }
        let gate_up = match config.family.joined {
            true => vec![
                self.rows(&name("ffn_up"), &[2 * inner, width], 0..inner)?,
                self.rows(&name("ffn_up"), &[2 * inner, width], inner..2 * inner)?,
            ],
            false => vec![
                self.matrix(&name("ffn_gate"), inner, width)?,
                self.matrix(&name("ffn_up"), inner, width)?,
            ],
        };
        let down = vec![self.matrix(&name("ffn_down"), width, inner)?];
        Ok(FeedForward::Dense(Dense::new(gate_up, down, None)))
    }

    /// The biases of one expert, which lie one after the other.
    fn expert_biases(
        &self,
        config: &DecoderConfig,
        layer: usize,
        expert: usize,
    ) -> Result<Option<Biases>, ModelError> {
        let Some(Experts { count, .. }) = config.experts else {
            return Ok(None);
        };
        let name = |part: &str| format!("blk.{layer}.{part}.bias");
        if !self.gguf.tensors.contains_key(&name("ffn_up_exps")) {
            return Ok(None);
        }
        let part = |part: &str, len: usize| -> Result<Vec<f32>, ModelError> {
            let info = self.gguf.tensor(&name(part), &[count, len])?;
            let all = self.figures(&name(part), info)?;
            Ok(all[expert * len..][..len].to_vec())
        };
        Ok(Some(Biases {
            gate_up: [
                part("ffn_gate_exps", config.inner)?,
                part("ffn_up_exps", config.inner)?,
            ],
            down: part("ffn_down_exps", config.width)?,
        }))
    }

    pub(super) fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Arc<Matrix>, ModelError> {
        self.rows(name, &[rows, columns], 0..rows)
    }

    /// Packs some rows of a tensor, which has them all one after the other.
    fn rows(&self, name: &str, shape: &[usize], rows: Range<usize>) -> Result<Arc<Matrix>, ModelError> {
        let info = self.gguf.tensor(name, shape)?;
        let file = &self.files[info.part];
        let columns = shape.last().copied().unwrap_or(1);
        let all: usize = shape.iter().rev().skip(1).product();
        let row_bytes = info.range.len() / all;
        let start = (info.range.start + rows.start * row_bytes) as u64;
        let read = |range: Range<usize>, bytes: &mut Vec<u8>| {
            file.read_range(start + range.start as u64..start + range.end as u64, bytes)
        };
        let size = rows.len() * row_bytes;
        match Matrix::pack(info.dtype, self.precision, (rows.len(), columns), size, read) {
            Ok(matrix) => Ok(Arc::new(matrix)),
            Err(PackError::Read(error)) => Err(error.into()),
            Err(PackError::NotFinite) => Err(not_finite(name)),
        }
    }

    pub(super) fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        self.figures(name, vector_info(self.gguf, name, len)?)
    }

    /// A vector that not every file has.
    fn optional(&self, name: &str, len: usize) -> Result<Option<Vec<f32>>, ModelError> {
        match self.gguf.tensors.contains_key(name) {
            true => self.vector(name, len).map(Some),
            false => Ok(None),
        }
    }

    fn figures(&self, name: &str, info: &TensorInfo) -> Result<Vec<f32>, ModelError> {
        if info.dtype != TensorType::F32 {
            let what = format!("the tensor {name} of type {}", info.dtype.name());
            return Err(ModelError::Unsupported { what });
        }
        let mut bytes = Vec::new();
        self.files[info.part].read_range(info.range.start as u64..info.range.end as u64, &mut bytes)?;
        let figures = bytes.as_chunks::<4>().0.iter();
        let figures: Vec<f32> = figures.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match figures.iter().all(|x| x.is_finite()) {
            true => Ok(figures),
            false => Err(not_finite(name)),
        }
    }

    /// Gives the biases of queries, keys and values in a row, if the layer has them.
    fn biases(&self, layer: usize, queries: usize, kv: usize) -> Result<Option<Vec<f32>>, ModelError> {
        let parts = [("attn_q.bias", queries), ("attn_k.bias", kv), ("attn_v.bias", kv)];
        let name = |part: &str| format!("blk.{layer}.{part}");
        if !parts
            .iter()
            .any(|(part, _)| self.gguf.tensors.contains_key(&name(part)))
        {
            return Ok(None);
        }
        let mut bias = Vec::new();
        for (part, len) in parts {
            bias.extend(self.vector(&name(part), len)?);
        }
        Ok(Some(bias))
    }

    /// Gives the rotations of most layers, and of those with a window.
    pub(super) fn ropes(&self, config: &DecoderConfig) -> Result<[Rope; 2], ModelError> {
        let half = config.rotated / 2;
        let factors = self
            .optional("rope_freqs.weight", half)?
            .unwrap_or_else(|| vec![1.0; half]);
        let usual = Rope::new(config.rope_base, &factors, config.stretch);
        let windows = match config.family.window_rope_base {
            Some(base) => Rope::new(base, &factors, Stretch::Linear(1.0)),
            None => usual.clone(),
        };
        Ok([usual, windows])
    }
}

fn not_finite(name: &str) -> ModelError {
    ModelError::Gguf(GgufError::NotFinite {
        tensor: name.to_owned(),
    })
}
