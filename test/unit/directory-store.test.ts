import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { firstToken, nextToken } from "../../src/authority/tokens.ts";
import { ExitCode } from "../../src/errors.ts";
import { FIRST, SECOND, scratchStore, textOf } from "../support/scratch-store.ts";
import { failureOf } from "../support/thrown.ts";

const place = scratchStore();

const { open, file } = place;
const modeOf = (name: string) => lstatSync(name).mode & 0o7777;
const waiting = (name: string, id: string) => file(`.${name}.${id}.new`);

/** A version on its way, as a killed run leaves it. */
function leaveBehind(name: string, id: string, value: string, linked: boolean): void {
  mkdirSync(file("versions"), { recursive: true, mode: 0o700 });
  chmodSync(place.path, 0o700);
  writeFileSync(waiting(name, id), value, { mode: 0o600 });
  if (linked) linkSync(waiting(name, id), file("versions", `${name}.${id}`));
}

describe("write once", () => {
  test("a second writer of the same version with other content is refused and changes nothing", async () => {
    const store = open();
    expect(await store.create("ca-key", FIRST, "one")).toBe("written");
    expect(await store.create("ca-key", FIRST, "two")).toBe("refused");
    expect(await store.supersede("ca-key", SECOND, "three")).toBe("written");
    expect(await store.supersede("ca-key", SECOND, "four")).toBe("refused");
    expect(await textOf(open(), "ca-key")).toBe("three");
    expect(readdirSync(place.path).toSorted()).toEqual(["ca-key", "versions"]);
  });
  test("the same request again is a success: an answer that was lost is no reason to fail", async () => {
    const store = open();
    for (const _ of [1, 2]) expect(await store.create("ca-key", FIRST, "one")).toBe("written");
    for (const _ of [1, 2]) expect(await store.supersede("ca-key", SECOND, "two")).toBe("written");
    expect(await textOf(store, "ca-key")).toBe("two");
  });
  test("a create over a value that somebody else put there is refused", async () => {
    mkdirSync(place.path, { mode: 0o700 });
    writeFileSync(file("ca-key"), "theirs", { mode: 0o600 });
    expect(await open().create("ca-key", FIRST, "mine")).toBe("refused");
    expect(readFileSync(file("ca-key"), "utf8")).toBe("theirs");
  });
  test("names that begin alike do not mix: client-key and client-key-reader", async () => {
    const store = open();
    await store.create("client-key-reader", firstToken("client-key-reader"), "reader");
    await store.create("client-key", firstToken("client-key"), "admin");
    expect([await textOf(store, "client-key"), await textOf(store, "client-key-reader")]).toEqual(["admin", "reader"]);
  });
});

describe("every version can be read again", () => {
  test("by stage and by id, and says whether it is current", async () => {
    const store = open();
    await store.create("ca-key", FIRST, "one");
    await store.supersede("ca-key", SECOND, "two");
    const version = (id: string, value: string, current: boolean) => ({
      state: "present",
      version: { id, value, current },
    });
    expect(await store.read("ca-key", "current")).toEqual(version(SECOND, "two", true) as never);
    expect(await store.read("ca-key", "previous")).toEqual(version(FIRST, "one", false) as never);
    expect(await store.read("ca-key", { id: FIRST })).toEqual(version(FIRST, "one", false) as never);
    expect(await store.read("ca-key", { id: nextToken(SECOND, 0) })).toEqual({ state: "absent" });
    expect(await store.read("ca-cert", "current")).toEqual({ state: "absent" });
  });
  test("a first version has no predecessor", async () => {
    const store = open();
    await store.create("ca-key", FIRST, "one");
    expect(await store.read("ca-key", "previous")).toEqual({ state: "absent" });
  });
});

