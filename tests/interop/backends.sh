#!/usr/bin/env bash
# A devnet node whose models other servers answer, vLLM's and Ollama's kind, healthy and broken: clients/fake_servers.py.
cd "$(dirname "$0")"
. ./node.sh
. clients/install.sh

install_python
export PYTHONDONTWRITEBYTECODE=1
"$python" clients/fake_servers.py "$scratch/config.toml" &
fakes=$!
trap 'kill "$fakes" 2>/dev/null; stop_node; rm -rf "$scratch"' EXIT
for _ in $(seq 100); do
  [ -s "$scratch/config.toml" ] && break
  sleep 0.1
done
start_node --config "$scratch/config.toml"
export NODE_URL=$url NODE_KEY NODE_CONFIG=$scratch/config.toml NODE_TOKEN_FILE=$data/api-token
NODE_KEY=$(cat "$data/api-key")
"$python" clients/backends_python.py --strict "$@"
