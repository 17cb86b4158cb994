#!/usr/bin/env bash
# The clients that people use against a devnet node: official ones of OpenAI, LangChain, LiteLLM, Vercel's ai,
# llama-index, pydantic-ai, instructor, and those of Ollama and Anthropic.
# A feature that the node lacks is a failure; CLIENTS_ARGS= lets it be skipped, CLIENTS="openai_node ..." picks clients.
cd "$(dirname "$0")"
. ./node.sh
. clients/install.sh
args=${CLIENTS_ARGS---strict}

install_python &
installing=$!
install_node
wait "$installing"
# The subshell's variables are gone.
install_python

python3 clients/tiny_models.py "$scratch/models"
start_node
for model in tiny-agent.gguf tiny-embed; do
  "$program" model add "$scratch/models/$model" --data-dir "$data" >/dev/null
done
wait_ready
mkdir "$scratch/node"
cp clients/*.mjs "$scratch/node"
ln -s "$node_clients/node_modules" "$scratch/node/node_modules"
export NODE_URL=$url NODE_KEY PYTHONDONTWRITEBYTECODE=1
NODE_KEY=$(cat "$data/api-key")

# run_client NAME: its tests, with what they print kept together.
run_client() {
  if [ -f "clients/$1.py" ]; then
    "$python" "clients/$1.py" $args
  else
    node "$scratch/node/$1.mjs" $args
  fi >"$scratch/$1.out" 2>&1 || true
  cat "$scratch/$1.out"
  # One that ends before it has counted has failed.
  grep -q '^counted: ' "$scratch/$1.out" || echo "FAILED $1: it broke off"
}
export -f run_client
export python scratch args
# The slowest first. Two at a time: most of their seconds are the loading of modules.
all="litellm_python llama_index_python openai_python langchain_python openai_forms_python pydantic_ai_python
  anthropic_python instructor_python ollama_python openai_node langchain_node vercel_node"
printf '%s\n' ${CLIENTS:-$all} | xargs -P 2 -I{} bash -c 'run_client {}' | tee "$scratch/results" | grep -v '^counted: '
passed=$(grep -c '^ok ' "$scratch/results" || true)
failed=$(grep -c '^FAILED ' "$scratch/results" || true)
echo "counted: $passed $failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
