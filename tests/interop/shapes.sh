#!/usr/bin/env bash
# Clients that are wired to other APIs than OpenAI's chat: its Responses API, Anthropic's and Ollama's, each with its
# official Python client against a devnet node. Prints `counted: PASSED FAILED` of all together.
cd "$(dirname "$0")"
. ./node.sh

# Not the environment of clients.sh, which has a newer openai: programs that are in use have older ones, too.
venv=$(dirname "$TOOLS_DIR")/venv-shapes
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import openai, anthropic, ollama, pydantic' 2>/dev/null; then
  python3 -m venv "$venv"
  for try in 1 2 3; do
    "$venv/bin/pip" install -q 'openai==2.9.0' 'anthropic==2.14.0' 'ollama==0.6.3' && break
    sleep $((try * 3))
  done
fi
start_node
wait_ready
passed=0
failed=0
for client in responses anthropic ollama; do
  echo "== $client"
  "$venv/bin/python" "${client}_client.py" "$url" "$data" | tee "$scratch/$client" || true
  read -r _ ok bad < <(grep -E '^counted: ' "$scratch/$client" || echo 'counted: 0 1')
  passed=$((passed + ok))
  failed=$((failed + bad))
done
echo "counted: $passed $failed"
[ "$failed" = 0 ]
