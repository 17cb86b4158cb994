//! Makes tiny models with random weights, for tests of everything around a model.
//!
//! They load and run as real ones do, in a few milliseconds; what they say is noise, and always the same.
//! The writer follows the published formats and shares no code with the readers it tests.

use std::io;
use std::path::{Path, PathBuf};

use half::{bf16, f16};

mod families;

pub use families::{FAMILIES, family_gguf};

/// A GGUF file in the making.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    values: Vec<(String, Vec<u8>)>,
    tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

/// Tensor types the writer can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteType {
    /// 32 bits each.
    F32,
    /// 16 bits each.
    F16,
    /// The upper 16 bits of 32.
    Bf16,
    /// Blocks of 32: 4 bits and a step.
    Q4_0,
    /// Blocks of 32: 4 bits, a step and an offset.
    Q4_1,
    /// Blocks of 32: 5 bits and a step.
    Q5_0,
    /// Blocks of 32: 5 bits, a step and an offset.
    Q5_1,
    /// Blocks of 32: 8 bits and a step.
    Q8_0,
}

impl WriteType {
    fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Bf16 => 30,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
        }
    }

    /// Writes weights in this type, whole blocks only.
    pub fn encode(self, weights: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => weights.iter().flat_map(|w| w.to_le_bytes()).collect(),
            Self::F16 => weights
                .iter()
                .flat_map(|w| f16::from_f32(*w).to_le_bytes())
                .collect(),
            Self::Bf16 => weights
                .iter()
                .flat_map(|w| bf16::from_f32(*w).to_le_bytes())
                .collect(),
            Self::Q8_0 => weights.chunks_exact(32).flat_map(signed_block).collect(),
            Self::Q4_0 => weights
                .chunks_exact(32)
                .flat_map(|block| small_block(block, 15, false))
                .collect(),
            Self::Q4_1 => weights
                .chunks_exact(32)
                .flat_map(|block| small_block(block, 15, true))
                .collect(),
            Self::Q5_0 => weights
                .chunks_exact(32)
                .flat_map(|block| small_block(block, 31, false))
                .collect(),
            Self::Q5_1 => weights
                .chunks_exact(32)
                .flat_map(|block| small_block(block, 31, true))
                .collect(),
        }
    }
}

fn signed_block(block: &[f32]) -> Vec<u8> {
    let step = f16::from_f32(block.iter().fold(0.0_f32, |top, w| top.max(w.abs())) / 127.0);
    let mut bytes = step.to_le_bytes().to_vec();
    let divisor = step.to_f32().max(f32::MIN_POSITIVE);
    bytes.extend(
        block
            .iter()
            .map(|w| (w / divisor).round().clamp(-127.0, 127.0) as i8 as u8),
    );
    bytes
}

/// Writes a block of 4-bit (`levels` 15) or 5-bit (31) codes, with an offset of its own or centred.
fn small_block(block: &[f32], levels: u8, offset: bool) -> Vec<u8> {
    let low = block.iter().copied().fold(f32::MAX, f32::min);
    let high = block.iter().copied().fold(f32::MIN, f32::max);
    let centre = f32::from(levels / 2 + 1);
    let (step, base) = if offset {
        (
            f16::from_f32((high - low) / f32::from(levels)),
            f16::from_f32(low).to_f32(),
        )
    } else {
        let step = f16::from_f32(high.abs().max(low.abs()) / (centre - 1.0));
        (step, -centre * step.to_f32())
    };
    let divisor = step.to_f32().max(f32::MIN_POSITIVE);
    let codes: Vec<u8> = block
        .iter()
        .map(|w| ((w - base) / divisor).round().clamp(0.0, f32::from(levels)) as u8)
        .collect();
    let mut bytes = step.to_le_bytes().to_vec();
    if offset {
        bytes.extend(f16::from_f32(base).to_le_bytes());
    }
    if levels > 15 {
        let fifth = codes
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (i, code)| bits | u32::from(code >> 4) << i);
        bytes.extend(fifth.to_le_bytes());
    }
    bytes.extend((0..16).map(|i| codes[i] & 15 | (codes[i + 16] & 15) << 4));
    bytes
}

