"""llama.cpp through its own calls: loads a model and does what each line of its input says.

`prefill N` reads N tokens into an empty context, `decode N D` makes N tokens after D, `many S N` makes N tokens in each
of S sequences at once. Each is answered with the seconds it took.
"""
import ctypes
import sys
import time

import llama_cpp as l

path, threads, repack = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
silent = l.llama_log_callback(lambda *_: None)
l.llama_log_set(silent, ctypes.c_void_p(0))
l.llama_backend_init()
params = l.llama_model_default_params()
params.use_extra_bufts = repack
began = time.monotonic()
model = l.llama_model_load_from_file(path.encode(), params)
loaded = time.monotonic() - began
settings = l.llama_context_default_params()
settings.n_ctx, settings.n_batch, settings.n_ubatch, settings.n_seq_max = 8192, 2048, 512, 16
settings.n_threads = settings.n_threads_batch = threads
settings.kv_unified = True
context = l.llama_init_from_model(model, settings)
memory = l.llama_get_memory(context)
batch = l.llama_batch_init(4096, 0, 1)


def run(entries):
    """Computes (token, position, sequence, whether its logits are wanted)."""
    batch.n_tokens = len(entries)
    for i, (token, position, sequence, wanted) in enumerate(entries):
        batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = sequence
    if l.llama_decode(context, batch) != 0:
        raise RuntimeError("llama_decode failed")


def read(n, sequence=0):
    for start in range(0, n, 512):
        end = min(n, start + 512)
        run([(100 + i * 7 % 30000, i, sequence, i == n - 1) for i in range(start, end)])


def measure(words):
    l.llama_memory_clear(memory, True)
    if words[0] == "prefill":
        began = time.monotonic()
        read(int(words[1]))
        return time.monotonic() - began
    if words[0] == "decode":
        n, depth = int(words[1]), int(words[2])
        read(depth)
        began = time.monotonic()
        for i in range(n):
            run([(200 + i, depth + i, 0, True)])
        return time.monotonic() - began
    n_sequences, n = int(words[1]), int(words[2])
    for sequence in range(n_sequences):
        read(16, sequence)
    began = time.monotonic()
    for i in range(n):
        run([(200 + i, 16 + i, sequence, True) for sequence in range(n_sequences)])
    return time.monotonic() - began


def resident():
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


print(f"loaded {loaded} {resident()}", flush=True)
for line in sys.stdin:
    print(measure(line.split()), flush=True)
