//! The decoder-only transformer that the llama and qwen2 families share.
//!
//! One call computes a round: pieces of several sequences at once, each with its own cache, so that every
//! weight is read once per round however many sequences run.
//! Papers: LLaMA (arXiv 2302.13971), grouped queries (arXiv 2305.13245), rotary positions (arXiv 2104.09864).

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::cache::KvCache;
use super::shape::{DecoderConfig, ModelError, Pairing, vector_info};
use crate::checkpoint::{Gguf, HeldFile, TensorBytes, TensorInfo};
use crate::config::Precision;
use crate::kernels::{
    Matrix, Queries, Stack, add_in_place, attend, rms_norm, rotate_halves, rotate_pairs, silu_mul,
};

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
pub(crate) enum LogitRows {
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
    pub(crate) wants: LogitRows,
}

impl Piece<'_> {
    /// Gives the number of rows of logits it will get.
    pub(crate) fn wanted_rows(&self) -> usize {
        match self.wants {
            LogitRows::None => 0,
            LogitRows::Last => 1,
            LogitRows::All => self.tokens.len(),
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
        files: &[Arc<HeldFile>],
        vocabulary: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let tensors = Tensors {
            gguf,
            files,
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
                LogitRows::None => {}
                LogitRows::Last => wanted.extend_from_slice(&x[end - width..end]),
                LogitRows::All => wanted.extend_from_slice(&x[start..end]),
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
    files: &'a [Arc<HeldFile>],
    precision: Precision,
}

impl Tensors<'_> {
    /// Gives the file that holds a tensor; headers of parts are joined in the order of their files.
    fn file_of(&self, info: &TensorInfo) -> &Arc<HeldFile> {
        &self.files[info.part]
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Arc<Matrix>, ModelError> {
        let info = self.gguf.tensor(name, &[rows, columns])?;
        Matrix::load(name, self.file_of(info), info, self.precision)
            .map(Arc::new)
            .map_err(|error| ModelError::Tensor {
                reason: error.to_string(),
            })
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let info = vector_info(self.gguf, name, len)?;
        let bytes = TensorBytes::new(self.file_of(info), info);
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
