#!/usr/bin/env bash
# The official Python client of OpenAI against a devnet node: local and network models, streaming and not.
cd "$(dirname "$0")"
. ./node.sh
. clients/install.sh

install_python
start_node
wait_ready
"$python" openai_client.py "$url" "$data"
