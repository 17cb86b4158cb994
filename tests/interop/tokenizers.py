"""What llama.cpp makes of random texts: for each vocabulary of its own, and for each pre-tokenizer over one of them.

Usage: python oracle.py FOLDER-OF-VOCABULARIES FOR-RESULTS [texts per vocabulary]
"""
import ctypes, glob, json, os, random, sys, unicodedata

import llama_cpp
from llama_cpp import llama_cpp as c

PRES = """default gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe gigachat mellum
a.x-4.0 modern-bert jais trillion granite-docling exaone4 mpt olmo smollm starcoder refact codeshell exaone minerva-7b
mellum2 command-r falcon qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 qwen35 ufakzeka
llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe chatglm-bpe glm4 glm5
minicpm5 jais-2 tekken gpt-4o llama4 kanana2 talkie minimax-m2 granite-embed-multi-97m tiny_aya cohere2moe superbpe
afmoe youtu kimi-k2 deepseek-llm deepseek-coder deepseek-v3 hunyuan-dense joyai-llm hy_v4 spark2_5 poro-chat bloom
gpt3-finnish viking bailingmoe bailingmoe2 llada-moe seed-coder laguna exaone-moe chameleon""".split()
COMPOSED = set("""mpt olmo modern-bert command-r qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez solar-open kormo f2llmv2 grok-2
qwen35""".split())
PARTS = """Hello| world| the| and|don't|I'LL|we've|x|HTTP|camelCase|naïve| Zürich|Straße|1|22|333|4444|55555|3.14|1,234,567
|²|½|Ⅷ|٣٤٥|९८| |  |   |\t|\n|\n\n|\r\n|\r| \n|\n |    x|\u00a0|\u3000|\u2028|.|,|!|?|...|…|—|(|)|[|]|{|}|"|'|`|$|+|=|<|>|^|~|_|/|\\|#|@
|中文|汉字测试|日本語|ひらがな|カタカナ|한국어|ㄱㄴ|สวัสดี|ภาษาไทย|العربية|مَرْحَبًا|עברית|שָׁלוֹם|Привет|мир|Ελληνικά|नमस्ते|বাংলা|தமிழ்|ქართული|Հայերեն
|😀|👨‍👩‍👧‍👦|🏳️‍🌈|👍🏽|🇩🇪|e\u0301|o\u0308|\u0301|\u200d|\u200b|\ufeff|\ufffd|\u0001|\u007f|𝔘𝔫𝔦|𠀀|ﬁ|ǅ|ß|ẞ|İ|ı|ﷺ|①|ｆｕｌｌ|！|，|。|「|」|٪|،|۔
|a b c|foo_bar|::|->|==|// x|/*|<b>|&amp;|\\n|0x1F|1e-5|12345678901234567890|aaaaaaaaaaaaaaaaaaaa|----------------|################|                                """
PARTS = [p for p in PARTS.replace("\n|", "|").split("|") if p]
PARTS = [p.encode().decode("unicode_escape").encode("latin-1").decode() if p in ("\\t", "\\n", "\\r") else p for p in PARTS]

def text(rng):
    how = rng.random()
    if how < 0.75:
        return "".join(rng.choice(PARTS) for _ in range(rng.randint(1, 14)))
    if how < 0.9:
        return "".join(chr(rng.choice([rng.randint(1, 0x7f), rng.randint(0x80, 0x17ff), rng.randint(0x1e00, 0x33ff), rng.randint(0x4e00, 0xd7a3), rng.randint(0xf900, 0xfffd), rng.randint(0x1f300, 0x1faff)])) for _ in range(rng.randint(1, 20)))
    data = bytearray("".join(rng.choice(PARTS) for _ in range(8)).encode())
    for _ in range(3):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(1, 256)
    return bytes(data).decode("utf-8", "replace")

def tokens(vocab, text, special):
    raw = text.encode()
    room = len(raw) * 4 + 16
    buffer = (c.llama_token * room)()
    count = c.llama_tokenize(vocab, raw, len(raw), buffer, room, special, False)
    return list(buffer[:count])

def run(path, pre, texts, out):
    params = c.llama_model_default_params()
    params.vocab_only = True
    if pre:
        overrides = (c.llama_model_kv_override * 2)()
        overrides[0].key = b"tokenizer.ggml.pre"
        overrides[0].tag = c.LLAMA_KV_OVERRIDE_TYPE_STR
        overrides[0].value.val_str = pre.encode()
        params.kv_overrides = overrides
    model = c.llama_model_load_from_file(path.encode(), params)
    if not model:
        print("not loaded:", path, pre)
        return
    vocab = c.llama_model_get_vocab(model)
    cases = []
    for t in texts:
        given = unicodedata.normalize("NFC", t) if pre in COMPOSED else t
        cases.append({"text": t, "tokens": tokens(vocab, given, False), "prompt": tokens(vocab, given, True)})
    json.dump({"vocabulary": os.path.basename(path), "pre": pre, "cases": cases}, open(out, "w"))
    c.llama_model_free(model)

@c.llama_log_callback
def quiet(level, text, data):
    pass

c.llama_log_set(quiet, ctypes.c_void_p(0))
folder, results = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 500
os.makedirs(results, exist_ok=True)
for path in sorted(glob.glob(folder + "/*.gguf")):
    rng = random.Random(os.path.basename(path))
    name = os.path.basename(path)[:-5]
    texts = [text(rng) for _ in range(count)]
    texts += [t for t in open(path + ".inp", encoding="utf-8", newline="").read().split("\n__ggml_vocab_test__\n")] if os.path.exists(path + ".inp") else []
    kept = {"ggml-vocab-command-r": "command-r", "ggml-vocab-mpt": "mpt", "ggml-vocab-qwen2": "qwen2", "ggml-vocab-qwen35": "qwen35"}.get(name)
    run(path, kept, texts, f"{results}/{name}.json")
rng = random.Random("pre")
base = folder + "/ggml-vocab-llama-bpe.gguf"
for pre in PRES:
    run(base, pre, [text(rng) for _ in range(count)], f"{results}/pre-{pre}.json")
