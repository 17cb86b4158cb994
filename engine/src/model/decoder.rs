//! The decoder-only transformer that the llama and qwen2 families share.
//!
//! One call computes a round: pieces of several sequences at once, each with its own cache, so that every
//! weight is read once per round however many sequences run.
//! Papers: LLaMA (arXiv 2302.13971), grouped queries (arXiv 2305.13245), rotary positions (arXiv 2104.09864).

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::cache::{CacheShape, KvCache};
use crate::checkpoint::{Gguf, GgufError, HeldFile, TensorBytes, TensorType};
use crate::config::Precision;
use crate::kernels::{
    Matrix, Queries, Stack, add_in_place, attend, rms_norm, rotate_halves, rotate_pairs, silu_mul,
};
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
    #[error("{reason}")]
    Tensor { reason: String },
}

impl ModelError {
    pub(crate) fn into_load_error(self, file: &std::path::Path) -> LoadError {
        match self {
            Self::Gguf(source) => LoadError::Gguf {
                file: file.to_owned(),
                source,
            },
            Self::Unsupported { what } => LoadError::UnsupportedFeature { feature: what },
            Self::Tensor { reason } => LoadError::Damaged {
                file: file.to_owned(),
                reason,
            },
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

    fn cache_shape(&self) -> CacheShape {
        CacheShape {
            layers: self.layers,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
        }
    }

    pub(crate) fn cache_bytes_per_token(&self) -> u64 {
        self.cache_shape().bytes_per_token()
    }

    fn query_rows(&self) -> usize {
        self.heads * self.head_dim
    }

    fn kv_rows(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

struct Layer {
    /// (width)
    attention_norm: Vec<f32>,
    /// queries, keys, values: (heads + 2 kv_heads) * head_dim rows of width
    qkv: Stack,
    /// one figure per row of `qkv`
    qkv_bias: Option<Vec<f32>>,
    /// (width, heads * head_dim)
    attention_out: Stack,
    /// (width)
    mlp_norm: Vec<f32>,
    /// gate, up: 2 inner rows of width
    gate_up: Stack,
    /// (width, inner)
    down: Stack,
}

/// Which logits a piece wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// None: more of the prompt follows.
    None,
    /// Those after its last token.
    Last,
    /// Those after every token.
    All,
}

/// The next tokens of one sequence.
pub(crate) struct Piece<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) cache: &'a mut KvCache,
    pub(crate) wants: Wants,
}

impl Piece<'_> {
    /// Gives the number of rows of logits it will get.
    pub(crate) fn wanted_rows(&self) -> usize {
        match self.wants {
            Wants::None => 0,
            Wants::Last => 1,
            Wants::All => self.tokens.len(),
        }
    }
}

/// The model.
pub(crate) struct Decoder {
    config: DecoderConfig,
    precision: Precision,
    /// (vocabulary, width)
    embedding: Arc<Matrix>,
    layers: Vec<Layer>,
    /// (width)
    norm: Vec<f32>,
    /// (vocabulary, width)
    output: Stack,
    /// Turns per position, for each pair of a head: (head_dim / 2).
    frequencies: Vec<f64>,
}

