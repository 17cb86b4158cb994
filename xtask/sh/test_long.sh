#!/usr/bin/env bash
# Tests that take too long for every push: by hand, before a release.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$TOOLS_DIR:$PATH"
cargo build --locked -p hearth --no-default-features
# A hundred kills under load; those that are marked as long run here alone.
TEST_KILLS=${TEST_KILLS:-100} cargo nextest run --profile long --locked --workspace --no-default-features \
  --run-ignored all -E 'test(no_answered_relay_is_lost_and_none_is_claimed_twice) or test(/::long_/)' --no-capture "$@"
# The outbox over random schedules of crashes, lies and delays.
TEST_SCHEDULES=${TEST_SCHEDULES:-10000} cargo nextest run --profile long --locked -p hearth-outbox -E 'test(over_random_schedules)'
# A real server of another maker behind the node.
tests/interop/llama_cpp.sh
# Our tokenizers beside those of llama.cpp.
tests/interop/tokenizers.sh
