#!/usr/bin/env bash
# Packs the headless program as a .deb: pack.sh PROGRAM OUTPUT_FOLDER. Prints the path of the package.
set -euo pipefail
program=$1
output=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
arch=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

install -D -m 755 "$program" "$stage/usr/bin/hearth"
strip --strip-debug "$stage/usr/bin/hearth" 2>/dev/null || true
install -D -m 644 "$here/../systemd/hearth.service" "$stage/usr/lib/systemd/system/hearth.service"
# It holds no secret, and the service's own user must read it.
install -D -m 644 "$here/config.toml" "$stage/etc/hearth/config.toml"
install -D -m 644 "$root/README.md" "$stage/usr/share/doc/hearth/README.md"
install -D -m 644 "$root/LICENSE" "$stage/usr/share/doc/hearth/copyright"
for shell in bash zsh fish; do
  mkdir -p "$stage/completions"
  "$program" completions "$shell" >"$stage/completions/$shell"
done
install -D -m 644 "$stage/completions/bash" "$stage/usr/share/bash-completion/completions/hearth"
install -D -m 644 "$stage/completions/zsh" "$stage/usr/share/zsh/vendor-completions/_hearth"
install -D -m 644 "$stage/completions/fish" "$stage/usr/share/fish/vendor_completions.d/hearth.fish"
rm -r "$stage/completions"

mkdir -p "$stage/DEBIAN" "$output"
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" "$here/control" >"$stage/DEBIAN/control"
printf '/etc/hearth/config.toml\n' >"$stage/DEBIAN/conffiles"
install -m 755 "$here/postinst" "$here/prerm" "$stage/DEBIAN/"
package="$output/hearth_${version}_${arch}.deb"
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
printf '%s\n' "$package"
