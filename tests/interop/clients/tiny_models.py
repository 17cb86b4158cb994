"""Writes the tiny models of the client tests: `python3 tiny_models.py FOLDER`.

`tiny-agent.gguf` is a llama that does what a small script says. Its embeddings are one-hot and its layers add nothing,
so each token follows from the one before alone: the output matrix is a table of who follows whom. Its chat template is
in the style of Hermes and Qwen (`<tool_call>`, `<think>`) and ends in a token of its own for each case, which begins
the script of that case: a tool call where tools are offered, words after a tool's answer, a thought where thinking is
on. Where a grammar forbids the script, the table prefers what ends texts, lists and objects, so that any schema is
filled soon; its cities are called Paris.

`tiny-embed` is a BERT with noise for weights, in safetensors.
"""

import json
import random
import struct
import sys
from pathlib import Path

CONTEXT = 4096
CALL = '\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n'
CONTROL, DEFINED, NORMAL = 3, 4, 1
MERGES = [(b" ", b"t"), (b"h", b"e")]

# Each script is told by its first token.
SCRIPTS = [
    ["<|say|>", "Hello", " world", "!", "<|im_end|>"],
    ["<|call|>", "<tool_call>", CALL, "</tool_call>", "<|im_end|>"],
    ["<|told|>", "It", " is", " sunny", ".", "<|im_end|>"],
    ["<think>", "Let", " me", " see", "</think>", "Done", "<|im_end|>"],
    # A face, byte by byte.
    ["<|smile|>", b"\xf0", b"\x9f", b"\x98", b"\x80", "<|im_end|>"],
]

TEMPLATE = """{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{% if message.content %}{{ message.content }}{% endif %}
{%- for tool_call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ tool_call.function.name }}", "arguments": {{ tool_call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking %}<think>
{%- elif messages[-1].role == 'tool' %}<|told|>
{%- elif tools %}<|call|>
{%- elif messages[-1].content == 'Smile' %}<|smile|>
{%- else %}<|say|>{% endif %}
{%- endif %}"""


# GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md


def gguf_text(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_text(value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_text, value))
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def padded(data):
    return data + bytes(-len(data) % 32)


