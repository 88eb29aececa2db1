"""Measures the shipped binary and prints the table of figures. Called by scripts/bench.

Commands are run in turn, not in blocks, so that a slow moment of the machine hits all of them alike; a row is the
median of one command over the median of another from the same rounds.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

BINARY, EMPTY, WORK = sys.argv[1:4]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "25"))
CLEAN = {"PATH": os.environ["PATH"]}

# What the script that this program replaces does with openssl, as one shell script.
OPENSSL = """
set -e
cd "$1"
{ca}
openssl req -x509 -new -key ca.key -sha256 -days 1095 -subj /C=US/O=Joblet/OU=CA/CN=Joblet-CA -out ca.crt
printf 'subjectAltName=DNS:joblet,DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' >server.ext
for role in server client; do
  {leaf}
  openssl req -new -key $role.key -sha256 -subj /C=US/O=Joblet/OU=admin/CN=$role -out $role.csr
  if [ $role = server ]; then ext="-extfile server.ext"; else ext=; fi
  openssl x509 -req -in $role.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 365 $ext -out $role.crt 2>/dev/null
done
openssl verify -CAfile ca.crt server.crt client.crt >/dev/null
"""
RSA = OPENSSL.format(ca="openssl genrsa -out ca.key 4096 2>/dev/null", leaf="openssl genrsa -out $role.key 2048 2>/dev/null")
P256 = OPENSSL.format(
    ca="openssl ecparam -name prime256v1 -genkey -noout -out ca.key",
    leaf="openssl ecparam -name prime256v1 -genkey -noout -out $role.key",
)
STEP = """
set -e
cd "$1"
step certificate create Joblet-CA ca.crt ca.key --profile root-ca --no-password --insecure --force
for role in server client; do
  step certificate create $role $role.crt $role.key --ca ca.crt --ca-key ca.key --no-password --insecure --force
done
"""
MKCERT = """
set -e
cd "$1"
export CAROOT="$1" TRUST_STORES=none
mkcert -cert-file server.crt -key-file server.key joblet localhost 127.0.0.1
mkcert -client -cert-file client.crt -key-file client.key admin
"""
MINICA = """
set -e
cd "$1"
minica --domains joblet
minica --domains admin-client
"""
CFSSL = """
set -e
cd "$1"
echo '{"CN":"Joblet-CA","key":{"algo":"ecdsa","size":256}}' >ca.json
cfssl gencert -initca ca.json | cfssljson -bare ca
for role in server client; do
  echo '{"CN":"'$role'","hosts":["joblet"],"key":{"algo":"ecdsa","size":256}}' >$role.json
  cfssl gencert -ca ca.pem -ca-key ca-key.pem $role.json | cfssljson -bare $role
done
"""


def run(command, folder=None):
    """Seconds and peak resident KiB of one run; its output is dropped."""
    begin = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    pid = os.posix_spawnp(command[0], command, CLEAN, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command[:4])} failed with status {status}")
    return time.perf_counter() - begin, usage.ru_maxrss


def shell(script):
    return lambda folder: ["sh", "-c", script, "sh", folder]


def compare(commands, rounds, fresh):
    """Medians in seconds and peak KiB by name. Each run gets a folder, empty when `fresh`."""
    times = {name: [] for name in commands}
    memory = {name: 0 for name in commands}
    for count in range(rounds + 2):
        for name, command in commands.items():
            folder = os.path.join(WORK, "run-" + name.replace(" ", "-").replace("/", "-"))
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder, exist_ok=True)
            seconds, peak = run(command(folder))
            if count >= 2:  # the first two warm the caches
                times[name].append(seconds)
            memory[name] = max(memory[name], peak)
    return {name: statistics.median(values) for name, values in times.items()}, memory


def row(what, value, target=""):
    print(f"| {what} | {value} | {target} |")


def main():
    empty = lambda _: [EMPTY]  # noqa: E731
    first = lambda folder: [BINARY, "generate", "--offline", "--home", os.path.join(folder, "home")]  # noqa: E731
    print("| what | measured | target |\n|---|---|---|")

    times, memory = compare({"empty": empty, "first": first}, ROUNDS, True)
    unit, one = times["empty"], times["first"]
    row("offline `generate`, empty home ÷ empty program", f"{one / unit:.1f} ({one * 1e3:.0f} ms ÷ {unit * 1e3:.1f} ms)", "≤ 8")
    peak = memory["first"]

    times, memory = compare({"empty": empty, "second": first}, ROUNDS, False)
    row(
        "offline `generate`, second run ÷ empty program",
        f"{times['second'] / times['empty']:.1f} ({times['second'] * 1e3:.0f} ms ÷ {times['empty'] * 1e3:.1f} ms)",
        "≤ 7",
    )
    peak = max(peak, memory["second"])

    home = os.path.join(WORK, "run-second", "home")
    flags = {
        "empty": empty,
        "version": lambda _: [BINARY, "--version"],
        "help": lambda _: [BINARY, "--help"],
        "verify": lambda _: [BINARY, "verify", "--home", home],
    }
    times, memory = compare(flags, ROUNDS, False)
    for flag in ("version", "help"):
        row(f"`--{flag}` ÷ empty program", f"{times[flag] / times['empty']:.1f}", "≤ 1.5")
    row("`verify` ÷ empty program", f"{times['verify'] / times['empty']:.1f}")
    peak = max(peak, *memory.values())

    others = {"openssl, RSA as in certs_gen_embedded.sh": (RSA, "≤ 0.033", 5), "openssl, P-256": (P256, "≤ 0.67", ROUNDS)}
    if shutil.which("step"):
        others["step, root and two leaves"] = (STEP, "< 1", ROUNDS)
    if shutil.which("mkcert"):
        others["mkcert, CA and two leaves"] = (MKCERT, "< 1", 9)
    if shutil.which("minica"):
        others["minica, CA and two leaves"] = (MINICA, "", ROUNDS)
    if shutil.which("cfssl") and shutil.which("cfssljson"):
        others["cfssl, CA and two leaves"] = (CFSSL, "", ROUNDS)
    for name, (script, target, rounds) in others.items():
        times, _ = compare({"first": first, "other": shell(script)}, rounds, True)
        ratio = times["first"] / times["other"]
        row(f"first run ÷ {name}", f"{ratio:.3f} ({times['first'] * 1e3:.0f} ms ÷ {times['other'] * 1e3:.0f} ms)", target)

    row("peak resident memory of these commands", f"{peak / 1024:.0f} MiB", "≤ 90 MiB")
    size, bare = os.path.getsize(BINARY), os.path.getsize(EMPTY)
    row("binary above the empty program", f"{(size - bare) / 2**20:.1f} MiB (of {size / 2**20:.0f} MiB)", "≤ 8 MiB")
    packed = subprocess.run(["xz", "-9e", "-T1", "--stdout", BINARY], stdout=subprocess.PIPE, check=True).stdout
    row("download, `xz -9e`", f"{len(packed) / 2**20:.1f} MiB", "≤ 42 MiB")


main()
