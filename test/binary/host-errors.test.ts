import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { binaryPath, needRoot, needTool, run, succeed, tempDir, tree } from "../support/binary.ts";
import { expectFailure, failsUnchanged } from "../support/failure.ts";
import { faults, filledHome, strays } from "../support/installed.ts";

setDefaultTimeout(120_000);

const CHECK_FAILED = 3;
const FILES = 7;
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** The program where any user can run it: the checkout may be closed to others. */
function publicCopy(directory: { path: string; at(...parts: string[]): string }): string {
  chmodSync(directory.path, 0o755);
  copyFileSync(binaryPath(), directory.at("joblet-certs"));
  chmodSync(directory.at("joblet-certs"), 0o755);
  return directory.at("joblet-certs");
}

test("a config directory that the caller may not write is an error that says so, and nothing changes", async () => {
  needRoot("another user");
  using bin = tempDir();
  const program = publicCopy(bin);
  using home = await filledHome();
  chmodSync(home.path, 0o755);
  const options = { env: { JOBLET_HOME: home.path }, wrapper: NOBODY, program };
  for (const args of [["--offline"], ["verify"]]) {
    const { hint } = await failsUnchanged(home.path, FILES, args, options, home.at("config"), "permission denied");
    expect(hint).toContain("root");
  }
  rmSync(home.at("config"), { recursive: true });
  await failsUnchanged(home.path, FILES, ["--offline"], options, home.at("config"));
  const missing = { ...options, env: { JOBLET_HOME: home.at("a", "b") } };
  await failsUnchanged(home.path, FILES, ["--offline"], missing, home.at("a"));
});

test("another user than root can have a home of its own", async () => {
  needRoot("another user");
  using bin = tempDir();
  const program = publicCopy(bin);
  mkdirSync(bin.at("own"), { mode: 0o777 });
  chmodSync(bin.at("own"), 0o777);
  const options = { env: { JOBLET_HOME: bin.at("own", "home") }, wrapper: NOBODY, program };
  for (const args of [["--offline"], ["--offline"], ["verify"]]) await succeed(args, options);
});

/** Mounts a small file system on `$MOUNT`, puts `$BEFORE` in, runs the program, copies what is there to `$AFTER`. */
const ON_A_SMALL_DISK = `
  mount -t tmpfs -o "mode=755,$LIMIT" tmpfs "$MOUNT"
  cp -a "$BEFORE/." "$MOUNT/"
  if [ -n "\${BALLAST:-}" ]; then
    dd if=/dev/zero of="$MOUNT/ballast" bs=4096 2>/dev/null || true
    truncate -s "-$BALLAST" "$MOUNT/ballast"
  fi
  if [ -n "\${READ_ONLY:-}" ]; then mount -o remount,ro "$MOUNT"; fi
  code=0
  JOBLET_HOME=$MOUNT "$@" || code=$?
  rm -f "$MOUNT/ballast" 2>/dev/null || true
  cp -a "$MOUNT/." "$AFTER/"
  exit "$code"`;

interface Disk {
  limit: string;
  /** Bytes that a filled disk has left. */
  ballast?: number;
  readOnly?: boolean;
  force?: boolean;
}

/** Runs `generate` on such a disk. `after` receives a copy of what it holds then. */
async function onDisk(before: string, after: string, { limit, ballast, readOnly, force }: Disk) {
  using mount = tempDir();
  const env: Record<string, string> = { LIMIT: limit, MOUNT: mount.path, BEFORE: before, AFTER: after };
  if (ballast !== undefined) env.BALLAST = String(ballast);
  if (readOnly) env.READ_ONLY = "1";
  if (force) env.FORCE_REGENERATE = "true";
  const wrapper = ["unshare", "--mount", "--propagation=private", "sh", "-euc", ON_A_SMALL_DISK, "sh"];
  const result = await run(["--offline"], { env, wrapper });
  return { ...result, stderr: result.stderr.replaceAll(mount.path, "HOME") };
}

