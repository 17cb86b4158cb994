#!/usr/bin/env bash
# CosmJS, the library behind most wallets of the Cosmos, as a foreign client of the embedded chain: it signs the recorded
# transactions of the real chain byte for byte, takes every role, and reads what Hearth signed with the same words.
cd "$(dirname "$0")"
. ./node.sh
. clients/install.sh

install_chain
status=0
"$program" devnet --data-dir "$scratch/chain" --rpc 127.0.0.1:0 --block-ms 200 --json >"$scratch/chain.json" 2>"$scratch/chain.log" &
chain_pid=$!
trap 'kill "$chain_pid" 2>/dev/null; stop_node; rm -rf "$scratch"' EXIT
for i in $(seq 300); do
  [ -s "$scratch/chain/network.toml" ] && break
  kill -0 "$chain_pid" 2>/dev/null || { cat "$scratch/chain.log" >&2; exit 1; }
  sleep 0.1
done
CHAIN_RPC=$(sed -n 's/^rpc = \["\(.*\)"\]$/\1/p' "$scratch/chain/network.toml")
export CHAIN_RPC RECORDING=$PWD/../vectors/chain_txs.json NODE_PROGRAM=$program NODE_DATA=$data
node_network=$scratch/chain/network.toml
start_node
mkdir "$scratch/run"
cp chain/*.mjs "$scratch/run"
ln -s "$chain_clients/node_modules" "$scratch/run/node_modules"
node --test --test-force-exit --test-timeout=240000 --test-reporter=tap "$scratch"/run/*.test.mjs >"$scratch/tap" 2>&1 || status=$?
cat "$scratch/tap"
echo "counted: $(sed -n 's/^# pass //p' "$scratch/tap" | tail -n 1) $(sed -n 's/^# fail //p' "$scratch/tap" | tail -n 1)"
exit "$status"
