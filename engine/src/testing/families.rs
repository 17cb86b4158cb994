//! A tiny model of each family, with everything that distinguishes it.

use super::{CHAT_TEMPLATE, GgufWriter, WriteType, noise, vocabulary, with_vocabulary};

const WIDTH: usize = 64;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const INNER: usize = 96;

/// What a family's file has beside the usual.
struct Extras {
    layers: u32,
    head_dim: usize,
    biases: bool,
    joined: bool,
    head_norms: bool,
    post_norms: bool,
    tied: bool,
    /// How many experts there are, of which two are used.
    experts: usize,
    /// A score per head that stands for no token, and biases everywhere.
    sinks: bool,
    numbers: &'static [(&'static str, u32)],
    figures: &'static [(&'static str, f32)],
}

const PLAIN: Extras = Extras {
    layers: 2,
    head_dim: 16,
    biases: false,
    joined: false,
    head_norms: false,
    post_norms: false,
    tied: false,
    experts: 0,
    sinks: false,
    numbers: &[],
    figures: &[],
};

fn extras(family: &str) -> Extras {
    match family {
        "qwen2" => Extras {
            biases: true,
            ..PLAIN
        },
        "qwen3" => Extras {
            head_dim: 24,
            head_norms: true,
            numbers: &[("attention.key_length", 24), ("attention.value_length", 24)],
            ..PLAIN
        },
        "gemma2" => Extras {
            layers: 4,
            head_dim: 32,
            post_norms: true,
            tied: true,
            numbers: &[
                ("attention.key_length", 32),
                ("attention.value_length", 32),
                ("attention.sliding_window", 8),
            ],
            figures: &[("attn_logit_softcapping", 5.0), ("final_logit_softcapping", 3.0)],
            ..PLAIN
        },
        "gemma3" => Extras {
            layers: 7,
            head_dim: 32,
            head_norms: true,
            post_norms: true,
            tied: true,
            numbers: &[
                ("attention.key_length", 32),
                ("attention.value_length", 32),
                ("attention.sliding_window", 8),
            ],
            figures: &[("rope.freq_base", 1_000_000.0), ("rope.scaling.factor", 8.0)],
            ..PLAIN
        },
        "phi3" => Extras {
            joined: true,
            numbers: &[
                ("rope.dimension_count", 12),
                ("rope.scaling.original_context_length", 512),
            ],
            ..PLAIN
        },
        "granite" => Extras {
            figures: &[
                ("embedding_scale", 6.0),
                ("attention.scale", 0.5),
                ("residual_scale", 0.22),
                ("logit_scale", 4.0),
            ],
            ..PLAIN
        },
        "smollm3" => Extras { layers: 5, ..PLAIN },
        _ => with_experts(family),
    }
}

fn with_experts(family: &str) -> Extras {
    match family {
        "mixtral" => Extras {
            experts: 4,
            numbers: &[("expert_count", 4), ("expert_used_count", 2)],
            ..PLAIN
        },
        "qwen3moe" => Extras {
            head_norms: true,
            experts: 5,
            numbers: &[
                ("expert_count", 5),
                ("expert_used_count", 2),
                ("expert_feed_forward_length", INNER as u32),
            ],
            ..PLAIN
        },
        "gpt-oss" => Extras {
            layers: 3,
            biases: true,
            experts: 4,
            sinks: true,
            numbers: &[
                ("expert_count", 4),
                ("expert_used_count", 2),
                ("expert_feed_forward_length", INNER as u32),
                ("attention.sliding_window", 8),
                ("rope.scaling.original_context_length", 64),
            ],
            figures: &[("rope.scaling.factor", 8.0)],
            ..PLAIN
        },
        _ => PLAIN,
    }
}

/// All that [`family_gguf`] knows.
pub const FAMILIES: [&str; 11] = [
    "llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "granite", "smollm3", "mixtral", "qwen3moe",
    "gpt-oss",
];

/// Gives a tiny model of a family, its matrices in full precision and its context 512.
pub fn family_gguf(family: &str) -> GgufWriter {
    let extras = extras(family);
    // Mixtral's files call themselves so.
    let family = if family == "mixtral" { "llama" } else { family };
    let key = |name: &str| format!("{family}.{name}");
    let (queries, kv) = (HEADS * extras.head_dim, KV_HEADS * extras.head_dim);
    let has = |name: &str| extras.figures.iter().any(|(other, _)| *other == name);
    let mut gguf = GgufWriter::default()
        .text("general.architecture", family)
        .text("general.name", "tiny random model")
        .number(&key("block_count"), extras.layers)
        .number(&key("context_length"), 512)
        .number(&key("embedding_length"), WIDTH as u32)
        .number(&key("feed_forward_length"), INNER as u32)
        .number(&key("attention.head_count"), HEADS as u32)
        .number(&key("attention.head_count_kv"), KV_HEADS as u32)
        .figure(&key("attention.layer_norm_rms_epsilon"), 1e-5);
    if !has("rope.freq_base") {
        gguf = gguf.figure(&key("rope.freq_base"), 10_000.0);
    }
    if has("rope.scaling.factor") {
        let stretch = if extras.sinks { "yarn" } else { "linear" };
        gguf = gguf.text(&key("rope.scaling.type"), stretch);
    }
    for (name, number) in extras.numbers {
        gguf = gguf.number(&key(name), *number);
    }
    for (name, figure) in extras.figures {
        gguf = gguf.figure(&key(name), *figure);
    }
    let mut file = Tensors {
        gguf: with_vocabulary(gguf, "smollm", CHAT_TEMPLATE),
        seed: 1000,
    };
    let n_tokens = vocabulary().0.len();
    file.matrix("token_embd", &[n_tokens, WIDTH]);
    if !extras.tied {
        file.matrix("output", &[n_tokens, WIDTH]);
    }
    file.norm("output_norm", WIDTH);
    for layer in 0..extras.layers {
        file.layer(&format!("blk.{layer}"), &extras, queries, kv);
    }
    file.gguf
}