impl GgufWriter {
    fn value(mut self, key: &str, type_id: u32, bytes: &[u8]) -> Self {
        let mut all = type_id.to_le_bytes().to_vec();
        all.extend_from_slice(bytes);
        self.values.push((key.to_owned(), all));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, key: &str, value: u32) -> Self {
        self.value(key, 4, &value.to_le_bytes())
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(self, key: &str, value: f32) -> Self {
        self.value(key, 6, &value.to_le_bytes())
    }

    /// Adds a flag.
    #[must_use]
    pub fn flag(self, key: &str, value: bool) -> Self {
        self.value(key, 7, &[u8::from(value)])
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, key: &str, value: &str) -> Self {
        self.value(key, 8, &text_bytes(value))
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn texts(self, key: &str, values: &[String]) -> Self {
        let mut bytes = list_head(8, values.len());
        bytes.extend(values.iter().flat_map(|value| text_bytes(value)));
        self.value(key, 9, &bytes)
    }

    /// Adds a list of numbers.
    #[must_use]
    pub fn numbers(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = list_head(5, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.value(key, 9, &bytes)
    }

    /// Adds a list of figures.
    #[must_use]
    pub fn figures(self, key: &str, values: &[f32]) -> Self {
        let mut bytes = list_head(6, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.value(key, 9, &bytes)
    }

    /// Adds a tensor; `shape` has rows first.
    #[must_use]
    pub fn tensor(self, name: &str, shape: &[usize], dtype: WriteType, weights: &[f32]) -> Self {
        let bytes = dtype.encode(weights);
        self.raw_tensor(name, shape, dtype.id(), bytes)
    }

    /// Adds a tensor of any type number.
    #[must_use]
    pub fn raw_tensor(mut self, name: &str, shape: &[usize], type_id: u32, bytes: Vec<u8>) -> Self {
        self.tensors
            .push((name.to_owned(), shape.to_vec(), type_id, bytes));
        self
    }

    /// Spoils a tensor: its first weight, or the step of its first block, becomes `figure`.
    #[must_use]
    pub fn with_figure(mut self, name: &str, figure: f32) -> Self {
        for (other, _, type_id, bytes) in &mut self.tensors {
            if other == name {
                let half = match *type_id {
                    0 => figure.to_le_bytes().to_vec(),
                    30 => bf16::from_f32(figure).to_le_bytes().to_vec(),
                    _ => f16::from_f32(figure).to_le_bytes().to_vec(),
                };
                bytes[..half.len()].copy_from_slice(&half);
            }
        }
        self
    }

    /// Gives the bytes of the files that it is when split into so many: all values in the first, tensors in all.
    pub fn split(self, count: usize) -> Vec<Vec<u8>> {
        let each = self.tensors.len().div_ceil(count.max(1)).max(1);
        let part = |(index, tensors): (usize, &[_])| {
            let values = if index == 0 {
                self.values.clone()
            } else {
                Vec::new()
            };
            let part = Self {
                values,
                tensors: tensors.to_vec(),
            };
            part.number("split.count", count as u32)
                .number("split.no", index as u32)
                .bytes()
        };
        self.tensors.chunks(each).enumerate().map(part).collect()
    }

    /// Gives the file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            file.extend(text_bytes(key));
            file.extend(value);
        }
        let mut data = Vec::new();
        for (name, shape, type_id, bytes) in &self.tensors {
            file.extend(text_bytes(name));
            file.extend((shape.len() as u32).to_le_bytes());
            file.extend(shape.iter().rev().flat_map(|&n| (n as u64).to_le_bytes()));
            file.extend(type_id.to_le_bytes());
            file.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        file
    }
}

fn text_bytes(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn list_head(type_id: u32, len: usize) -> Vec<u8> {
    let mut bytes = type_id.to_le_bytes().to_vec();
    bytes.extend((len as u64).to_le_bytes());
    bytes
}

/// Numbers between -1 and 1 that look random and never change.
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

const CHAT_TEMPLATE: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + \
     message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}\
     {{ '<|im_start|>assistant\n' }}{% endif %}";

/// The letters of byte-level vocabularies: printing bytes stand for themselves, the others for the letters
/// from U+0100 on.
fn letter_of(byte: u8) -> char {
    let printing = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..);
    if printing(&byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|other| !printing(other)).count();
    ('\u{100}'..).nth(before).unwrap_or('?')
}

/// Tokens of the tiny vocabulary: three special ones, the 256 bytes, some joined pairs.
fn vocabulary() -> (Vec<String>, Vec<i32>, Vec<String>) {
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .map(String::from)
        .to_vec();
    let mut kinds = vec![3; 3];
    tokens.extend((0..=255).map(|byte| letter_of(byte).to_string()));
    let pairs = [
        "Ġ t", "h e", "Ġt he", "i n", "e r", "o n", "l l", "ll o", "he llo", "u s",
    ];
    tokens.extend(pairs.iter().map(|pair| pair.replace(' ', "")));
    // The vocabulary's size is a multiple of 32, so that the output matrix may be turned either way.
    while !tokens.len().is_multiple_of(32) {
        tokens.push(format!("<|unused_{}|>", tokens.len()));
    }
    kinds.resize(3 + 256 + pairs.len(), 1);
    kinds.resize(tokens.len(), 3);
    (tokens, kinds, pairs.map(String::from).to_vec())
}

/// What may differ between tiny models.
#[derive(Debug, Clone, Copy)]
pub struct Tiny<'a> {
    /// The type of their matrices.
    pub dtype: WriteType,
    /// Tokens they see at once.
    pub context: u32,
    /// Their chat template.
    pub template: &'a str,
}

impl Tiny<'_> {
    /// A context of 512 and a template as SmolLM's.
    pub fn new(dtype: WriteType) -> Self {
        Self {
            dtype,
            context: 512,
            template: CHAT_TEMPLATE,
        }
    }

