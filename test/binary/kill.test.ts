import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type RunOptions, run, start, succeed, type TempDir, tempDir } from "../support/binary.ts";
import {
  CLIENT,
  copyTree,
  faults,
  files,
  filledHome,
  fitTogether,
  RECORD,
  SERVER,
  strays,
} from "../support/installed.ts";
import { ALL, CHANGING, type KillPoint, killAt, killPoints } from "../support/kill-points.ts";

setDefaultTimeout(1_800_000);

/** Kills at moments spread over the duration; `scripts/kill-campaign` raises it. */
const KILLS = Number(process.env.KILLS ?? 40);
/** A long campaign also kills between the calls that change something. */
const LONG = KILLS >= 100;
const ARGS = ["--offline", "--address=joblet.example.com"];

type Kind = "empty" | "filled" | "forced";
const KINDS: readonly Kind[] = ["empty", "filled", "forced"];
const figures = { timed: 0, tooLate: 0, exact: 0, publishing: 0, slowest: 0 };

async function homeOf(kind: Kind): Promise<TempDir> {
  return kind === "empty" ? tempDir() : filledHome();
}

function optionsOf(kind: Kind, home: string): RunOptions {
  return { env: { JOBLET_HOME: home, ...(kind === "forced" ? { FORCE_REGENERATE: "true" } : {}) } };
}

/** Milliseconds of an undisturbed run. */
async function durationOf(kind: Kind): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 3; count++) {
    using home = await homeOf(kind);
    const begin = performance.now();
    await succeed(ARGS, optionsOf(kind, home.path));
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[1] ?? 0;
}

function contents(home: string): Map<string, string> {
  return new Map(files(home).map((file) => [file, readFileSync(join(home, file), "latin1")]));
}

/** What a killed run may leave: every file whole, old or new, and the owner's alone. */
function checkKilled(home: string, before: ReadonlyMap<string, string>): void {
  expect(faults(home)).toEqual([]);
  const open = files(home).filter((file) => (lstatSync(join(home, file)).mode & 0o777) !== 0o600);
  expect(open).toEqual([]);
  for (const file of [SERVER, CLIENT, RECORD]) if (before.has(file)) expect(existsSync(join(home, file))).toBe(true);
  if (existsSync(join(home, RECORD))) expect(JSON.parse(readFileSync(join(home, RECORD), "utf8")).version).toBe(1);
}

/** The next run succeeds at once, ends with files that prove themselves, and clears up. */
async function checkNextRun(
  kind: Kind,
  follow: Kind,
  home: string,
  before: ReadonlyMap<string, string>,
  normal: number,
) {
  const killed = contents(home);
  const begin = performance.now();
  const next = await run(ARGS, optionsOf(follow, home));
  const took = performance.now() - begin;
  figures.slowest = Math.max(figures.slowest, took);
  expect({ code: next.code, stderr: next.code === 0 ? "" : next.stderr }).toEqual({ code: 0, stderr: "" });
  expect(next.stderr).not.toContain("waiting");
  expect(took).toBeLessThan(3 * normal + 2000);
  const proof = await run(["verify"], { env: { JOBLET_HOME: home } });
  expect({ code: proof.code, stderr: proof.code === 0 ? "" : proof.stderr }).toEqual({ code: 0, stderr: "" });
  expect(strays(home)).toEqual([]);
  expect(faults(home)).toEqual([]);
  const after = contents(home);
  // No second CA: a client file that somebody may have copied by now stays good.
  if (kind === "empty" && killed.has(CLIENT)) expect(after.get(CLIENT)).toBe(killed.get(CLIENT) ?? "");
  if (kind === "filled")
    for (const file of ["ca/ca-key", "ca/ca-cert", CLIENT]) expect(after.get(file)).toBe(before.get(file) ?? "");
  const [server, client] = [`${SERVER}.previous`, `${CLIENT}.previous`];
  if (after.has(server) && after.has(client)) expect(fitTogether(join(home, server), join(home, client))).toBe(true);
  // What is kept is the state before the change, not a half of the killed run's.
  if (kind === "forced" && follow === "filled" && after.get(CLIENT) !== before.get(CLIENT)) {
    expect([after.get(server), after.get(client)]).toEqual([before.get(SERVER), before.get(CLIENT)]);
  }
  return took;
}

