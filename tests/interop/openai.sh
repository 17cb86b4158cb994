#!/usr/bin/env bash
# The official Python client of OpenAI against a devnet node: local and network models, streaming and not.
cd "$(dirname "$0")"
. ./node.sh

venv=$(dirname "$TOOLS_DIR")/venv-openai
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import openai' 2>/dev/null; then
  python3 -m venv "$venv"
  for try in 1 2 3; do
    "$venv/bin/pip" install -q 'openai==2.9.0' && break
    sleep $((try * 3))
  done
fi
start_node
wait_ready
"$venv/bin/python" openai_client.py "$url" "$data"
