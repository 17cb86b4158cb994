#!/usr/bin/env bash
# Installs the packages of the page and builds it, each only when its inputs changed.
set -euo pipefail
cd "$(dirname "$0")/../../ui"

npm_packages() {
  local stamp=node_modules/.installed-for
  local want
  want=$(sha256sum package-lock.json | cut -c1-64)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
  printf 'hearth: installing the packages of the page\n' >&2
  local try
  for try in 1 2 3; do
    # Not `npm ci`: it refuses a lock file that names the packages of this system alone, as npm 11 writes it when
    # packages for other systems are optional. This takes the locked versions all the same and writes nothing.
    if npm install --no-save --no-audit --no-fund --loglevel=error; then
      printf '%s' "$want" >"$stamp"
      return 0
    fi
    printf 'hearth: npm failed (try %s of 3)\n' "$try" >&2
    sleep $((try * 3))
  done
  printf 'hearth: the packages of the page cannot be installed\n  -> is the package registry reachable?\n' >&2
  return 1
}

npm_packages
inputs=$(git ls-files -z --cached --others --exclude-standard . | xargs -0 sha256sum 2>/dev/null | sha256sum | cut -c1-64)
if [ ! -f dist/index.html ] || [ "$(cat dist/.built-from 2>/dev/null || true)" != "$inputs" ]; then
  printf 'hearth: building the page\n' >&2
  npm run --silent build
  printf '%s' "$inputs" >dist/.built-from
fi
