# Sourced by the tests of clients: puts them outside the checkout, where they are kept until their versions change.
# After `install_python`, $python runs with the Python clients; after `install_node`, $node_clients has node_modules, and
# after `install_chain` $chain_clients.
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

# install_npm FROM TO: the modules of a package.json.
install_npm() {
  cmp -s "$1/package-lock.json" "$2/installed.json" && return 0
  rm -rf "$2"
  mkdir -p "$2"
  cp "$1/package.json" "$1/package-lock.json" "$2"
  try_thrice npm --prefix "$2" ci --silent --no-audit --no-fund || return 1
  cp "$1/package-lock.json" "$2/installed.json"
}

install_node() {
  node_clients=$kept/node-clients
  install_npm "$here" "$node_clients"
}

install_chain() {
  chain_clients=$kept/chain-clients
  install_npm "$here/../chain" "$chain_clients"
}