    /// Gives a tiny llama.
    pub fn llama(self) -> GgufWriter {
        decoder_gguf("llama", "smollm", self)
    }
}

/// Gives a tiny llama of context 512 whose matrices have the given type.
pub fn llama_gguf(dtype: WriteType) -> GgufWriter {
    Tiny::new(dtype).llama()
}

/// Gives a tiny qwen2 of context 512 whose matrices have the given type.
pub fn qwen2_gguf(dtype: WriteType) -> GgufWriter {
    let mut gguf = decoder_gguf("qwen2", "qwen2", Tiny::new(dtype));
    for layer in 0..LAYERS {
        for (index, (part, rows)) in [("q", WIDTH), ("k", KV), ("v", KV)].into_iter().enumerate() {
            let weights = noise(700 + layer as u64 * 3 + index as u64, rows);
            gguf = gguf.tensor(
                &format!("blk.{layer}.attn_{part}.bias"),
                &[rows],
                WriteType::F32,
                &weights,
            );
        }
    }
    gguf
}

const WIDTH: usize = 64;
const KV: usize = 32;
const INNER: usize = 96;
const LAYERS: usize = 2;

/// Adds the tiny vocabulary.
fn with_vocabulary(gguf: GgufWriter, pre: &str, template: &str) -> GgufWriter {
    let (tokens, kinds, merges) = vocabulary();
    gguf.text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", &merges)
        .number("tokenizer.ggml.bos_token_id", 1)
        .number("tokenizer.ggml.eos_token_id", 2)
        .text("tokenizer.chat_template", template)
}

