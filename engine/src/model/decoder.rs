//! The decoder-only transformer that all families of decoders share.
//!
//! One call computes a round: pieces of several sequences at once, each with its own cache, so that every
//! weight is read once per round however many sequences run.
//! Papers: LLaMA (arXiv 2302.13971), grouped queries (arXiv 2305.13245), rotary positions (arXiv 2104.09864).

mod feed_forward;
mod tensors;

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cache::KvCache;
use super::rope::Rope;
use super::shape::{DecoderConfig, ModelError, Pairing};
use crate::checkpoint::{Gguf, OpenFile};
use crate::config::Precision;
use feed_forward::{ExpertSpace, FeedForward};
use tensors::Tensors;

use crate::kernels::{
    Attention, CodeBits, Columns, Compute, Cut, KvSpan, Matrix, Queries, Scratch, Stack, add_in_place,
    attend, capped, rms_norm, rms_norm_in_place, rotate_halves, rotate_pairs,
};

struct Layer {
    /// (width)
    attention_norm: Vec<f32>,
    /// queries, keys, values: (heads + 2 kv_heads) * head_dim rows of width
    qkv: Stack,
    /// one figure per row of `qkv`
    qkv_bias: Option<Vec<f32>>,
    /// Norms of each head of queries and of keys: (head_dim)
    head_norms: Option<[Vec<f32>; 2]>,
    /// A score of each head that stands for no token.
    sinks: Option<Vec<f32>>,
    /// (width, heads * head_dim)
    attention_out: Stack,
    /// (width)
    attention_bias: Option<Vec<f32>>,
    /// Norms of what attention and the feed-forward part give: (width)
    post_norms: Option<[Vec<f32>; 2]>,
    /// (width)
    mlp_norm: Vec<f32>,
    feed_forward: FeedForward,
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
    /// The rotations in most layers, and in those with a window.
    ropes: [Rope; 2],
}

/// Memory that every round uses again.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Activations as the products take them, for each number of bits.
    columns: [Columns; 2],
    rows: Vec<Row>,
    blocks: Vec<Range<usize>>,
    /// In most layers, and in those with a window.
    turns: [Turns; 2],
    /// (rows, width)
    x: Vec<f32>,
    normed: Vec<f32>,
    /// (rows, heads of queries, keys and values)
    qkv: Vec<f32>,
    /// (rows, heads)
    attended: Vec<f32>,
    /// (rows, inner)
    gated: Vec<f32>,
    /// (rows, width)
    added: Vec<f32>,
    experts: ExpertSpace,
    /// One for each thread.
    scratch: Vec<Mutex<TaskScratch>>,
}

/// Rotations of the rows of a round: (rows, rotated / 2) each.
#[derive(Debug, Default)]
struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// What a thread needs to attend.
#[derive(Debug, Default)]
struct TaskScratch {
    queries: Vec<f32>,
    out: Vec<f32>,
    attention: Scratch,
}

impl Workspace {
    pub(crate) fn new(compute: &Compute) -> Self {
        Self {
            columns: [Columns::new(CodeBits::Eight), Columns::new(CodeBits::Sixteen)],
            rows: Vec::new(),
            blocks: Vec::new(),
            turns: Default::default(),
            x: Vec::new(),
            normed: Vec::new(),
            qkv: Vec::new(),
            attended: Vec::new(),
            gated: Vec::new(),
            added: Vec::new(),
            experts: ExpertSpace::default(),
            scratch: (0..compute.pool.threads()).map(|_| Mutex::default()).collect(),
        }
    }
}

/// Where a row of the round belongs.
#[derive(Debug, Clone, Copy)]
struct Row {
    piece: usize,
    position: usize,
}

impl Decoder {
    /// Builds the model from a checked file.
    pub(crate) fn load(
        config: DecoderConfig,
        gguf: &Gguf,
        files: &[Arc<OpenFile>],
        vocabulary: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let tensors = Tensors {
            gguf,
            files,
            precision,
        };
        let width = config.width;
        let embedding = tensors.matrix("token_embd.weight", vocabulary, width)?;
        let output = match gguf.tensors.contains_key("output.weight") {
            true => tensors.matrix("output.weight", vocabulary, width)?,
            false => Arc::clone(&embedding),
        };
        let layers = (0..config.layers).map(|layer| tensors.layer(&config, layer));
        let layers = layers.collect::<Result<Vec<_>, ModelError>>()?;
        let norm = tensors.vector("output_norm.weight", width)?;
        let ropes = tensors.ropes(&config)?;
        Ok(Self {
            output: Stack::new(vec![output]),
            config,
            precision,
            embedding,
            layers,
            norm,
            ropes,
        })
    }

    /// Makes an empty cache for a new sequence.
    pub(crate) fn new_cache(&self) -> KvCache {
        KvCache::new(self.config.cache_shape(self.precision))
    }

