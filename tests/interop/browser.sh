#!/usr/bin/env bash
# The browser against a fresh devnet node, without a click before it: set-up, chat over the network, a settled session
# with its exact reward, every page. All of it within three minutes of the node's start.
cd "$(dirname "$0")"
. ./node.sh
start_node
node ../ui/live.mjs "$url/#token=$(cat "$data/api-token")"
