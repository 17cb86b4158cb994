#!/usr/bin/env bash
# Every test there is, suite by suite, with counts. One cargo at a time; a suite that fails does not hide the others.
set -uo pipefail
cd "$(dirname "$0")/../.."
export PATH="$TOOLS_DIR:$TOOLS_DIR/tauri-driver/bin:$PATH"
logs=$(mktemp -d)
declare -a names=() results=() counts=() times=()
passed=0
failed=0

# suite NAME COMMAND...: runs it, keeps its output, prints it when it fails.
suite() {
  local name=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  if "$@" >"$logs/$name" 2>&1; then results+=(ok); else results+=(FAILED); fi
  names+=("$name")
  times+=("$((SECONDS - started))")
  # A suite that counts its tests prints a line `counted: PASSED FAILED`; another counts as one.
  local line
  line=$(grep -E '^counted: [0-9]+ [0-9]+$' "$logs/$name" | tail -n 1)
  if [ -z "$line" ]; then
    if [ "${results[-1]}" = ok ]; then line='counted: 1 0'; else line='counted: 0 1'; fi
  elif [ "${results[-1]}" != ok ] && [ "${line##* }" = 0 ]; then
    line="${line% *} 1"
  fi
  read -r _ p f <<<"$line"
  counts+=("$p passed, $f failed")
  passed=$((passed + p))
  failed=$((failed + f))
  if [ "${results[-1]}" = ok ]; then
    tail -n 3 "$logs/$name"
  else
    tail -n 150 "$logs/$name"
  fi
}

rust_tests() {
  local profile=(--locked --workspace --no-default-features)
  cargo build --locked -p hearth --no-default-features || return 1
  cargo nextest run "${profile[@]}" --color never --no-fail-fast 2>&1 | tee "$logs/nextest"
  local status=${PIPESTATUS[0]}
  # Counts by crate, from the machine-readable report.
  python3 - target/nextest/default/junit.xml <<'PY'
import sys, xml.etree.ElementTree as tree
passed = failed = 0
for suite in tree.parse(sys.argv[1]).getroot().iter('testsuite'):
    bad = int(suite.get('failures', 0)) + int(suite.get('errors', 0))
    good = int(suite.get('tests', 0)) - bad - int(suite.get('disabled', 0))
    print(f"  {suite.get('name'):<28} {good} passed, {bad} failed")
    passed += good
    failed += bad
print(f'counted: {passed} {failed}')
PY
  grep -E '^  hearth|^  xtask' "$logs/rust" 2>/dev/null || true
  return "$status"
}

# The check itself is offline; what it reads is fetched first.
licences() {
  cargo fetch --locked || return 1
  cargo deny --offline check --hide-inclusion-graph bans licenses sources
}

ui_tests() {
  npm --prefix ui run --silent check || return 1
  npm --prefix ui test --silent -- --reporter=default 2>&1 | tee "$logs/vitest"
  local status=${PIPESTATUS[0]}
  local ok bad
  ok=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/vitest" | grep -E '^ *Tests ' | grep -oE '[0-9]+ passed' | grep -oE '[0-9]+')
  bad=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/vitest" | grep -E '^ *Tests ' | grep -oE '[0-9]+ failed' | grep -oE '[0-9]+')
  echo "counted: ${ok:-0} ${bad:-0}"
  return "$status"
}

# node_tests FILE...: node's own runner, with its counts.
node_tests() {
  node --test --test-reporter=tap "$@" 2>&1 | tee "$logs/tap"
  local status=${PIPESTATUS[0]}
  echo "counted: $(sed -n 's/^# pass //p' "$logs/tap" | tail -n 1) $(sed -n 's/^# fail //p' "$logs/tap" | tail -n 1)"
  return "$status"
}

clippy() {
  cargo clippy --locked --workspace --all-targets -- -D warnings
}

desktop() {
  cargo build --locked -p hearth || return 1
  LANG=C.UTF-8 xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- node --test --test-concurrency=1 --test-reporter=tap tests/window/*.test.mjs
}

counted_desktop() {
  desktop 2>&1 | tee "$logs/window-tap"
  local status=${PIPESTATUS[0]}
  echo "counted: $(sed -n 's/^# pass //p' "$logs/window-tap" | tail -n 1) $(sed -n 's/^# fail //p' "$logs/window-tap" | tail -n 1)"
  return "$status"
}

suite format cargo fmt --all --check
suite licences licences
suite models assets/models/fetch.sh
suite page xtask/sh/build_ui.sh
suite ui ui_tests
suite rust rust_tests
suite package tests/interop/deb.sh
suite openai-client tests/interop/openai.sh
suite other-shapes tests/interop/shapes.sh
suite clients tests/interop/clients.sh
suite backends tests/interop/backends.sh
suite chain-clients tests/interop/chain.sh
suite browser node_tests tests/ui/*.test.mjs
suite browser-live tests/interop/browser.sh
suite browser-apart tests/interop/apart.sh
suite clippy clippy
suite window counted_desktop

# failures SUITE: the names of its tests that failed, with the first words about each, or else how it ended. Stands last,
# where the end of a long log is all that is kept.
failures() {
  local found
  found=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/$1" |
    grep -A 12 -E '^ *(not ok|FAIL|TIMEOUT|SIG[A-Z]+|× )' | grep -vE 'subtests? failed|duration_ms|^--$' | cut -c 1-300 | head -n 60)
  [ -n "$found" ] || found=$(tail -n 15 "$logs/$1")
  printf '\n== failed in %s\n%s\n' "$1" "$found"
}

printf '\n== suites\n'
for i in "${!names[@]}"; do
  printf '  %-14s %-7s %-24s %4s s\n' "${names[$i]}" "${results[$i]}" "${counts[$i]}" "${times[$i]}"
done
for i in "${!names[@]}"; do
  [ "${results[$i]}" = ok ] || failures "${names[$i]}"
done
printf '\n%s passed, %s failed\n' "$passed" "$failed"
rm -rf "$logs"
[ "$failed" = 0 ]