struct Tensors {
    gguf: GgufWriter,
    seed: u64,
}

impl Tensors {
    fn add(&mut self, name: &str, shape: &[usize], weights: &[f32]) {
        self.gguf = std::mem::take(&mut self.gguf).tensor(name, shape, WriteType::F32, weights);
    }

    fn noise(&mut self, len: usize, middle: f32, range: f32) -> Vec<f32> {
        self.seed += 1;
        noise(self.seed, len)
            .into_iter()
            .map(|x| middle + x * range)
            .collect()
    }

    fn matrix(&mut self, name: &str, shape: &[usize]) {
        let columns = shape.last().copied().unwrap_or(1);
        let range = 1.5 / (columns as f32).sqrt();
        let weights = self.noise(shape.iter().product(), 0.0, range);
        self.add(&format!("{name}.weight"), shape, &weights);
    }

    fn vector(&mut self, name: &str, shape: &[usize]) {
        let figures = self.noise(shape.iter().product(), 0.0, 1.0);
        self.add(name, shape, &figures);
    }

    fn norm(&mut self, name: &str, len: usize) {
        let weights = self.noise(len, 1.0, 0.3);
        self.add(&format!("{name}.weight"), &[len], &weights);
    }

    fn layer(&mut self, layer: &str, extras: &Extras, queries: usize, kv: usize) {
        let name = |part: &str| format!("{layer}.{part}");
        if extras.joined {
            self.matrix(&name("attn_qkv"), &[queries + 2 * kv, WIDTH]);
        } else {
            self.matrix(&name("attn_q"), &[queries, WIDTH]);
            self.matrix(&name("attn_k"), &[kv, WIDTH]);
            self.matrix(&name("attn_v"), &[kv, WIDTH]);
        }
        self.matrix(&name("attn_output"), &[WIDTH, queries]);
        match (extras.experts, extras.joined) {
            (0, true) => {
                self.matrix(&name("ffn_up"), &[2 * INNER, WIDTH]);
                self.matrix(&name("ffn_down"), &[WIDTH, INNER]);
            }
            (0, false) => {
                self.matrix(&name("ffn_gate"), &[INNER, WIDTH]);
                self.matrix(&name("ffn_up"), &[INNER, WIDTH]);
                self.matrix(&name("ffn_down"), &[WIDTH, INNER]);
            }
            (experts, _) => {
                self.matrix(&name("ffn_gate_inp"), &[experts, WIDTH]);
                self.matrix(&name("ffn_gate_exps"), &[experts, INNER, WIDTH]);
                self.matrix(&name("ffn_up_exps"), &[experts, INNER, WIDTH]);
                self.matrix(&name("ffn_down_exps"), &[experts, WIDTH, INNER]);
            }
        }
        self.norm(&name("attn_norm"), WIDTH);
        let second = if extras.sinks {
            "post_attention_norm"
        } else {
            "ffn_norm"
        };
        self.norm(&name(second), WIDTH);
        if extras.sinks {
            let experts = extras.experts;
            self.vector(&name("attn_sinks.weight"), &[HEADS]);
            self.vector(&name("attn_output.bias"), &[WIDTH]);
            self.vector(&name("ffn_gate_inp.bias"), &[experts]);
            self.vector(&name("ffn_gate_exps.bias"), &[experts, INNER]);
            self.vector(&name("ffn_up_exps.bias"), &[experts, INNER]);
            self.vector(&name("ffn_down_exps.bias"), &[experts, WIDTH]);
        }
        if extras.head_norms {
            self.norm(&name("attn_q_norm"), extras.head_dim);
            self.norm(&name("attn_k_norm"), extras.head_dim);
        }
        if extras.post_norms {
            self.norm(&name("post_attention_norm"), WIDTH);
            self.norm(&name("post_ffw_norm"), WIDTH);
        }
        if extras.biases {
            for (part, len) in [("attn_q", queries), ("attn_k", kv), ("attn_v", kv)] {
                self.vector(&name(&format!("{part}.bias")), &[len]);
            }
        }
    }
}
