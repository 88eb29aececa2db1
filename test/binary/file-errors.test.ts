import { expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { needRoot, run, succeed, type TempDir, tempDir, tree } from "../support/binary.ts";
import { expectFailure, failsUnchanged } from "../support/failure.ts";
import { CLIENT, filledHome, RECORD, SERVER, strays } from "../support/installed.ts";

setDefaultTimeout(60_000);

const FILES = 7;
const TEMPLATE = "scripts/joblet-config-template.yml";

/** Puts something else in a file's place, then expects that a run says so, names the path and leaves all as it is. */
async function refuses(home: TempDir, path: string, commands: readonly string[][] = [["--offline"]]): Promise<void> {
  for (const args of commands) {
    await failsUnchanged(home.path, FILES, args, { env: { JOBLET_HOME: home.path } }, home.at(path));
  }
}

function makeFifo(path: string): void {
  expect(spawnSync("mkfifo", ["-m", "600", path]).status).toBe(0);
}

const BOTH = [["--offline"], ["verify"]];
const OURS = [
  [SERVER, BOTH],
  [CLIENT, BOTH],
  [RECORD, [["--offline"]]],
  ["config/rnx-config-reader.yml", BOTH],
] as const;

test.each(OURS)("a directory where %s belongs is an error, not a crash", async (path, commands) => {
  using home = await filledHome();
  rmSync(home.at(path), { force: true });
  mkdirSync(home.at(path));
  await refuses(home, path, commands as unknown as string[][]);
});

test.each(OURS)("a FIFO where %s belongs does not hang a boot", async (path, commands) => {
  using home = await filledHome();
  rmSync(home.at(path), { force: true });
  makeFifo(home.at(path));
  await refuses(home, path, commands as unknown as string[][]);
});

test.each(OURS)("a symbolic link where %s belongs is not followed, dangling or not", async (path, commands) => {
  using home = await filledHome();
  using elsewhere = tempDir();
  if (existsSync(home.at(path))) cpSync(home.at(path), elsewhere.at("target"));
  else writeFileSync(elsewhere.at("target"), "version: 1\n");
  rmSync(home.at(path), { force: true });
  const before = tree(elsewhere.path);
  for (const target of [elsewhere.at("target"), elsewhere.at("nothing")]) {
    symlinkSync(target, home.at(path));
    await refuses(home, path, commands as unknown as string[][]);
    rmSync(home.at(path));
  }
  expect(tree(elsewhere.path)).toEqual(before);
});

test.each(["config", "ca", "ca/versions"])("a symbolic link for the directory %s is not followed", async (path) => {
  using home = await filledHome();
  using elsewhere = tempDir();
  cpSync(home.at(path), elsewhere.at("target"), { recursive: true });
  chmodSync(elsewhere.at("target"), path === "config" ? 0o755 : 0o700);
  rmSync(home.at(path), { recursive: true });
  const before = tree(elsewhere.path);
  symlinkSync(elsewhere.at("target"), home.at(path));
  await refuses(home, path, path === "config" ? BOTH : undefined);
  expect(tree(elsewhere.path)).toEqual(before);
});

test.each(["ca/ca-key", "ca/ca-cert", "ca/client-key", "ca/client-cert"])(
  "a link or a FIFO for %s is refused",
  async (path) => {
    using home = await filledHome();
    using elsewhere = tempDir();
    cpSync(home.at(path), elsewhere.at("target"));
    rmSync(home.at(path));
    symlinkSync(elsewhere.at("target"), home.at(path));
    await refuses(home, path);
    rmSync(home.at(path));
    makeFifo(home.at(path));
    await refuses(home, path);
  },
);

test.each(["config", "ca"])("a file where the directory %s belongs is refused", async (path) => {
  using home = await filledHome();
  rmSync(home.at(path), { recursive: true });
  writeFileSync(home.at(path), "");
  await refuses(home, path);
});

test("a home that is a file, or below a file, is refused", async () => {
  using home = await filledHome();
  for (const wrong of [SERVER, `${SERVER}/below`]) {
    for (const args of BOTH)
      await failsUnchanged(home.path, FILES, args, { env: { JOBLET_HOME: home.at(wrong) } }, home.at(SERVER));
  }
});

test.each(["a directory", "a FIFO", "not YAML", "a list"])(
  "a template that is %s leaves no half-made home",
  async (what) => {
    using home = tempDir();
    mkdirSync(dirname(home.at(TEMPLATE)));
    if (what === "a directory") mkdirSync(home.at(TEMPLATE));
    else if (what === "a FIFO") makeFifo(home.at(TEMPLATE));
    else writeFileSync(home.at(TEMPLATE), what === "a list" ? "- a\n- b\n" : "server: [\n");
    await refuses(home, TEMPLATE);
    // The config directory is there, the server configuration is not.
    mkdirSync(home.at("config"), { mode: 0o755 });
    await refuses(home, TEMPLATE);
  },
);

test.each([0o775, 0o757, 0o777, 0o1777])(
  "a config directory that others may write is refused (mode %o)",
  async (mode) => {
    using home = await filledHome();
    chmodSync(home.at("config"), mode);
    await refuses(home, "config", BOTH);
  },
);

test.each([0o770, 0o777])("a CA directory that others may write is refused (mode %o)", async (mode) => {
  using home = await filledHome();
  chmodSync(home.at("ca"), mode);
  await refuses(home, "ca");
});

test.each(["config", "ca"])(
  "a directory %s that another user owns is refused: its owner could swap the files",
  async (path) => {
    needRoot("chown");
    using home = await filledHome();
    chownSync(home.at(path), 12_345, 12_345);
    await refuses(home, path, path === "config" ? BOTH : undefined);
  },
);

test("a directory, FIFO or link in the place of the lock is refused, and nobody else's file is touched", async () => {
  using home = await filledHome();
  const lock = "config/.joblet-certs.lock";
  mkdirSync(home.at(lock));
  await refuses(home, lock);
  rmSync(home.at(lock), { recursive: true });
  symlinkSync(home.at(SERVER), home.at(lock));
  await refuses(home, lock);
  rmSync(home.at(lock));
  makeFifo(home.at(lock));
  await refuses(home, lock);
});

test("a link planted under a temporary file's name is not written through", async () => {
  using home = await filledHome();
  using elsewhere = tempDir();
  writeFileSync(elsewhere.at("target"), "mine\n");
  for (const name of ["joblet-config.yml", "rnx-config.yml", "joblet-certs.json"]) {
    symlinkSync(elsewhere.at("target"), home.at("config", `.${name}.joblet-certs-new`));
  }
  const before = tree(elsewhere.path);
  await succeed(["--offline", "--force-regenerate"], { env: { JOBLET_HOME: home.path } });
  expect(tree(elsewhere.path)).toEqual(before);
  expect(strays(home.path)).toEqual([]);
});

test("a directory under a temporary file's name is an error that says so", async () => {
  using home = await filledHome();
  mkdirSync(home.at("config", ".joblet-config.yml.joblet-certs-new"));
  await refuses(home, SERVER);
});

test.each([
  "not json",
  "[]",
  "null",
  '{"version":2}',
  '{"version":1,"settings":{"address":7},"outcome":{}}',
  "",
  '{"version":1',
])("a corrupt record is an error, not a host that forgot its fleet: %s", async (text) => {
  using home = await filledHome();
  writeFileSync(home.at(RECORD), text, { mode: 0o600 });
  await refuses(home, RECORD);
});

test("a record with a value that is no longer accepted is refused, and named", async () => {
  using home = await filledHome();
  const record = { version: 1, settings: { keyType: "dsa" }, outcome: { kind: "embedded", generation: [] } };
  writeFileSync(home.at(RECORD), JSON.stringify(record), { mode: 0o600 });
  const before = tree(home.path);
  const result = await run(["--offline"], { env: { JOBLET_HOME: home.path } });
  expect([2, FILES]).toContain(result.code);
  expectFailure(result, result.code, "keyType", '"dsa"');
  expect(tree(home.path)).toEqual(before);
});

test("verify on a host that has nothing says what to run, and makes nothing", async () => {
  using home = tempDir();
  const env = { JOBLET_HOME: home.at("none") };
  const { hint } = await failsUnchanged(home.path, FILES, ["verify"], { env }, home.at("none", SERVER));
  expect(hint).toContain("joblet-certs generate");
});
