#!/usr/bin/env bash
# The browser against a fresh devnet node, without a click before it: set-up, chat over the network, a settled session
# with its exact reward, every page. All of it within three minutes of the node's start. Then from the terminal.
cd "$(dirname "$0")"
. ./node.sh
LIVE_STARTED=$(date +%s)
export LIVE_STARTED
start_node
node ../ui/live.mjs "$url/#token=$(cat "$data/api-token")"

said=$("$program" chat --on network --data-dir "$data" "What is a hearth? Answer in one sentence.")
[ ${#said} -gt 20 ] || { echo "hearth chat said too little: $said"; exit 1; }
echo "hearth chat --on network: ${#said} characters"
