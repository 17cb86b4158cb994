//! The figures of a decoder as its header says them, and the tensors that follow from them.

use super::cache::CacheShape;
use crate::checkpoint::{FileError, Gguf, GgufError, TensorInfo, TensorType};
use crate::config::Precision;
use crate::kernels::{KvLayout, KvWidth};
use crate::load::LoadError;

/// Which elements of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// (2i, 2i + 1)
    Neighbours,
    /// (i, i + d/2)
    Halves,
}

/// The figures of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecoderConfig {
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) inner: usize,
    pub(crate) context: usize,
    pub(crate) norm_epsilon: f32,
    pub(crate) rope_base: f64,
    /// Positions are divided by this (linear scaling).
    pub(crate) rope_divisor: f64,
    pub(crate) pairing: Pairing,
}

/// Why a model's header does not fit its architecture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error("{what} is not supported")]
    Unsupported { what: String },
    #[error(transparent)]
    File(#[from] FileError),
}

impl ModelError {
    pub(crate) fn into_load_error(self, file: &std::path::Path) -> LoadError {
        match self {
            Self::Gguf(source) => LoadError::Gguf {
                file: file.to_owned(),
                source,
            },
            Self::Unsupported { what } => LoadError::UnsupportedFeature { feature: what },
            Self::File(error) => error.into(),
        }
    }
}

impl DecoderConfig {
    /// Reads the figures that both families write under `prefix`.
    pub(crate) fn from_gguf(gguf: &Gguf, prefix: &str, pairing: Pairing) -> Result<Self, ModelError> {
        let key = |name: &str| format!("{prefix}.{name}");
        let width = gguf.count(&key("embedding_length"), 1..1 << 20)?;
        let heads = gguf.count(&key("attention.head_count"), 1..4096)?;
        let kv_heads = gguf
            .optional_count(&key("attention.head_count_kv"), 1..heads + 1)?
            .unwrap_or(heads);
        let head_dim = gguf
            .optional_count(&key("attention.key_length"), 1..4096)?
            .unwrap_or(width / heads);
        let rotated = gguf
            .optional_count(&key("rope.dimension_count"), 1..4097)?
            .unwrap_or(head_dim);
        if heads % kv_heads != 0 || head_dim == 0 || head_dim % 2 != 0 {
            let what = format!("{heads} heads over {kv_heads} key-value heads of {head_dim}");
            return Err(ModelError::Unsupported { what });
        }
        if rotated != head_dim {
            let what = format!("rotation of {rotated} of {head_dim} elements of a head");
            return Err(ModelError::Unsupported { what });
        }
        if gguf
            .optional_count(&key("expert_count"), 0..4096)?
            .is_some_and(|n| n > 0)
        {
            return Err(ModelError::Unsupported {
                what: "a mixture of experts".to_owned(),
            });
        }
        let rope_divisor = match gguf.optional_text(&key("rope.scaling.type")) {
            None | Some("none") => 1.0,
            Some("linear") => gguf.optional_figure(&key("rope.scaling.factor"))?.unwrap_or(1.0),
            Some(other) => {
                return Err(ModelError::Unsupported {
                    what: format!("position scaling of type {other:?}"),
                });
            }
        };
        Ok(Self {
            width,
            layers: gguf.count(&key("block_count"), 1..4096)?,
            heads,
            kv_heads,
            head_dim,
            inner: gguf.count(&key("feed_forward_length"), 1..1 << 22)?,
            context: gguf.count(&key("context_length"), 1..1 << 31)?,
            norm_epsilon: gguf
                .optional_figure(&key("attention.layer_norm_rms_epsilon"))?
                .unwrap_or(1e-5) as f32,
            rope_base: gguf.optional_figure(&key("rope.freq_base"))?.unwrap_or(10_000.0),
            rope_divisor,
            pairing,
        })
    }

    /// Looks for every tensor that the model needs, in its shape. Those of a layer are looked for in all layers.
    pub(crate) fn check_tensors(&self, gguf: &Gguf, vocabulary: usize) -> Result<(), ModelError> {
        let (width, queries, kv) = (self.width, self.query_rows(), self.kv_rows());
        gguf.tensor("token_embd.weight", &[vocabulary, width])?;
        if gguf.tensors.contains_key("output.weight") {
            gguf.tensor("output.weight", &[vocabulary, width])?;
        }
        vector_info(gguf, "output_norm.weight", width)?;
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            for (part, rows, columns) in [
                ("attn_q", queries, width),
                ("attn_k", kv, width),
                ("attn_v", kv, width),
                ("attn_output", width, queries),
                ("ffn_gate", self.inner, width),
                ("ffn_up", self.inner, width),
                ("ffn_down", width, self.inner),
            ] {
                gguf.tensor(&name(part), &[rows, columns])?;
            }
            vector_info(gguf, &name("attn_norm"), width)?;
            vector_info(gguf, &name("ffn_norm"), width)?;
        }
        Ok(())
    }

    pub(super) fn cache_shape(&self, precision: Precision) -> CacheShape {
        let width = match precision {
            Precision::Fast => KvWidth::F16,
            Precision::Exact => KvWidth::F32,
        };
        CacheShape {
            layers: self.layers,
            kv_heads: self.kv_heads,
            layout: KvLayout {
                head_dim: self.head_dim,
                width,
            },
        }
    }

    pub(crate) fn cache_bytes_per_token(&self, precision: Precision) -> u64 {
        self.cache_shape(precision).bytes_per_token()
    }

    pub(super) fn query_rows(&self) -> usize {
        self.heads * self.head_dim
    }

    pub(super) fn kv_rows(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Gives a tensor of one dimension, which is always kept in full precision.
pub(super) fn vector_info<'a>(gguf: &'a Gguf, name: &str, len: usize) -> Result<&'a TensorInfo, ModelError> {
    let info = gguf.tensor(name, &[len])?;
    if info.dtype == TensorType::F32 {
        return Ok(info);
    }
    let what = format!("the tensor {name} of type {}", info.dtype.name());
    Err(ModelError::Unsupported { what })
}
