#!/usr/bin/env bash
# Packs the built program, installs it, checks the unit and runs its ExecStart line with a notify socket.
cd "$(dirname "$0")"
. ./node.sh
root=$(cd ../.. && pwd)
passed=0
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok     $name"
  else
    echo "FAILED $name"
    echo "counted: $passed 1"
    exit 1
  fi
}

package=$("$root/installers/linux/deb/pack.sh" "$program" "$scratch")
files=$(dpkg-deb --contents "$package")
check "the package holds program, unit and configuration" \
  bash -c 'for want in ./usr/bin/hearth ./usr/lib/systemd/system/hearth.service ./etc/hearth/config.toml; do grep -q " $want$" <<<"$0" || exit 1; done' "$files"

# Only as root, and never over a real node: its keys lie in /var/lib/hearth.
may_install=no
[ "$(id -u)" = 0 ] && [ ! -e /var/lib/hearth ] && ! dpkg-query -W hearth >/dev/null 2>&1 && may_install=yes
install() { DEBIAN_FRONTEND=noninteractive dpkg -i "$package" >"$scratch/dpkg" 2>&1 || { cat "$scratch/dpkg"; return 1; }; }
if [ $may_install = yes ]; then
  check "it installs" install
  installed=/usr/bin/hearth
  unit=/usr/lib/systemd/system/hearth.service
else
  # The files are unpacked in place of installed.
  dpkg-deb --extract "$package" "$scratch/root"
  installed=$scratch/root/usr/bin/hearth
  unit=$scratch/root/usr/lib/systemd/system/hearth.service
fi
check "the installed program runs" bash -c '"$0" --version | grep -q hearth' "$installed"
# Only what concerns this unit: the machine's other units are not ours.
verify() { systemd-analyze verify "$unit" 2>&1 | grep -F hearth.service | grep -v 'not executable' >"$scratch/verify"; [ ! -s "$scratch/verify" ] || { cat "$scratch/verify"; false; }; }
check "systemd finds no fault in the unit" verify

# The line as systemd would run it: by the service's own user with the installed configuration where that can be had,
# else with data and configuration in scratch.
line=$(sed -n 's/^ExecStart=//p' "$unit")
user=$(sed -n 's/^User=//p' "$unit")
if [ $may_install = yes ]; then
  chmod 755 "$scratch"
  # What StateDirectory= does.
  command install -d -o "$user" -g "$user" -m 700 /var/lib/hearth
  # It becomes the user and then the program: no process in between takes the signal.
  line="setpriv --reuid=$user --regid=$user --clear-groups -- $line"
else
  line=${line//\/var\/lib\/hearth/$scratch/var}
  line=${line//\/etc\/hearth\/config.toml/$scratch/config.toml}
  line=${line//\/usr\/bin\/hearth/$installed}
fi
cat >"$scratch/config.toml" <<TOML
network = "devnet"
api.listen = "127.0.0.1:0"
miner.listen = "127.0.0.1:0"
devnet.listen = "127.0.0.1:0"
devnet.setup = false
TOML
check "its ExecStart line says READY, then STOPPING" python3 - "$scratch" $line <<'PY'
import os, signal, socket, subprocess, sys
scratch, command = sys.argv[1], sys.argv[2:]
path = os.path.join(scratch, "notify")
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(path)
server.settimeout(60)
os.chmod(path, 0o777)
# Free ports, beside whatever else runs here.
ports = {"HEARTH_" + part + "__LISTEN": "127.0.0.1:0" for part in ("API", "MINER", "DEVNET")}
process = subprocess.Popen(command, env={**os.environ, **ports, "NOTIFY_SOCKET": path}, stdout=subprocess.DEVNULL, stderr=open(os.path.join(scratch, "unit-log"), "w"))
try:
    assert server.recv(256) == b"READY=1"
    process.send_signal(signal.SIGTERM)
    assert server.recv(256) == b"STOPPING=1"
    assert process.wait(timeout=40) == 0
except BaseException:
    print(open(os.path.join(scratch, "unit-log")).read()[-3000:])
    raise
finally:
    process.kill()
PY
check "the page is inside the installed program" bash -c '
  "$0" --daemon --config "$1/config.toml" --data-dir "$1/page" >/dev/null 2>"$1/page-log" &
  pid=$!
  for i in $(seq 100); do [ -s "$1/page/api-address" ] && break; sleep 0.1; done
  body=$(curl -sf "http://$(cat "$1/page/api-address")/"); status=$?
  kill -TERM $pid; wait $pid
  [ $status = 0 ] && grep -q "<div id=\"app\"\|<script" <<<"$body"' "$installed" "$scratch"
if [ $may_install = yes ]; then
  check "it is removed without a trace but its configuration" bash -c 'dpkg -r hearth >/dev/null 2>&1 && [ ! -e /usr/bin/hearth ]'
  dpkg -P hearth >/dev/null 2>&1 || true
  rm -rf /var/lib/hearth
fi
echo "counted: $passed 0"