/// Rotations of the rows of one round: (rows, head_dim / 2) each.
struct Rotations {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Where a row of the round belongs.
#[derive(Clone, Copy)]
struct Row {
    piece: usize,
    position: usize,
}

impl Decoder {
    /// Builds the model from a checked file.
    pub(crate) fn load(
        config: DecoderConfig,
        gguf: &Gguf,
        file: &Arc<HeldFile>,
        vocabulary: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let tensors = Tensors {
            gguf,
            file,
            precision,
        };
        let (width, queries, kv) = (config.width, config.query_rows(), config.kv_rows());
        let embedding = tensors.matrix("token_embd.weight", vocabulary, width)?;
        let output = match gguf.tensors.contains_key("output.weight") {
            true => tensors.matrix("output.weight", vocabulary, width)?,
            false => Arc::clone(&embedding),
        };
        let layers = (0..config.layers)
            .map(|layer| {
                let name = |part: &str| format!("blk.{layer}.{part}");
                let matrix = |part: &str, rows, columns| tensors.matrix(&name(part), rows, columns);
                Ok(Layer {
                    attention_norm: tensors.vector(&name("attn_norm.weight"), width)?,
                    qkv: Stack::new(vec![
                        matrix("attn_q.weight", queries, width)?,
                        matrix("attn_k.weight", kv, width)?,
                        matrix("attn_v.weight", kv, width)?,
                    ]),
                    qkv_bias: tensors.biases(layer, queries, kv)?,
                    attention_out: Stack::new(vec![matrix("attn_output.weight", width, queries)?]),
                    mlp_norm: tensors.vector(&name("ffn_norm.weight"), width)?,
                    gate_up: Stack::new(vec![
                        matrix("ffn_gate.weight", config.inner, width)?,
                        matrix("ffn_up.weight", config.inner, width)?,
                    ]),
                    down: Stack::new(vec![matrix("ffn_down.weight", width, config.inner)?]),
                })
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let norm = tensors.vector("output_norm.weight", width)?;
        let frequencies = tensors.frequencies(&config)?;
        Ok(Self {
            output: Stack::new(vec![output]),
            config,
            precision,
            embedding,
            layers,
            norm,
            frequencies,
        })
    }

    /// Makes an empty cache for a new sequence.
    pub(crate) fn new_cache(&self) -> KvCache {
        KvCache::new(self.config.cache_shape())
    }

    /// Computes one round. The logits come in the order of the pieces, (wanted rows, vocabulary).
    pub(crate) fn forward(&self, pieces: &mut [Piece<'_>]) -> Vec<f32> {
        let rows = rows_of(pieces);
        let mut x = self.embed(pieces);
        let rotations = self.rotations(&rows);
        let mut round = Round::default();
        for (index, layer) in self.layers.iter().enumerate() {
            self.attention(index, layer, &rows, &rotations, pieces, &mut x, &mut round);
            self.mlp(layer, &mut x, &mut round);
        }
        for piece in pieces.iter_mut() {
            piece.cache.n_tokens += piece.tokens.len();
        }
        let wanted = self.wanted(pieces, &x);
        let mut logits = Vec::new();
        if !wanted.is_empty() {
            let normed = self.normed(&wanted, &self.norm);
            self.output.forward(&normed, self.precision, &mut logits);
        }
        logits
    }

    fn embed(&self, pieces: &mut [Piece<'_>]) -> Vec<f32> {
        let width = self.config.width;
        let n_rows: usize = pieces.iter().map(|piece| piece.tokens.len()).sum();
        let mut x = vec![0.0; n_rows * width];
        let tokens = pieces.iter().flat_map(|piece| piece.tokens);
        for (out, &token) in x.chunks_exact_mut(width).zip(tokens) {
            self.embedding.row(token as usize, out);
        }
        for piece in pieces {
            piece.cache.reserve(piece.cache.n_tokens + piece.tokens.len());
        }
        x
    }

    fn rotations(&self, rows: &[Row]) -> Rotations {
        let angles = rows.iter().flat_map(|row| {
            self.frequencies
                .iter()
                .map(move |frequency| row.position as f64 * frequency)
        });
        let (cos, sin) = angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip();
        Rotations { cos, sin }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one step, each used once")]
    fn attention(
        &self,
        index: usize,
        layer: &Layer,
        rows: &[Row],
        rotations: &Rotations,
        pieces: &mut [Piece<'_>],
        x: &mut [f32],
        round: &mut Round,
    ) {
        let normed = self.normed(x, &layer.attention_norm);
        layer.qkv.forward(&normed, self.precision, &mut round.wide);
        for (row, qkv) in round.wide.chunks_exact_mut(layer.qkv.rows).enumerate() {
            if let Some(bias) = &layer.qkv_bias {
                add_in_place(qkv, bias);
            }
            self.rotate(qkv, row, rotations);
            self.write(index, qkv, rows[row], pieces);
        }
        self.attend(index, &round.wide, rows, pieces, &mut round.attended);
        layer
            .attention_out
            .forward(&round.attended, self.precision, &mut round.narrow);
        add_in_place(x, &round.narrow);
    }

    fn rotate(&self, qkv: &mut [f32], row: usize, rotations: &Rotations) {
        let half = self.config.head_dim / 2;
        let (cos, sin) = (
            &rotations.cos[row * half..][..half],
            &rotations.sin[row * half..][..half],
        );
        let rotated = self.config.query_rows() + self.config.kv_rows();
        for head in qkv[..rotated].chunks_exact_mut(self.config.head_dim) {
            match self.config.pairing {
                Pairing::Neighbours => rotate_pairs(head, cos, sin),
                Pairing::Halves => rotate_halves(head, cos, sin),
            }
        }
    }

    fn write(&self, layer: usize, qkv: &[f32], row: Row, pieces: &mut [Piece<'_>]) {
        let (queries, kv, dim) = (
            self.config.query_rows(),
            self.config.kv_rows(),
            self.config.head_dim,
        );
        let (keys, values) = qkv[queries..].split_at(kv);
        let cache = &mut pieces[row.piece].cache;
        for (head, (key, value)) in keys.chunks_exact(dim).zip(values.chunks_exact(dim)).enumerate() {
            cache.write(layer, head, row.position, key, value);
        }
    }

    /// Computes attention. A few tokens of one sequence and one key-value head are one piece of work.
    fn attend(&self, layer: usize, qkv: &[f32], rows: &[Row], pieces: &[Piece<'_>], out: &mut Vec<f32>) {
        let kv_heads = self.config.kv_heads;
        let (stride, width) = (qkv.len() / rows.len(), self.config.query_rows());
        let group = width / kv_heads;
        let blocks = blocks_of(rows);
        let one = |scores: &mut Vec<f32>, index: usize| -> Vec<f32> {
            let (block, kv_head) = (&blocks[index / kv_heads], index % kv_heads);
            let Row { piece, position } = rows[block.start];
            let scale = 1.0 / (self.config.head_dim as f32).sqrt();
            let rows = qkv.chunks_exact(stride).skip(block.start).take(block.len());
            let vectors: Vec<f32> = rows
                .flat_map(|row| &row[kv_head * group..][..group])
                .map(|x| x * scale)
                .collect();
            let queries = Queries {
                vectors: &vectors,
                head_dim: self.config.head_dim,
                heads: group / self.config.head_dim,
                first_sees: position + 1,
            };
            let spans = pieces[piece].cache.spans(layer, kv_head, position + block.len());
            attend(queries, &spans, scores)
        };
        let n_tasks = blocks.len() * kv_heads;
        let work: usize = rows.iter().map(|row| (row.position + 1) * width).sum();
        // Waking the other threads costs about as much as this many products.
        let done: Vec<Vec<f32>> = if work < 1 << 16 {
            let mut scores = Vec::new();
            (0..n_tasks).map(|index| one(&mut scores, index)).collect()
        } else {
            (0..n_tasks).into_par_iter().map_init(Vec::new, one).collect()
        };
        out.clear();
        out.resize(rows.len() * width, 0.0);
        for (index, done) in done.iter().enumerate() {
            let (block, kv_head) = (&blocks[index / kv_heads], index % kv_heads);
            for (row, done) in block.clone().zip(done.chunks_exact(group)) {
                out[row * width + kv_head * group..][..group].copy_from_slice(done);
            }
        }
    }

    fn mlp(&self, layer: &Layer, x: &mut [f32], round: &mut Round) {
        let inner = self.config.inner;
        let normed = self.normed(x, &layer.mlp_norm);
        layer.gate_up.forward(&normed, self.precision, &mut round.wide);
        round.gated.clear();
        round.gated.resize(round.wide.len() / 2, 0.0);
        let pairs = round
            .gated
            .par_chunks_exact_mut(inner)
            .zip(round.wide.par_chunks_exact(2 * inner));
        pairs.for_each(|(out, both)| {
            let (gate, up) = both.split_at(inner);
            silu_mul(gate, up, out);
        });
        layer
            .down
            .forward(&round.gated, self.precision, &mut round.narrow);
        add_in_place(x, &round.narrow);
    }

    fn normed(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        for (out, x) in out
            .chunks_exact_mut(weight.len())
            .zip(x.chunks_exact(weight.len()))
        {
            rms_norm(x, weight, self.config.norm_epsilon, out);
        }
        out
    }

    fn wanted(&self, pieces: &[Piece<'_>], x: &[f32]) -> Vec<f32> {
        let width = self.config.width;
        let mut wanted = Vec::new();
        let mut start = 0;
        for piece in pieces {
            let end = start + piece.tokens.len() * width;
            match piece.wants {
                Wants::None => {}
                Wants::Last => wanted.extend_from_slice(&x[end - width..end]),
                Wants::All => wanted.extend_from_slice(&x[start..end]),
            }
            start = end;
        }
        wanted
    }
}

/// Buffers of a round that every layer uses again.
#[derive(Default)]
struct Round {
    wide: Vec<f32>,
    attended: Vec<f32>,
    gated: Vec<f32>,
    narrow: Vec<f32>,
}

fn rows_of(pieces: &[Piece<'_>]) -> Vec<Row> {
    let of_piece = |(piece, part): (usize, &Piece<'_>)| {
        let start = part.cache.n_tokens;
        (0..part.tokens.len()).map(move |index| Row {
            piece,
            position: start + index,
        })
    };
    pieces.iter().enumerate().flat_map(of_piece).collect()
}

/// Tokens whose queries are computed together: enough to use each key many times while it is in the cache,
/// few enough that a prompt makes work for several threads.
const QUERY_TOKENS: usize = 16;

/// Cuts the rows of a round into blocks of neighbours of the same sequence.
fn blocks_of(rows: &[Row]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if rows[block.start].piece == row.piece && block.len() < QUERY_TOKENS => {
                block.end += 1
            }
            Some(_) | None => blocks.push(index..index + 1),
        }
    }
    blocks
}

/// Takes tensors out of a file, checking their shapes.
struct Tensors<'a> {
    gguf: &'a Gguf,
    file: &'a Arc<HeldFile>,
    precision: Precision,
}

impl Tensors<'_> {
    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Arc<Matrix>, ModelError> {
        let info = self.gguf.tensor(name, &[rows, columns])?;
        Matrix::load(name, self.file, info, self.precision)
            .map(Arc::new)
            .map_err(|error| ModelError::Tensor {
                reason: error.to_string(),
            })
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let info = self.gguf.tensor(name, &[len])?;
        if info.dtype != TensorType::F32 {
            let what = format!("the tensor {name} of type {}", info.dtype.name());
            return Err(ModelError::Unsupported { what });
        }
        let bytes = TensorBytes::new(self.file, info);
        Ok(bytes
            .as_slice()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect())
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

    /// Gives the turns per position of each pair, divided by the factors of a long-context model.
    fn frequencies(&self, config: &DecoderConfig) -> Result<Vec<f64>, ModelError> {
        let half = config.head_dim / 2;
        let factors = match self.gguf.tensors.contains_key("rope_freqs.weight") {
            true => self.vector("rope_freqs.weight", half)?,
            false => vec![1.0; half],
        };
        let frequency = |(pair, factor): (usize, f32)| {
            let exponent = -2.0 * pair as f64 / config.head_dim as f64;
            config.rope_base.powf(exponent) / f64::from(factor) / config.rope_divisor
        };
        Ok(factors.into_iter().enumerate().map(frequency).collect())
    }
}
