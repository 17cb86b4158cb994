# Sourced by the interop tests: starts a devnet node of the built program in a folder of its own.
# After `start_node`, $url is its API and $data its data directory; `stop_node` ends it. $node_network names another network.
set -euo pipefail
program=$CARGO_TARGET_DIR/debug/hearth
scratch=$(mktemp -d)
data=$scratch/data
node_pid=

start_node() {
  [ -x "$program" ] || { echo "$program is missing: cargo build -p hearth --no-default-features" >&2; return 1; }
  HEARTH_WEIGHTS__DEMO_FOLDER="$TEST_MODELS_DIR" "$program" --daemon --network "${node_network:-devnet}" --data-dir "$data" \
    --listen 127.0.0.1:0 --miner-listen 127.0.0.1:0 --devnet-listen 127.0.0.1:0 "$@" >"$scratch/out" 2>"$scratch/log" &
  node_pid=$!
  local i
  for i in $(seq 300); do
    [ -s "$data/api-address" ] && curl -sf "http://$(cat "$data/api-address")/health" >/dev/null && break
    kill -0 "$node_pid" 2>/dev/null || { cat "$scratch/log" >&2; return 1; }
    sleep 0.1
  done
  url=http://$(cat "$data/api-address")
}

# Waits until the set-up is done and the node earns.
wait_ready() {
  local i
  for i in $(seq 240); do
    curl -sf "$url/ready" >/dev/null && return 0
    sleep 0.5
  done
  echo "the node is not ready after two minutes" >&2
  curl -s "$url/ready" >&2
  tail -n 40 "$scratch/log" >&2
  return 1
}

stop_node() {
  if [ -n "$node_pid" ]; then
    kill -TERM "$node_pid" 2>/dev/null || true
    wait "$node_pid" || true
    node_pid=
  fi
}

trap 'stop_node; rm -rf "$scratch"' EXIT