test.each([
  ["bytes", (count: number) => `size=${4 * count}k,nr_inodes=100`, 1, 30],
  ["files", (count: number) => `size=1m,nr_inodes=${count}`, 2, 40],
] as const)(
  "a disk that is full leaves an empty host empty, wherever it fills up (%s)",
  async (_what, limitOf, least, most) => {
    needRoot("mount");
    needTool("unshare", "util-linux");
    let failures = 0;
    for (let count = least; ; count++) {
      expect(count).toBeLessThan(most);
      using empty = tempDir();
      using after = tempDir();
      chmodSync(empty.path, 0o755);
      const result = await onDisk(empty.path, after.path, { limit: limitOf(count) });
      if (result.code === 0) break;
      failures++;
      expectFailure(result, FILES, "HOME", "no space left");
      expect({ count, tree: tree(after.path) }).toEqual({ count, tree: tree(empty.path) });
    }
    // Every file of the set and every temporary file, but the first, was once the one that did not fit.
    expect(failures).toBeGreaterThanOrEqual(6);
  },
);

test("a disk that is full leaves the files of a working host as they are", async () => {
  needRoot("mount");
  using home = await filledHome();
  chmodSync(home.path, 0o755);
  using after = tempDir();
  const result = await onDisk(home.path, after.path, { limit: "size=128k,nr_inodes=200", ballast: 0 });
  expectFailure(result, FILES, "HOME/config", "no space left");
  expect(tree(after.path)).toEqual(tree(home.path));
});

test("FORCE_REGENERATE on a full disk leaves the old files working, and can be repeated", async () => {
  needRoot("mount");
  using home = await filledHome();
  chmodSync(home.path, 0o755);
  let failures = 0;
  for (let pages = 0; ; pages++) {
    expect(pages).toBeLessThan(30);
    using after = tempDir();
    const disk = { limit: "size=128k,nr_inodes=200", ballast: pages * 4096, force: true };
    const result = await onDisk(home.path, after.path, disk);
    const env = { JOBLET_HOME: after.path };
    if (result.code === 0) break;
    failures++;
    expectFailure(result, FILES, "HOME", "no space left");
    // The new set that did not come about is taken back whole: a later plain run must not switch this host to it.
    expect({ pages, tree: tree(after.path) }).toEqual({ pages, tree: tree(home.path) });
    for (const args of [["verify"], ["--offline"], ["verify"]]) await succeed(args, { env });
    expect({ pages, strays: strays(after.path), faults: faults(after.path) }).toEqual({
      pages,
      strays: [],
      faults: [],
    });
  }
  expect(failures).toBeGreaterThanOrEqual(7);
});

test.each(["empty", "filled"])("a read-only file system is an error that says so (%s)", async (kind) => {
  needRoot("mount");
  using home = kind === "empty" ? tempDir() : await filledHome();
  chmodSync(home.path, 0o755);
  for (const force of [false, true]) {
    using after = tempDir();
    const result = await onDisk(home.path, after.path, { limit: "size=1m", readOnly: true, force });
    const { hint } = expectFailure(result, FILES, "HOME", "read-only");
    expect(hint).toContain("JOBLET_HOME");
    expect(tree(after.path)).toEqual(tree(home.path));
  }
});

test("a clock that was never set must not issue certificates from the past", async () => {
  needTool("faketime", "faketime");
  for (const kind of ["empty", "filled"]) {
    using home = kind === "empty" ? tempDir() : await filledHome();
    const options = { env: { JOBLET_HOME: home.path }, wrapper: ["faketime", "2023-01-01 00:00:00"] };
    for (const args of [["--offline"], ["--offline", "--force-regenerate"], ["verify"]]) {
      await failsUnchanged(home.path, CHECK_FAILED, args, options, "clock", "2023-01-01");
    }
  }
});

test("a clock that went back before the CA's first day is refused, not signed with", async () => {
  needTool("faketime", "faketime");
  using home = await filledHome();
  const options = { env: { JOBLET_HOME: home.path }, wrapper: ["faketime", "2024-06-01 00:00:00"] };
  await failsUnchanged(home.path, CHECK_FAILED, ["--offline"], options, "clock", "2024-0");
});
