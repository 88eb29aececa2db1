#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test. Needs git, Node with npm, Python 3, and root (or sudo) for
# the tests that mount, chroot and change user. Safe to run again; the second time nothing is installed.
# With arguments: only these test files or folders.
set -uo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/tools.sh
. "$ROOT/scripts/lib/tools.sh"
# shellcheck source=scripts/lib/test-tools.sh
. "$ROOT/scripts/lib/test-tools.sh"
cd "$ROOT" || exit 1

give_up() {
  echo "$1" >&2
  echo "0 passed, 1 failed"
  exit 1
}

step() { echo "== $1"; }

step "tools"
need_system openssl strace faketime setpriv unshare shellcheck || give_up "system tools are missing"
install_packages || give_up "the npm packages could not be installed"
BUN=$(host_bun) || give_up "the runtime could not be fetched"
JOBLET_PEER=$(need_peer) || give_up "the Go peer could not be built"
ZLINT=$(need_zlint) || give_up "zlint could not be built"
PKILINT=$(need_pkilint) || give_up "pkilint could not be installed"
OPENSSL=$(command -v openssl)

step "build"
JOBLET_CERTS=$("$ROOT/scripts/build") || give_up "the build failed"
export JOBLET_CERTS JOBLET_PEER ZLINT PKILINT OPENSSL

step "types, lint, format"
"$ROOT/scripts/check" || give_up "scripts/check failed"
shellcheck -x scripts/build scripts/bench scripts/check scripts/kill-campaign scripts/profile scripts/*.sh scripts/lib/*.sh .ci/run || give_up "shellcheck failed"

step "tests"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
[ $# -gt 0 ] || set -- test
"$BUN" test --timeout 300000 --reporter=junit --reporter-outfile="$report" "$@"
status=$?

# The last line is counted from what the runner reported, not from what it printed.
python3 - "$report" "$status" <<'PY'
import sys
import xml.etree.ElementTree as xml

report, status = sys.argv[1], int(sys.argv[2])
try:
    cases = list(xml.parse(report).getroot().iter("testcase"))
except (OSError, xml.ParseError) as error:
    print(f"no report: {error}", file=sys.stderr)
    cases = []
failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
skipped = [case for case in cases if case.find("skipped") is not None]
for case in failed:
    print(f"FAILED {case.get('file', '')}: {case.get('name')}")
passed = len(cases) - len(failed) - len(skipped)
# A runner that failed without a failed test (a file that does not load, say) is a failure too.
extra = 1 if (status != 0 and not failed) or not cases else 0
tail = f", {len(skipped)} skipped" if skipped else ""
print(f"{passed} passed, {len(failed) + extra} failed{tail}")
sys.exit(1 if failed or extra else 0)
PY
