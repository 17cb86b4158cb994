//! The figures of a decoder as its header says them, and the tensors that follow from them.

use super::cache::CacheShape;
use super::family::Family;
use super::rope::Stretch;
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

/// A mixture of experts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Experts {
    pub(crate) count: usize,
    /// How many of them each token is given to.
    pub(crate) used: usize,
}

/// The figures of a model.
#[derive(Debug, Clone)]
pub(crate) struct DecoderConfig {
    pub(crate) family: Family,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Of the feed-forward part, or of each expert.
    pub(crate) inner: usize,
    pub(crate) experts: Option<Experts>,
    pub(crate) context: usize,
    pub(crate) norm_epsilon: f32,
    /// Elements of a head that are rotated, the first ones.
    pub(crate) rotated: usize,
    pub(crate) rope_base: f64,
    pub(crate) stretch: Stretch,
    /// Tokens that layers with a window see.
    pub(crate) window: Option<usize>,
    pub(crate) score_scale: f32,
    /// Scores and logits are brought below these, `cap * tanh(x / cap)`.
    pub(crate) score_cap: Option<f32>,
    pub(crate) logit_cap: Option<f32>,
    pub(crate) embedding_scale: f32,
    /// What attention and the feed-forward part add is multiplied with this.
    pub(crate) residual_scale: f32,
    /// Logits are multiplied with this.
    pub(crate) logit_scale: f32,
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
    /// Reads the figures that a family writes under its name.
    pub(crate) fn from_gguf(gguf: &Gguf, family: Family) -> Result<Self, ModelError> {
        let key = |name: &str| format!("{}.{name}", family.name);
        let figure = |name: &str| gguf.optional_figure(&key(name)).map(|x| x.map(|x| x as f32));
        let width = gguf.count(&key("embedding_length"), 1..1 << 20)?;
        let layers = gguf.count(&key("block_count"), 1..4096)?;
        let context = gguf.count(&key("context_length"), 1..1 << 31)?;
        let heads = gguf.count(&key("attention.head_count"), 1..4096)?;
        let kv_heads = gguf
            .optional_count(&key("attention.head_count_kv"), 1..heads + 1)?
            .unwrap_or(heads);
        let head_dim = gguf
            .optional_count(&key("attention.key_length"), 1..4096)?
            .unwrap_or(width / heads);
        let values = gguf.optional_count(&key("attention.value_length"), 1..4096)?;
        let rotated = gguf
            .optional_count(&key("rope.dimension_count"), 1..4097)?
            .unwrap_or(head_dim);
        if heads % kv_heads != 0 || head_dim == 0 || values.is_some_and(|values| values != head_dim) {
            let what = format!("{heads} heads over {kv_heads} key-value heads of {head_dim}");
            return Err(ModelError::Unsupported { what });
        }
        if rotated > head_dim || rotated % 2 != 0 {
            let what = format!("rotation of {rotated} of {head_dim} elements of a head");
            return Err(ModelError::Unsupported { what });
        }
        let experts = match gguf.optional_count(&key("expert_count"), 0..4096)? {
            None | Some(0) => None,
            Some(count) => Some(Experts {
                count,
                used: gguf.count(&key("expert_used_count"), 1..count + 1)?,
            }),
        };
        let inner = match experts {
            Some(_) => gguf.optional_count(&key("expert_feed_forward_length"), 1..1 << 22)?,
            None => None,
        };
        let inner = match inner {
            Some(inner) => inner,
            None => gguf.count(&key("feed_forward_length"), 1..1 << 22)?,
        };
        let window = match family.windows {
            Some(_) => gguf.optional_count(&key("attention.sliding_window"), 1..1 << 31)?,
            None => None,
        };
        let per_head = match family.wide_scores_at {
            Some(n) if n == layers => width / heads,
            Some(_) | None => head_dim,
        };
        let scale_of_width = if family.scales_embeddings {
            (width as f32).sqrt()
        } else {
            1.0
        };
        Ok(Self {
            width,
            layers,
            heads,
            kv_heads,
            head_dim,
            inner,
            experts,
            context,
            norm_epsilon: figure("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-5),
            rotated,
            rope_base: gguf.optional_figure(&key("rope.freq_base"))?.unwrap_or(10_000.0),
            stretch: Stretch::from_gguf(gguf, family, context)?,
            window,
            score_scale: figure("attention.scale")?.unwrap_or(1.0 / (per_head as f32).sqrt()),
            score_cap: figure("attn_logit_softcapping")?,
            logit_cap: figure("final_logit_softcapping")?,
            embedding_scale: figure("embedding_scale")?.unwrap_or(scale_of_width),
            residual_scale: figure("residual_scale")?.unwrap_or(1.0),
            logit_scale: 1.0 / figure("logit_scale")?.unwrap_or(1.0),
            family,
        })
    }

    /// The tokens that a layer sees, if not all.
    pub(super) fn window_of(&self, layer: usize) -> Option<usize> {
        let every = self.family.windows?;
        self.window.filter(|_| layer % every != every - 1)
    }

    /// Whether a layer rotates queries and keys.
    pub(super) fn rotates(&self, layer: usize) -> bool {
        self.family
            .unrotated
            .is_none_or(|every| layer % every != every - 1)
    }

    /// Looks for every tensor that the model needs, in its shape. Those of a layer are looked for in all layers.
    pub(crate) fn check_tensors(&self, gguf: &Gguf, vocabulary: usize) -> Result<(), ModelError> {
        let (width, queries) = (self.width, self.query_rows());
        gguf.tensor("token_embd.weight", &[vocabulary, width])?;
        if gguf.tensors.contains_key("output.weight") {
            gguf.tensor("output.weight", &[vocabulary, width])?;
        }
        vector_info(gguf, "output_norm.weight", width)?;
        let layer_of = |name: &String| {
            name.strip_prefix("blk.")?
                .split('.')
                .next()?
                .parse::<usize>()
                .ok()
        };
        let found = gguf
            .tensors
            .keys()
            .filter_map(layer_of)
            .max()
            .map_or(0, |last| last + 1);
        if found > self.layers {
            return Err(ModelError::Gguf(GgufError::BadValue {
                key: format!("{}.block_count", self.family.name),
                found: self.layers.to_string(),
                expected: format!("{found}, as many as the file has layers"),
            }));
        }
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            for (part, shape) in self.matrices() {
                gguf.tensor(&name(part), &shape)?;
            }
            for (part, len) in self.norms() {
                vector_info(gguf, &name(part), len)?;
            }
            if self.family.needs_biases {
                vector_info(gguf, &format!("blk.{layer}.attn_q.bias"), queries)?;
            }
        }
        Ok(())
    }

