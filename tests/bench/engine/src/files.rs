//! Model files of random weights in the shapes that people run: what they say is noise, how long it takes is real.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use half::f16;
use hearth_engine::testing::GgufWriter;

/// A shape of the qwen2 family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    layers: u32,
    width: usize,
    inner: usize,
    heads: usize,
    kv_heads: usize,
    tied: bool,
}

pub(crate) const SHAPES: [Shape; 3] = [
    Shape {
        name: "0.5B",
        layers: 24,
        width: 896,
        inner: 4864,
        heads: 14,
        kv_heads: 2,
        tied: true,
    },
    Shape {
        name: "1.5B",
        layers: 28,
        width: 1536,
        inner: 8960,
        heads: 12,
        kv_heads: 2,
        tied: true,
    },
    Shape {
        name: "7B",
        layers: 28,
        width: 3584,
        inner: 18_944,
        heads: 28,
        kv_heads: 4,
        tied: false,
    },
];

const VOCABULARY: usize = 151_936;

/// A type of tensors: number in files, weights and bytes of a block, where its steps are.
#[derive(Debug, Clone, Copy)]
struct Type {
    id: u32,
    weights: usize,
    bytes: usize,
    /// Where the figures of 16 bits are that steps are multiplied with.
    steps: &'static [usize],
    /// What a step is, so that weights are of the usual size.
    step: f32,
}

const F16: Type = Type {
    id: 1,
    weights: 1,
    bytes: 2,
    steps: &[0],
    step: 0.0,
};
const Q8_0: Type = Type {
    id: 8,
    weights: 32,
    bytes: 34,
    steps: &[0],
    step: 0.0004,
};
const Q5_0: Type = Type {
    id: 6,
    weights: 32,
    bytes: 22,
    steps: &[0],
    step: 0.003,
};
const Q4_K: Type = Type {
    id: 12,
    weights: 256,
    bytes: 144,
    steps: &[0, 2],
    step: 0.0001,
};
const Q6_K: Type = Type {
    id: 14,
    weights: 256,
    bytes: 210,
    steps: &[208],
    step: 0.00003,
};

/// The type of a tensor in a file of a usual mixture.
fn type_of(mixture: &str, part: &str, layer: u32, columns: usize) -> Type {
    match mixture {
        "F16" => F16,
        "Q8_0" => Q8_0,
        // As the usual tool mixes: the output and some of the values and the last matrices get more bits, and rows
        // that are no whole blocks of 256 get another type.
        _ => match part {
            "token_embd" | "output" if columns.is_multiple_of(256) => Q6_K,
            "attn_v" | "ffn_down" if layer.is_multiple_of(2) && columns.is_multiple_of(256) => Q6_K,
            "token_embd" | "output" => Q8_0,
            "attn_v" | "ffn_down" if layer.is_multiple_of(2) => Q8_0,
            _ if columns.is_multiple_of(256) => Q4_K,
            _ => Q5_0,
        },
    }
}

/// Bytes of random blocks.
fn blocks(of: Type, n_weights: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = vec![0; n_weights / of.weights * of.bytes];
    for eight in bytes.chunks_mut(8) {
        eight.copy_from_slice(&next().to_le_bytes()[..eight.len()]);
    }
    for block in bytes.chunks_exact_mut(of.bytes) {
        for at in of.steps {
            let step = if of.weights == 1 {
                (f32::from(block[0]) - 127.5) / 4000.0
            } else {
                of.step
            };
            block[*at..*at + 2].copy_from_slice(&f16::from_f32(step).to_le_bytes());
        }
    }
    bytes
}

/// Writes a file into `folder`, if it is not there.
pub(crate) fn make(folder: &Path, shape: Shape, mixture: &str) -> Result<PathBuf> {
    let path = folder.join(format!("random-{}-{mixture}.gguf", shape.name));
    if path.exists() {
        return Ok(path);
    }
    let (width, kv) = (shape.width, shape.width / shape.heads * shape.kv_heads);
    let mut gguf = header(shape);
    let mut seed = 0;
    let mut matrix = |gguf: GgufWriter, name: &str, part: &str, layer: u32, rows: usize, columns: usize| {
        seed += 1;
        let of = type_of(mixture, part, layer, columns);
        let bytes = blocks(of, rows * columns, seed);
        gguf.raw_tensor(&format!("{name}.weight"), &[rows, columns], of.id, bytes)
    };
    gguf = matrix(gguf, "token_embd", "token_embd", 0, VOCABULARY, width);
    if !shape.tied {
        gguf = matrix(gguf, "output", "output", 0, VOCABULARY, width);
    }
    let vector = |gguf: GgufWriter, name: String, len: usize, x: f32| {
        let bytes = x.to_le_bytes().repeat(len);
        gguf.raw_tensor(&name, &[len], 0, bytes)
    };
    gguf = vector(gguf, "output_norm.weight".to_owned(), width, 1.0);
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for (part, rows, columns) in [
            ("attn_q", width, width),
            ("attn_k", kv, width),
            ("attn_v", kv, width),
            ("attn_output", width, width),
            ("ffn_gate", shape.inner, width),
            ("ffn_up", shape.inner, width),
            ("ffn_down", width, shape.inner),
        ] {
            gguf = matrix(gguf, &name(part), part, layer, rows, columns);
        }
        for (part, len) in [("attn_q", width), ("attn_k", kv), ("attn_v", kv)] {
            gguf = vector(gguf, format!("{}.bias", name(part)), len, 0.01);
        }
        for part in ["attn_norm", "ffn_norm"] {
            gguf = vector(gguf, format!("{}.weight", name(part)), width, 1.0);
        }
    }
    std::fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, gguf.bytes()).context("no room for a model file")?;
    std::fs::rename(&unfinished, &path)?;
    Ok(path)
}

fn header(shape: Shape) -> GgufWriter {
    let mut tokens: Vec<String> = (0..VOCABULARY).map(|id| format!("t{id}")).collect();
    // The parts of the only merge.
    (tokens[3], tokens[4]) = ("t".to_owned(), "0".to_owned());
    GgufWriter::default()
        .text("general.architecture", "qwen2")
        .text(
            "general.name",
            &format!("random weights, shaped as {}", shape.name),
        )
        .number("qwen2.block_count", shape.layers)
        .number("qwen2.context_length", 32_768)
        .number("qwen2.embedding_length", shape.width as u32)
        .number("qwen2.feed_forward_length", shape.inner as u32)
        .number("qwen2.attention.head_count", shape.heads as u32)
        .number("qwen2.attention.head_count_kv", shape.kv_heads as u32)
        .figure("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
        .figure("qwen2.rope.freq_base", 1_000_000.0)
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "qwen2")
        .texts("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.token_type", &vec![1; VOCABULARY])
        .texts("tokenizer.ggml.merges", &["t 0".to_owned()])
        .number("tokenizer.ggml.bos_token_id", 1)
        .number("tokenizer.ggml.eos_token_id", 2)
}
