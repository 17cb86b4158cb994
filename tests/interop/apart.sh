#!/usr/bin/env bash
# Two fresh nodes in one browser, owner and operator apart, from nothing to a settled answer. The chain is the first one's.
cd "$(dirname "$0")"
. ./node.sh
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'; }

export HEARTH_DEVNET__SETUP=false HEARTH_DEVNET__SESSION_BLOCKS=10 HEARTH_DEVNET__GRACE_BLOCKS=1
export HEARTH_DEVNET__CLAIM_OPEN_BLOCKS=1 HEARTH_DEVNET__CLAIM_CLOSE_BLOCKS=8
export HEARTH_DEVNET__PROOF_OPEN_BLOCKS=0 HEARTH_DEVNET__PROOF_CLOSE_BLOCKS=8 HEARTH_DEVNET__BLOCK_MS=500
start_node

# A restart from the page must come back to the same address.
server=$scratch/server
relays=127.0.0.1:$(free_port)
"$program" --daemon --network "$data/network.toml" --data-dir "$server" --listen "127.0.0.1:$(free_port)" \
  --miner-listen "$relays" >"$scratch/server-out" 2>"$scratch/server-log" &
server_pid=$!
trap 'kill -TERM $server_pid 2>/dev/null; wait $server_pid || true; stop_node; rm -rf "$scratch"' EXIT
for _ in $(seq 300); do
  [ -s "$server/api-address" ] && curl -sf "http://$(cat "$server/api-address")/health" >/dev/null && break
  kill -0 "$server_pid" 2>/dev/null || { cat "$scratch/server-log" >&2; exit 1; }
  sleep 0.1
done
page_of() { echo "http://$(cat "$1/api-address")/#token=$(cat "$1/api-token")"; }
node ../ui/apart.mjs "$(page_of "$data")" "$(page_of "$server")" \
  "$TEST_MODELS_DIR/SmolLM2-135M-Instruct.Q4_1.gguf" "http://$relays" || { tail -n 40 "$scratch/server-log" >&2; exit 1; }