describe("a run killed in the middle of a write", () => {
  test("between link and rename: the version has won, the next one to come makes it current", async () => {
    await open().create("ca-key", FIRST, "one");
    leaveBehind("ca-key", SECOND, "two", true);
    const store = open();
    expect(await textOf(store, "ca-key")).toBe("two");
    expect(await textOf(store, "ca-key", "previous")).toBe("one");
    expect(existsSync(waiting("ca-key", SECOND))).toBe(false);
    expect(readFileSync(file("ca-key"), "utf8")).toBe("two");
  });
  test("between link and rename of the very first version", async () => {
    leaveBehind("ca-key", FIRST, "one", true);
    expect(await textOf(open(), "ca-key")).toBe("one");
  });
  test("before the link, half written: nothing of it is left or believed", async () => {
    await open().create("ca-key", FIRST, "one");
    leaveBehind("ca-key", SECOND, "tw", false);
    const store = open();
    expect(await textOf(store, "ca-key")).toBe("one");
    expect(existsSync(waiting("ca-key", SECOND))).toBe(false);
    expect(await store.supersede("ca-key", SECOND, "two")).toBe("written");
  });
  test("a loser's file beside a version with other content does not become current", async () => {
    const store = open();
    await store.create("ca-key", FIRST, "one");
    await store.supersede("ca-key", SECOND, "winner");
    leaveBehind("ca-key", SECOND, "loser", false);
    expect(await textOf(open(), "ca-key")).toBe("winner");
  });
  test("after the rename: opening again changes nothing", async () => {
    await open().create("ca-key", FIRST, "one");
    const before = readdirSync(place.path, { recursive: true }).toSorted();
    open();
    expect(readdirSync(place.path, { recursive: true }).toSorted()).toEqual(before);
  });
  test("files of other programs in the directory are left alone", () => {
    mkdirSync(place.path, { mode: 0o700 });
    for (const name of [".backup.new", "notes.txt", ".ca-key.swp"]) writeFileSync(file(name), "mine");
    open();
    expect(readdirSync(place.path).toSorted()).toEqual([".backup.new", ".ca-key.swp", "notes.txt"]);
  });
});

describe("nobody else can read or swap the keys", () => {
  for (const umask of [0o000, 0o077]) {
    test(`directories 0700 and files 0600, with umask ${umask.toString(8)}`, async () => {
      const before = process.umask(umask);
      try {
        const store = open();
        await store.create("ca-key", FIRST, "one");
        await store.supersede("ca-key", SECOND, "two");
      } finally {
        process.umask(before);
      }
      expect([place.path, file("versions")].map(modeOf)).toEqual([0o700, 0o700]);
      expect([file("ca-key"), file("versions", `ca-key.${FIRST}`)].map(modeOf)).toEqual([0o600, 0o600]);
    });
  }
  test("a directory that others may write to is refused", () => {
    mkdirSync(place.path);
    chmodSync(place.path, 0o777);
    const failure = failureOf(open);
    expect([failure.exitCode, failure.message.includes(place.path)]).toEqual([ExitCode.files, true]);
  });
  test("a symbolic link in the directory's place is refused", () => {
    mkdirSync(join(place.scratch, "elsewhere"), { mode: 0o700 });
    symlinkSync("elsewhere", place.path);
    expect(failureOf(open).message).toContain("symbolic link");
  });
  test("a symbolic link in a file's place is not followed", async () => {
    mkdirSync(place.path, { mode: 0o700 });
    writeFileSync(join(place.scratch, "target"), "secret");
    symlinkSync("../target", file("ca-key"));
    await expect(open().read("ca-key", "current")).rejects.toThrow("symbolic link");
  });
});

describe("empty means that nothing of a set is there", () => {
  test("a missing directory, an empty one, and one with other files", () => {
    expect(open().isEmpty()).toBe(true);
    mkdirSync(place.path, { mode: 0o700 });
    writeFileSync(file("README"), "");
    expect(open().isEmpty()).toBe(true);
  });
  for (const name of ["ca-key", "ca-cert", "client-key", "client-cert-reader"]) {
    test(`${name} alone is not empty`, async () => {
      const store = open();
      await store.create(name, firstToken(name), "one");
      expect(store.isEmpty()).toBe(false);
    });
  }
  test("looking does not make the directory", async () => {
    const store = open();
    await store.read("ca-key", "current");
    store.flush();
    expect(existsSync(place.path)).toBe(false);
  });
});

test("after the CA key was discarded nothing of the directory is left, versions included", async () => {
  const store = open();
  await store.create("ca-key", FIRST, "one");
  store.remove();
  expect(existsSync(place.path)).toBe(false);
});
