# Sourced by the other scripts: pinned tools, checked before anything of them is executed.
# shellcheck shell=bash

BUN_VERSION=1.4.5
BIOME_VERSION=2.6.8

# npm_binary PACKAGE VERSION MEMBER: path of one executable out of an npm package. The package is downloaded once; its
# sha512 has to be the pinned one every time.
npm_binary() {
  local package=$1 version=$2 member=$3 cache=$ROOT/.cache/npm archive sum
  archive=$(echo "${package#@}" | tr / -)-$version.tgz
  sum=$(awk -v file="$archive" '$2 == file { print $1 }' "$ROOT/scripts/npm-archives.sha512")
  [ -n "$sum" ] || { echo "no sha512 is pinned for $archive" >&2; return 1; }
  mkdir -p "$cache"
  if [ ! -f "$cache/$archive" ]; then
    echo "fetching $package@$version" >&2
    local fresh
    fresh=$(mktemp -d "$cache/fetch.XXXXXX")
    (cd "$fresh" && npm pack --silent "$package@$version" >/dev/null) || { rm -rf "$fresh"; return 1; }
    mv "$fresh/$archive" "$cache/$archive"
    rmdir "$fresh"
  fi
  if ! printf '%s  %s\n' "$sum" "$cache/$archive" | sha512sum --check --status; then
    rm -f "$cache/$archive"
    echo "$archive does not have the pinned sha512; it was removed" >&2
    return 1
  fi
  local folder=$cache/${archive%.tgz}.${sum:0:16} name=${member##*/}
  if [ ! -x "$folder/$name" ]; then
    local unpacked
    unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
    tar -xzf "$cache/$archive" -C "$unpacked" "package/$member"
    chmod 755 "$unpacked/package/$member"
    mkdir -p "$folder"
    mv "$unpacked/package/$member" "$folder/$name"
    rm -rf "$unpacked"
  fi
  echo "$folder/$name"
}

# bun_for TARGET: the runtime for x64, aarch64, x64-musl or aarch64-musl.
bun_for() { npm_binary "@oven/bun-linux-$1" "$BUN_VERSION" bin/bun; }

# host_bun, host_biome: those that run on this machine.
host_bun() {
  case $(uname -m) in
    x86_64) bun_for x64 ;;
    aarch64 | arm64) bun_for aarch64 ;;
    *) echo "there is no runtime for $(uname -m)" >&2; return 1 ;;
  esac
}

host_biome() {
  case $(uname -m) in
    x86_64) npm_binary @biomejs/cli-linux-x64 "$BIOME_VERSION" biome ;;
    aarch64 | arm64) npm_binary @biomejs/cli-linux-arm64 "$BIOME_VERSION" biome ;;
    *) echo "there is no biome for $(uname -m)" >&2; return 1 ;;
  esac
}

# install_packages: exactly what the lock file says, when it is not there yet.
install_packages() {
  local stamp=$ROOT/node_modules/.installed-from
  if ! cmp -s "$stamp" "$ROOT/package-lock.json"; then
    (cd "$ROOT" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    cp "$ROOT/package-lock.json" "$stamp"
  fi
}
