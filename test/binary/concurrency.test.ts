import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { needTool, run, start, succeed, type TempDir, tempDir, tree } from "../support/binary.ts";
import { faults, filledHome, strays } from "../support/installed.ts";

setDefaultTimeout(120_000);

const WAITING = "waiting for another run";

async function together(home: TempDir, count: number, ...more: string[]): Promise<void> {
  const env = { JOBLET_HOME: home.path };
  const results = await Promise.all(Array.from({ length: count }, () => run(["--offline", ...more], { env })));
  for (const { code, stderr } of results)
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const founders = results.filter(({ stderr }) => stderr.includes("✨ CA Certificate"));
  if (more.length === 0) expect(founders.length).toBeLessThanOrEqual(1);
  await succeed(["verify"], { env });
  expect(faults(home.path)).toEqual([]);
  expect(strays(home.path)).toEqual([]);
}

test.each([2, 10])("%d runs at once on a new host found one CA, not several", async (count) => {
  using home = tempDir();
  await together(home, count);
  const versions = Object.keys(tree(home.path)).filter((path) => /^ca\/versions\/./.test(path));
  expect(versions.length).toBe(4);
});

test.each(["config", "home and config"])(
  "a run that finds %s made by another in the meantime goes on",
  async (missing) => {
    needTool("strace", "strace");
    using home = tempDir();
    const env = { JOBLET_HOME: missing === "config" ? home.path : home.at("opt", "joblet") };
    // Right before it makes a directory that was not there, the slow run sleeps.
    const inject = "inject=?mkdir,?mkdirat:delay_enter=400000:when=1";
    const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=?mkdir,?mkdirat", "-e", inject];
    const slow = run(["--offline"], { env, wrapper });
    await Bun.sleep(200);
    await succeed(["--offline"], { env });
    const { code, stderr } = await slow;
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    await succeed(["verify"], { env });
  },
);

test.each([2, 10])("%d runs at once on a host that has certificates keep CA and client", async (count) => {
  using home = await filledHome();
  const set = tree(home.at("ca"));
  await together(home, count);
  expect(tree(home.at("ca"))).toEqual(set);
});

test("runs with FORCE_REGENERATE at once do not mix their sets", async () => {
  using home = await filledHome();
  await together(home, 4, "--force-regenerate");
});

test("verify during runs never sees half of a publication", async () => {
  using home = await filledHome();
  const env = { JOBLET_HOME: home.path };
  let running = true;
  const writers = (async () => {
    for (let count = 0; count < 6; count++) await succeed(["--offline"], { env });
    running = false;
  })();
  const seen: string[] = [];
  while (running) {
    const { code, stderr } = await run(["verify"], { env });
    if (code !== 0) seen.push(stderr);
  }
  await writers;
  expect(seen).toEqual([]);
});

/** A run that stays in its first rename, and with that in the lock, until it is ended or the time is over. */
async function slowRun(home: TempDir, seconds: number) {
  needTool("strace", "strace");
  const inject = `inject=?rename,?renameat,?renameat2:delay_enter=${seconds * 1_000_000}:when=1`;
  const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=?rename,?renameat,?renameat2", "-e", inject];
  const child = start(["--offline"], { env: { JOBLET_HOME: home.path }, wrapper });
  const temporary = home.at("config", ".joblet-config.yml.joblet-certs-new");
  for (let waited = 0; !existsSync(temporary); waited += 5) {
    if (waited > 20_000) throw new Error("the slow run did not come to its rename");
    await Bun.sleep(5);
  }
  return child;
}

test("a run says that it waits for another, and goes on as soon as that has ended", async () => {
  using home = await filledHome();
  const first = await slowRun(home, 2);
  const second = await run(["--offline"], { env: { JOBLET_HOME: home.path } });
  expect({ code: second.code, waits: second.stderr.split(WAITING).length - 1 }).toEqual({ code: 0, waits: 1 });
  expect(await first.exited).toBe(0);
  await succeed(["verify"], { env: { JOBLET_HOME: home.path } });
  expect(strays(home.path)).toEqual([]);
});

test("the lock dies with its holder: after kill -9 a waiting run goes on at once", async () => {
  using home = await filledHome();
  const first = await slowRun(home, 60);
  const second = start(["--offline"], { env: { JOBLET_HOME: home.path } });
  const stderr = second.stderr.getReader();
  const { value } = await stderr.read();
  expect(Buffer.from(value ?? []).toString()).toContain(WAITING);
  const begin = performance.now();
  killTree(first.pid);
  expect(await second.exited).toBe(0);
  expect(performance.now() - begin).toBeLessThan(10_000);
  await first.exited;
  await succeed(["verify"], { env: { JOBLET_HOME: home.path } });
  expect(strays(home.path)).toEqual([]);
});

/** strace and what it runs: both are ours. */
function killTree(pid: number): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
  for (const child of children) process.kill(Number(child), "SIGKILL");
  process.kill(pid, "SIGKILL");
}