def gguf(values, tensors):
    """`tensors` has name -> (shape with rows first, numbers)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    head += b"".join(gguf_text(key) + gguf_value(value) for key, value in values.items())
    body = b""
    for name, (shape, numbers) in tensors.items():
        head += gguf_text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", 0, len(body))
        body += padded(struct.pack(f"<{len(numbers)}f", *numbers))
    return padded(head) + body


def letter(byte):
    """The letter that stands for a byte in a byte-level vocabulary."""
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return chr(byte) if byte in printing else chr(256 + [b for b in range(256) if b not in printing].index(byte))


def written(text):
    """A text in the letters of a byte-level vocabulary."""
    return "".join(map(letter, text if isinstance(text, bytes) else text.encode()))


def vocabulary():
    """Texts of the tokens as they are said, and their kinds."""
    tokens = [("<|endoftext|>", CONTROL), ("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL)]
    tokens += [(bytes([byte]), NORMAL) for byte in range(256)]
    tokens += [(left + right, NORMAL) for left, right in MERGES]
    tokens.append(("Paris", NORMAL))
    known = {text for text, _ in tokens}
    for script in SCRIPTS:
        for text in script:
            if isinstance(text, str) and text not in known and text.encode() not in known:
                marker = text.startswith("<|")
                tokens.append((text, CONTROL if marker else DEFINED if text.startswith("<") else NORMAL))
                known.add(text)
    while len(tokens) % 32:
        tokens.append((f"<|unused_{len(tokens)}|>", CONTROL))
    return tokens


def follow_table(tokens):
    """table[next][last]: how gladly `next` follows `last`."""
    noise = random.Random(1)
    index = {text if isinstance(text, str) else text.decode("latin-1"): i for i, (text, _) in enumerate(tokens)}
    liking = {'"': 7.0, "}": 6.5, "]": 6.5, ",": 5.0, ":": 5.0, "<|im_end|>": 4.0, "{": 2.0, "[": 2.0}
    liking |= {chr(c): 3.0 for c in range(ord("a"), ord("z") + 1)} | {chr(c): 2.5 for c in range(ord("0"), ord("9") + 1)}
    names = list(index)
    table = [[liking.get(name, -6.0) + noise.random() for _ in tokens] for name in names]
    # A text of JSON is "Paris", or has at least a letter, where it may.
    table[index["Paris"]][index['"']] = 20.0
    table[index["a"]][index['"']] = 14.0
    table[index['"']][index["Paris"]] = 20.0
    for script in SCRIPTS:
        script = [text if isinstance(text, str) else text.decode("latin-1") for text in script]
        for last, following in zip(script, script[1:]):
            table[index[following]][index[last]] = 30.0
    return table


def agent():
    tokens = vocabulary()
    size = len(tokens)
    table = follow_table(tokens)
    texts = [written(text) if kind == NORMAL else text for text, kind in tokens]
    values = {
        "general.architecture": "llama",
        "general.name": "tiny agent",
        "llama.block_count": 1,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": size,
        "llama.feed_forward_length": 32,
        "llama.attention.head_count": size // 32,
        "llama.attention.head_count_kv": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.token_type": [kind for _, kind in tokens],
        "tokenizer.ggml.merges": [f"{written(left)} {written(right)}" for left, right in MERGES],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": TEMPLATE,
    }
    # What a layer adds is nothing: the matrices that lead out of it are zero.
    zeros = lambda *shape: (shape, [0.0] * (shape[0] * (shape[1] if len(shape) > 1 else 1)))
    ones = (size,), [1.0] * size
    # A one-hot row has a mean square of 1/size, so the norm multiplies it by the root of size.
    scale = size**-0.5
    tensors = {
        "token_embd.weight": ((size, size), [float(i == j) for i in range(size) for j in range(size)]),
        "output.weight": ((size, size), [weight * scale for row in table for weight in row]),
        "output_norm.weight": ones,
        "blk.0.attn_norm.weight": ones,
        "blk.0.ffn_norm.weight": ones,
        "blk.0.attn_q.weight": zeros(size, size),
        "blk.0.attn_k.weight": zeros(32, size),
        "blk.0.attn_v.weight": zeros(32, size),
        "blk.0.attn_output.weight": zeros(size, size),
        "blk.0.ffn_gate.weight": zeros(32, size),
        "blk.0.ffn_up.weight": zeros(32, size),
        "blk.0.ffn_down.weight": zeros(size, 32),
    }
    return gguf(values, tensors)


def word_pieces():
    letters = [*map(chr, range(ord("a"), ord("z") + 1)), *"0123456789", *".,!?'-"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + [piece for letter in letters for piece in (letter, f"##{letter}")]


def bert_tokenizer(pieces):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": pieces[i], **flags} for i in range(4)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
        },
    }


def bert_shapes(vocabulary):
    width, inner = 32, 64
    shapes = {
        "embeddings.word_embeddings.weight": (vocabulary, width),
        "embeddings.position_embeddings.weight": (64, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for layer in (f"encoder.layer.{i}" for i in range(2)):
        for part, rows, columns in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ]:
            shapes |= {f"{layer}.{part}.weight": (rows, columns), f"{layer}.{part}.bias": (rows,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{layer}.{part}.weight": (width,), f"{layer}.{part}.bias": (width,)}
    return shapes


def safetensors(shapes):
    noise = random.Random(2)
    head, body = {}, b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        numbers = [1.0] * count if name.endswith("LayerNorm.weight") else [noise.uniform(-0.3, 0.3) for _ in range(count)]
        data = struct.pack(f"<{count}f", *numbers)
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def embedder(folder):
    pieces = word_pieces()
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "vocab_size": len(pieces),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(bert_tokenizer(pieces)))
    (folder / "model.safetensors").write_bytes(safetensors(bert_shapes(len(pieces))))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "tiny-agent.gguf").write_bytes(agent())
    embedder(out / "tiny-embed")