    /// The matrices of a layer with their shapes.
    fn matrices(&self) -> Vec<(&'static str, Vec<usize>)> {
        let (width, inner) = (self.width, self.inner);
        let (queries, kv) = (self.query_rows(), self.kv_rows());
        let mut all = vec![("attn_output", vec![width, queries])];
        all.extend(match self.family.joined {
            true => vec![("attn_qkv", vec![queries + 2 * kv, width])],
            false => vec![
                ("attn_q", vec![queries, width]),
                ("attn_k", vec![kv, width]),
                ("attn_v", vec![kv, width]),
            ],
        });
        all.extend(match (self.experts, self.family.joined) {
            (Some(Experts { count, .. }), _) => vec![
                ("ffn_gate_inp", vec![count, width]),
                ("ffn_gate_exps", vec![count, inner, width]),
                ("ffn_up_exps", vec![count, inner, width]),
                ("ffn_down_exps", vec![count, width, inner]),
            ],
            (None, true) => vec![
                ("ffn_up", vec![2 * inner, width]),
                ("ffn_down", vec![width, inner]),
            ],
            (None, false) => vec![
                ("ffn_gate", vec![inner, width]),
                ("ffn_up", vec![inner, width]),
                ("ffn_down", vec![width, inner]),
            ],
        });
        all
    }

    /// The norms of a layer with their lengths.
    fn norms(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let heads = [("attn_q_norm", self.head_dim), ("attn_k_norm", self.head_dim)];
        let post = [("post_attention_norm", self.width), ("post_ffw_norm", self.width)];
        let usual = [
            ("attn_norm", self.width),
            (self.family.feed_forward_norm, self.width),
        ];
        let sinks = [("attn_sinks", self.heads)]
            .into_iter()
            .filter(|_| self.family.sinks);
        let heads = heads.into_iter().filter(|_| self.family.head_norms);
        let post = post.into_iter().filter(|_| self.family.post_norms);
        usual.into_iter().chain(heads).chain(post).chain(sinks)
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
