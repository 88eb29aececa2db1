#!/usr/bin/env bash
# From a fresh clone to a working pair of Joblet configurations in ./demo. Needs git, Node with npm, and Linux on x64.
# Safe to run again: what is there is reused.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

for tool in git node npm; do
  command -v "$tool" >/dev/null || { echo "quickstart needs $tool; install it, then run again" >&2; exit 1; }
done

echo "== Building (packages and runtime come from npm, at pinned versions)"
binary=$("$ROOT/scripts/build")
"$binary" --version

echo
echo "== Making certificates for this host in $ROOT/demo, without any network"
echo "\$ JOBLET_HOME=$ROOT/demo joblet-certs generate --offline"
JOBLET_HOME=$ROOT/demo "$binary" generate --offline 2>&1

echo
echo "== Proving them by TLS handshakes"
echo "\$ joblet-certs verify --home=$ROOT/demo"
"$binary" verify --home="$ROOT/demo" 2>&1

echo
echo "== What was made"
(cd "$ROOT" && ls -l demo/config demo/ca)
echo
echo "The server's part (private keys left out):"
awk '/-----BEGIN PRIVATE KEY-----/ { print "    (a private key)"; hidden = 1 } !hidden { print } /-----END PRIVATE KEY-----/ { hidden = 0 }' \
  "$ROOT/demo/config/joblet-config.yml" | cut -c1-76 | head -n 20
echo "    …"
echo
echo "Next: on a server, run it as root without JOBLET_HOME (it then works below /opt/joblet), restart Joblet, and"
echo "copy config/rnx-config.yml to ~/.rnx/ where rnx runs. See README.md."
