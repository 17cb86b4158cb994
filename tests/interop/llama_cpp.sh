#!/usr/bin/env bash
# A real server of llama.cpp (llama-cpp-python, built from source in ten minutes) answers the models of a devnet node.
cd "$(dirname "$0")"
. ./node.sh
. clients/install.sh

venv=$kept/venv-llama-cpp
version=0.3.36
install_python
[ "$(cat "$venv/installed.txt" 2>/dev/null)" = "$version" ] || {
  rm -rf "$venv"
  python3 -m venv "$venv"
  CMAKE_ARGS=-DLLAVA_BUILD=OFF try_thrice "$venv/bin/pip" install -q "llama-cpp-python[server]==$version"
  echo "$version" >"$venv/installed.txt"
}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# The server takes variables of the environment for settings of its own, such as CACHE.
env -i PATH="$PATH" HOME="$HOME" "$venv/bin/python" -m llama_cpp.server --model "$(ls "$TEST_MODELS_DIR"/SmolLM2-135M-Instruct*.gguf)" --model_alias demo \
  --host 127.0.0.1 --port "$port" --n_ctx 2048 >"$scratch/llama" 2>&1 &
server=$!
trap 'kill -9 "$server" 2>/dev/null; stop_node; rm -rf "$scratch"' EXIT
for _ in $(seq 300); do
  curl -sf "http://127.0.0.1:$port/v1/models" >/dev/null && break
  kill -0 "$server" 2>/dev/null || { cat "$scratch/llama" >&2; exit 1; }
  sleep 0.2
done
printf '[backends.llama]\nurl = "http://127.0.0.1:%s"\n' "$port" >"$scratch/config.toml"
start_node --config "$scratch/config.toml"
wait_ready
export NODE_URL=$url NODE_KEY NODE_TOKEN_FILE=$data/api-token NODE_BACKEND_PID=$server PYTHONDONTWRITEBYTECODE=1
NODE_KEY=$(cat "$data/api-key")
"$python" clients/llama_cpp_server.py --strict "$@"