fn decoder_gguf(architecture: &str, pre: &str, tiny: Tiny<'_>) -> GgufWriter {
    let n_tokens = vocabulary().0.len();
    let key = |name: &str| format!("{architecture}.{name}");
    let gguf = GgufWriter::default()
        .text("general.architecture", architecture)
        .text("general.name", "tiny random model")
        .number(&key("block_count"), LAYERS as u32)
        .number(&key("context_length"), tiny.context)
        .number(&key("embedding_length"), WIDTH as u32)
        .number(&key("feed_forward_length"), INNER as u32)
        .number(&key("attention.head_count"), 4)
        .number(&key("attention.head_count_kv"), 2)
        .figure(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .figure(&key("rope.freq_base"), 10_000.0);
    let mut gguf = with_vocabulary(gguf, pre, tiny.template);
    let matrix = |gguf: GgufWriter, name: &str, rows: usize, columns: usize, seed: u64| {
        let scale = 1.5 / (columns as f32).sqrt();
        let weights: Vec<f32> = noise(seed, rows * columns).iter().map(|w| w * scale).collect();
        gguf.tensor(name, &[rows, columns], tiny.dtype, &weights)
    };
    gguf = matrix(gguf, "token_embd.weight", n_tokens, WIDTH, 1);
    gguf = matrix(gguf, "output.weight", n_tokens, WIDTH, 2);
    gguf = gguf.tensor("output_norm.weight", &[WIDTH], WriteType::F32, &[4.0; WIDTH]);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let seed = 10 + 10 * layer as u64;
        let parts = [
            ("attn_q", WIDTH, WIDTH),
            ("attn_k", KV, WIDTH),
            ("attn_v", KV, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_gate", INNER, WIDTH),
            ("ffn_up", INNER, WIDTH),
            ("ffn_down", WIDTH, INNER),
        ];
        for (index, (part, rows, columns)) in parts.into_iter().enumerate() {
            gguf = matrix(gguf, &name(part), rows, columns, seed + index as u64);
        }
        for norm in ["attn_norm", "ffn_norm"] {
            gguf = gguf.tensor(&name(norm), &[WIDTH], WriteType::F32, &[1.0; WIDTH]);
        }
    }
    gguf
}

/// Writes a tiny llama into `folder` and gives its path.
///
/// # Errors
/// The system's, if the file cannot be written.
pub fn tiny_llama(folder: &Path) -> io::Result<PathBuf> {
    write(folder, "tiny-llama.gguf", &llama_gguf(WriteType::Q4_1).bytes())
}

/// Writes a tiny qwen2 into `folder` and gives its path.
///
/// # Errors
/// The system's, if the file cannot be written.
pub fn tiny_qwen2(folder: &Path) -> io::Result<PathBuf> {
    write(folder, "tiny-qwen2.gguf", &qwen2_gguf(WriteType::Q8_0).bytes())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// Writes a tiny embedding model (BERT, width 32) into a new folder inside `folder` and gives its path.
///
/// # Errors
/// The system's, if a file cannot be written.
pub fn tiny_bert(folder: &Path) -> io::Result<PathBuf> {
    let folder = folder.join("tiny-bert");
    std::fs::create_dir_all(&folder)?;
    let tokens = word_pieces();
    let config = serde_json::json!({
        "model_type": "bert", "vocab_size": tokens.len(), "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "max_position_embeddings": 64, "type_vocab_size": 2, "initializer_range": 0.02,
        "layer_norm_eps": 1e-12, "pad_token_id": 0,
    });
    write(&folder, "config.json", config.to_string().as_bytes())?;
    write(
        &folder,
        "tokenizer.json",
        bert_tokenizer(&tokens).to_string().as_bytes(),
    )?;
    let tensors = bert_tensors(tokens.len());
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, weights)| WriteType::F32.encode(weights))
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        view.map(|view| (name.clone(), view)).map_err(io::Error::other)
    });
    let views = views.collect::<io::Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(io::Error::other)?;
    write(&folder, "model.safetensors", &file)?;
    Ok(folder)
}

fn word_pieces() -> Vec<String> {
    let mut tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(String::from).to_vec();
    for letter in ('a'..='z').chain('0'..='9').chain(".,!?'-".chars()) {
        tokens.push(letter.to_string());
        tokens.push(format!("##{letter}"));
    }
    tokens
}

fn bert_tokenizer(tokens: &[String]) -> serde_json::Value {
    let ids: serde_json::Map<String, serde_json::Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.clone(), id.into()))
        .collect();
    let special = |id: usize| {
        serde_json::json!({"id": id, "content": tokens[id], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    };
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": ids},
    })
}

fn bert_tensors(vocabulary: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut seed = 900;
    let mut add = |name: String, shape: &[usize]| {
        seed += 1;
        let len = shape.iter().product();
        let norm = name.contains("LayerNorm.weight");
        let weights = if norm {
            vec![1.0; len]
        } else {
            noise(seed, len).iter().map(|w| w * 0.3).collect()
        };
        tensors.push((name, shape.to_vec(), weights));
    };
    add("embeddings.word_embeddings.weight".to_owned(), &[vocabulary, 32]);
    add("embeddings.position_embeddings.weight".to_owned(), &[64, 32]);
    add("embeddings.token_type_embeddings.weight".to_owned(), &[2, 32]);
    add("embeddings.LayerNorm.weight".to_owned(), &[32]);
    add("embeddings.LayerNorm.bias".to_owned(), &[32]);
    for layer in 0..2 {
        let parts = [
            ("attention.self.query", 32, 32),
            ("attention.self.key", 32, 32),
            ("attention.self.value", 32, 32),
            ("attention.output.dense", 32, 32),
            ("intermediate.dense", 64, 32),
            ("output.dense", 32, 64),
        ];
        for (part, rows, columns) in parts {
            add(format!("encoder.layer.{layer}.{part}.weight"), &[rows, columns]);
            add(format!("encoder.layer.{layer}.{part}.bias"), &[rows]);
        }
        for part in ["attention.output", "output"] {
            add(format!("encoder.layer.{layer}.{part}.LayerNorm.weight"), &[32]);
            add(format!("encoder.layer.{layer}.{part}.LayerNorm.bias"), &[32]);
        }
    }
    tensors
}