async function checkAll(
  kind: Kind,
  follows: readonly Kind[],
  home: TempDir,
  before: ReadonlyMap<string, string>,
  normal: number,
) {
  checkKilled(home.path, before);
  let took = normal;
  for (const follow of follows) {
    using copy = tempDir();
    copyTree(home.path, copy.path);
    took = await checkNextRun(kind, follow, copy.path, before, normal);
  }
  return took;
}

/** Says which kill it was when something is wrong. */
async function named<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`killed ${what}: ${(error as Error).message}`, { cause: error });
  }
}

describe.each([...KINDS])("kill -9 of generate on a host that is %s", (kind) => {
  // After a killed FORCE_REGENERATE, a person runs it again, and a timer runs it without.
  const follows: readonly Kind[] = kind === "forced" ? ["filled", "forced"] : [kind];

  test("right before every call that changes something: old or new, and the next run puts it right", async () => {
    const normal = await durationOf(kind);
    using whole = await homeOf(kind);
    const all = await killPoints(LONG ? ALL : CHANGING, ARGS, optionsOf(kind, whole.path));
    const changing = new RegExp(`^(?:${CHANGING.replaceAll("?", "").replaceAll(",", "|")})$`);
    const points = all.filter((point) => point.publishing || changing.test(point.call));
    expect(points.filter(({ call }) => call.startsWith("rename")).length).toBeGreaterThan(0);
    const work = async (point: KillPoint) => {
      using home = await homeOf(kind);
      const before = contents(home.path);
      await named(`before ${point.call} ${point.count}`, async () => {
        const killed = await killAt(point, ARGS, optionsOf(kind, home.path));
        if (changing.test(point.call)) expect(killed).toBe(true);
        const some = LONG ? follows : [follows[figures.exact % follows.length] ?? kind];
        await checkAll(kind, some, home, before, normal);
      });
      figures.exact++;
      if (point.publishing) figures.publishing++;
    };
    // Two at a time: each waits for the disk half of its time.
    const queue = [...points];
    const worker = async () => {
      for (let point = queue.shift(); point; point = queue.shift()) await work(point);
    };
    await Promise.all([worker(), worker()]);
  });

  test("at any moment: old or new, and the next run puts it right", async () => {
    const normal = await durationOf(kind);
    const count = Math.ceil(KILLS / KINDS.length);
    // The machine may be busier now than it was: the last undisturbed run says how long one takes.
    let current = normal;
    for (let at = 0; at < count; at++) {
      using home = await homeOf(kind);
      const before = contents(home.path);
      const delay = (current * (at + 0.5)) / count;
      await named(`after ${delay.toFixed(1)} of ${current.toFixed(1)} ms`, async () => {
        const child = start(ARGS, optionsOf(kind, home.path));
        await Bun.sleep(delay);
        child.kill("SIGKILL");
        if ((await child.exited) === 0) figures.tooLate++;
        figures.timed++;
        const follow = follows[at % follows.length] ?? kind;
        const took = await checkAll(kind, [follow], home, before, normal);
        if (follow === kind) current = took;
      });
    }
  });
});

test("the kills hit: a quarter of them between the first and the last rename", () => {
  expect(figures.exact).toBeGreaterThan(0);
  expect(figures.timed).toBeGreaterThanOrEqual(KILLS);
  expect(figures.tooLate).toBeLessThan(figures.timed / 2);
  expect(figures.publishing).toBeGreaterThanOrEqual((figures.timed + figures.exact) / 4);
});

afterAll(() => {
  const { timed, tooLate, exact, publishing, slowest } = figures;
  console.log(
    `kills: ${timed + exact} (${timed} spread over the duration, ${tooLate} of them too late; ${exact} before a given system call), ` +
      `${publishing} between the first and the last rename; slowest run after a kill: ${slowest.toFixed(0)} ms`,
  );
});
