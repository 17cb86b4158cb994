"""Writes the logits that llama.cpp gives for tiny models of each family, which `tests/it/families.rs` compares with.

    cargo run -p hearth-engine --example tiny_families FOLDER
    python families.py FOLDER > ../golden/families.json      # needs llama-cpp-python 0.3.36

Everything is computed in 32 bits: weights, keys and values, and no flash attention.
"""
import ctypes
import json
import os
import sys

import llama_cpp as l

silent = l.llama_log_callback(lambda *_: None)
if not os.environ.get("LOUD"):
    l.llama_log_set(silent, ctypes.c_void_p(0))
TOKENS = [3 + i * 37 % 250 for i in range(40)]
KEPT = [0, 9, 39]


def logits(path):
    model = l.llama_model_load_from_file(path.encode(), l.llama_model_default_params())
    settings = l.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 512, 1, 1
    settings.type_k = settings.type_v = l.GGML_TYPE_F32
    settings.flash_attn_type = l.LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = l.llama_init_from_model(model, settings)
    batch = l.llama_batch_init(64, 0, 1)
    batch.n_tokens = len(TOKENS)
    for i, token in enumerate(TOKENS):
        batch.token[i], batch.pos[i], batch.logits[i], batch.n_seq_id[i] = token, i, True, 1
        batch.seq_id[i][0] = 0
    assert l.llama_decode(context, batch) == 0
    n = l.llama_vocab_n_tokens(l.llama_model_get_vocab(model))
    return [[round(x, 5) for x in l.llama_get_logits_ith(context, i)[:n]] for i in KEPT]


names = sorted(name for name in os.listdir(sys.argv[1]) if name.endswith(".gguf"))
families = {name.removesuffix(".gguf"): logits(os.path.join(sys.argv[1], name)) for name in names}
print(json.dumps({"tokens": TOKENS, "kept": KEPT, "families": families}))
