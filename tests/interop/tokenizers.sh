#!/usr/bin/env bash
# Our tokens of random texts against those of llama.cpp, over its own vocabularies and every pre-tokenizer it knows.
# The vocabularies come with the source of llama-cpp-python, whose build `llama_cpp.sh` keeps.
cd "$(dirname "$0")"
kept=$CACHE
python=$kept/venv-llama-cpp/bin/python
[ -x "$python" ] || { echo "tests/interop/llama_cpp.sh builds llama.cpp: run it first" >&2; exit 1; }
set -euo pipefail
version=$(cat "$kept/venv-llama-cpp/installed.txt")
vocabularies=$kept/llama-cpp-vocabularies-$version
if [ ! -d "$vocabularies" ]; then
  source=$(mktemp -d)
  trap 'rm -rf "$source"' EXIT
  "$python" -m pip download -q --no-deps --no-binary :all: -d "$source" "llama-cpp-python==$version"
  tar xzf "$source"/*.tar.gz -C "$source" --wildcards '*/models/ggml-vocab-*'
  mv "$source"/*/vendor/llama.cpp/models "$vocabularies"
fi
answers=$(mktemp -d)
trap 'rm -rf "$answers" "${source:-/nonexistent}"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" tokenizers.py "$vocabularies" "$answers" "${TEXTS:-2000}"
TOKENIZER_VOCABULARIES=$vocabularies TOKENIZER_ANSWERS=$answers cargo nextest run --profile long --locked -p hearth-engine \
  --features rival -E 'test(tokens_are_those_of_llama_cpp)' --no-capture "$@"