    /// Computes one round. The logits come in the order of the pieces, (wanted rows, vocabulary).
    pub(crate) fn forward(
        &self,
        compute: &Compute,
        space: &mut Workspace,
        pieces: &mut [Piece<'_>],
    ) -> Vec<f32> {
        self.begin(space, pieces);
        for (index, layer) in self.layers.iter().enumerate() {
            self.attention(compute, index, layer, pieces, space);
            self.feed_forward(compute, layer, space);
        }
        for piece in pieces.iter_mut() {
            piece.cache.n_tokens += piece.tokens.len();
        }
        let wanted = self.wanted(pieces, &space.x);
        let mut logits = vec![0.0; wanted.len() / self.config.width * self.output.rows];
        if !wanted.is_empty() {
            let columns = &mut space.columns[self.bits()];
            self.normed(compute, &wanted, &self.norm, &mut space.normed);
            self.output.take_in(compute, &space.normed, columns);
            self.output.multiply(compute, columns, &mut logits);
        }
        for logit in &mut logits {
            *logit *= self.config.logit_scale;
            if let Some(cap) = self.config.logit_cap {
                *logit = capped(*logit, cap);
            }
        }
        logits
    }

    /// Which of the columns it uses.
    fn bits(&self) -> usize {
        usize::from(self.config.width < SIXTEEN_BITS_BELOW)
    }

    /// Makes room in caches and workspace, and puts the tokens' embeddings there.
    fn begin(&self, space: &mut Workspace, pieces: &mut [Piece<'_>]) {
        space.rows.clear();
        for (index, piece) in pieces.iter_mut().enumerate() {
            let start = piece.cache.n_tokens;
            space.rows.extend((0..piece.tokens.len()).map(|token| Row {
                piece: index,
                position: start + token,
            }));
            piece.cache.reserve(start + piece.tokens.len());
        }
        cut_into_blocks(&space.rows, &mut space.blocks);
        let n = space.rows.len();
        let width = self.config.width;
        space.x.resize(n * width, 0.0);
        let tokens = pieces.iter().flat_map(|piece| piece.tokens);
        for (out, &token) in space.x.chunks_exact_mut(width).zip(tokens) {
            self.embedding.row(token as usize, out);
            out.iter_mut().for_each(|x| *x *= self.config.embedding_scale);
        }
        for (turns, rope) in space.turns.iter_mut().zip(&self.ropes) {
            turns.cos.clear();
            turns.sin.clear();
            for row in &space.rows {
                for frequency in &rope.frequencies {
                    let (sin, cos) = (row.position as f64 * frequency).sin_cos();
                    turns.cos.push((cos * rope.amplitude) as f32);
                    turns.sin.push((sin * rope.amplitude) as f32);
                }
            }
        }
        space
            .qkv
            .resize(n * (self.config.query_rows() + 2 * self.config.kv_rows()), 0.0);
        space.attended.resize(n * self.config.query_rows(), 0.0);
        space.gated.resize(n * self.config.inner, 0.0);
        space.added.resize(n * width, 0.0);
    }

    fn attention(
        &self,
        compute: &Compute,
        index: usize,
        layer: &Layer,
        pieces: &mut [Piece<'_>],
        space: &mut Workspace,
    ) {
        let bits = self.bits();
        self.normed(compute, &space.x, &layer.attention_norm, &mut space.normed);
        layer
            .qkv
            .take_in(compute, &space.normed, &mut space.columns[bits]);
        layer.qkv.multiply(compute, &space.columns[bits], &mut space.qkv);
        let half = self.config.rotated / 2;
        let turns = &space.turns[usize::from(self.config.window_of(index).is_some())];
        let (stride, rows) = (layer.qkv.rows, &space.rows);
        compute
            .pool
            .pieces(&mut space.qkv, stride * ROWS_OF_A_TASK, |task, qkv| {
                for (row, qkv) in qkv.chunks_exact_mut(stride).enumerate() {
                    let at = (task * ROWS_OF_A_TASK + row) * half;
                    if let Some(bias) = &layer.qkv_bias {
                        add_in_place(qkv, bias);
                    }
                    if let Some(norms) = &layer.head_norms {
                        self.norm_heads(qkv, norms);
                    }
                    if self.config.rotates(index) {
                        self.rotate(qkv, &turns.cos[at..at + half], &turns.sin[at..at + half]);
                    }
                }
            });
        for (qkv, row) in space.qkv.chunks_exact(stride).zip(rows) {
            self.write(index, qkv, *row, pieces);
        }
        self.attend(compute, index, layer.sinks.as_deref(), pieces, space);
        layer
            .attention_out
            .take_in(compute, &space.attended, &mut space.columns[bits]);
        let post = layer.post_norms.as_ref().map(|[norm, _]| norm.as_slice());
        self.add(
            compute,
            &layer.attention_out,
            layer.attention_bias.as_deref(),
            post,
            space,
        );
    }

    /// Adds what the last product of a part gives, through its norm if it has one.
    fn add(
        &self,
        compute: &Compute,
        stack: &Stack,
        bias: Option<&[f32]>,
        norm: Option<&[f32]>,
        space: &mut Workspace,
    ) {
        let columns = &space.columns[self.bits()];
        if bias.is_none() && norm.is_none() && self.config.residual_scale == 1.0 {
            return stack.multiply_add(compute, columns, &mut space.x);
        }
        stack.multiply(compute, columns, &mut space.added);
        if let Some(bias) = bias {
            let rows = space.added.chunks_exact_mut(bias.len());
            rows.for_each(|row| add_in_place(row, bias));
        }
        self.add_in(compute, norm, space);
    }

    /// Adds what was added up, through its norm if it has one.
    fn add_in(&self, compute: &Compute, norm: Option<&[f32]>, space: &mut Workspace) {
        let added = match norm {
            Some(norm) => {
                self.normed(compute, &space.added, norm, &mut space.normed);
                &space.normed
            }
            None => &space.added,
        };
        for (x, added) in space.x.iter_mut().zip(added) {
            *x += added * self.config.residual_scale;
        }
    }

    fn norm_heads(&self, qkv: &mut [f32], [queries, keys]: &[Vec<f32>; 2]) {
        let (dim, n_queries) = (self.config.head_dim, self.config.query_rows());
        let (all_queries, rest) = qkv.split_at_mut(n_queries);
        let all_keys = &mut rest[..self.config.kv_rows()];
        for (heads, norm) in [(all_queries, queries), (all_keys, keys)] {
            for head in heads.chunks_exact_mut(dim) {
                rms_norm_in_place(head, norm, self.config.norm_epsilon);
            }
        }
    }

    fn rotate(&self, qkv: &mut [f32], cos: &[f32], sin: &[f32]) {
        let heads = self.config.query_rows() + self.config.kv_rows();
        for head in qkv[..heads].chunks_exact_mut(self.config.head_dim) {
            let head = &mut head[..self.config.rotated];
            match self.config.family.pairing {
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
    fn attend(
        &self,
        compute: &Compute,
        layer: usize,
        sinks: Option<&[f32]>,
        pieces: &[Piece<'_>],
        space: &mut Workspace,
    ) {
        let (kv_heads, dim) = (self.config.kv_heads, self.config.head_dim);
        let (stride, width) = (
            self.config.query_rows() + 2 * self.config.kv_rows(),
            self.config.query_rows(),
        );
        let group = width / kv_heads;
        let layout = self.config.cache_shape(self.precision).layout;
        let (blocks, rows, qkv) = (&space.blocks, &space.rows, &space.qkv);
        let (out, scratch) = (Cut::new(&mut space.attended, width), &space.scratch);
        let (scale, window) = (self.config.score_scale, self.config.window_of(layer));
        let one = |index: usize, own: &mut TaskScratch| {
            let (block, kv_head) = (&blocks[index / kv_heads], index % kv_heads);
            let Row { piece, position } = rows[block.start];
            own.queries.clear();
            for row in block.clone() {
                let queries = &qkv[row * stride + kv_head * group..][..group];
                own.queries.extend(queries.iter().map(|x| x * scale));
            }
            own.out.resize(own.queries.len(), 0.0);
            let spans: Vec<KvSpan<'_>> = pieces[piece]
                .cache
                .spans(layer, kv_head, position + block.len())
                .collect();
            let task = Attention {
                layout,
                queries: Queries {
                    vectors: &own.queries,
                    heads: group / dim,
                    first_sees: position + 1,
                    window,
                    cap: self.config.score_cap,
                    sinks: sinks.map(|all| &all[kv_head * (group / dim)..][..group / dim]),
                },
                spans: &spans,
            };
            attend(compute.level, task, &mut own.attention, &mut own.out);
            for (row, done) in block.clone().zip(own.out.chunks_exact(group)) {
                // SAFETY: `attended` is borrowed by this call, and these heads of this row are computed once.
                #[allow(unsafe_code, reason = "threads write disjoint heads of the same rows")]
                let place = unsafe { out.part_of(row, kv_head * group, group) };
                place.copy_from_slice(done);
            }
        };
        compute.pool.each_with(blocks.len() * kv_heads, scratch, one);
    }

    fn normed(&self, compute: &Compute, x: &[f32], weight: &[f32], out: &mut Vec<f32>) {
        out.resize(x.len(), 0.0);
        let width = weight.len();
        compute.pool.pieces(out, width * ROWS_OF_A_TASK, |index, out| {
            let x = &x[index * width * ROWS_OF_A_TASK..];
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                rms_norm(x, weight, self.config.norm_epsilon, out);
            }
        });
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

/// Models narrower than this compute with 16 bits: they have the least to lose and the most to gain.
const SIXTEEN_BITS_BELOW: usize = 768;
/// Rows whose norms one thread computes at a time.
const ROWS_OF_A_TASK: usize = 8;

/// Tokens whose queries are computed together: enough to use each key many times while it is in the cache,
/// few enough that a prompt makes work for several threads.
const QUERY_TOKENS: usize = 16;

/// Cuts the rows of a round into blocks of neighbours of the same sequence.
fn cut_into_blocks(rows: &[Row], blocks: &mut Vec<Range<usize>>) {
    blocks.clear();
    for (index, row) in rows.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if rows[block.start].piece == row.piece && block.len() < QUERY_TOKENS => {
                block.end += 1
            }
            Some(_) | None => blocks.push(index..index + 1),
        }
    }
}
