# Sourced by the tests of clients: puts them outside the checkout, where they are kept until their versions change.
# After `install_python`, $python runs with the Python clients; after `install_node`, $node_clients has node_modules.
here=$(dirname "${BASH_SOURCE[0]}")
kept=$(dirname "$TOOLS_DIR")

# try_thrice COMMAND...: a package index may fail for a moment.
try_thrice() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    sleep $((try * 3))
  done
  return 1
}

install_python() {
  local venv=$kept/venv-clients
  python=$venv/bin/python
  cmp -s "$here/requirements.txt" "$venv/installed.txt" && return 0
  rm -rf "$venv"
  python3 -m venv "$venv"
  # uv takes a tenth of pip's time; where it cannot be had, pip does.
  try_thrice "$venv/bin/pip" install -q uv==0.13.9 &&
    try_thrice "$venv/bin/uv" pip install -q --no-deps --compile-bytecode --python "$python" -r "$here/requirements.txt" ||
    try_thrice "$venv/bin/pip" install -q --no-deps -r "$here/requirements.txt" || return 1
  cp "$here/requirements.txt" "$venv/installed.txt"
}

install_node() {
  node_clients=$kept/node-clients
  cmp -s "$here/package-lock.json" "$node_clients/installed.json" && return 0
  rm -rf "$node_clients"
  mkdir -p "$node_clients"
  cp "$here/package.json" "$here/package-lock.json" "$node_clients"
  try_thrice npm --prefix "$node_clients" ci --silent --no-audit --no-fund || return 1
  cp "$here/package-lock.json" "$node_clients/installed.json"
}
