import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstToken, nextToken } from "../../src/authority/tokens.ts";
import { DirectoryStore } from "../../src/stores/directory.ts";
import { FIRST, SECOND, scratchStore } from "../support/scratch-store.ts";

const place = scratchStore();

/** Every file below the directory with its content. */
function everything(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(folder, name)).isFile())
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );
}

const THIRD = nextToken(SECOND, 0);

describe("a run that fails before it has published", () => {
  test("takes the directory that it made away again", async () => {
    const store = DirectoryStore.open(place.path);
    await store.create("ca-key", FIRST, "one");
    store.rollBack();
    expect(readdirSync(place.scratch)).toEqual([]);
  });

  test("puts back what it replaced, however often, and leaves no version of its own", async () => {
    const before = DirectoryStore.open(place.path);
    await before.create("ca-key", FIRST, "one");
    before.keep();
    const expected = everything(place.path);
    const store = DirectoryStore.open(place.path);
    await store.supersede("ca-key", SECOND, "two");
    await store.supersede("ca-key", THIRD, "three");
    await store.create("ca-cert", firstToken("ca-cert"), "new");
    store.rollBack();
    expect(everything(place.path)).toEqual(expected);
  });

  test("puts a value back that somebody had placed by hand", async () => {
    mkdirSync(place.path, { mode: 0o700 });
    writeFileSync(join(place.path, "ca-key"), "by hand");
    const store = DirectoryStore.open(place.path);
    await store.supersede("ca-key", nextToken("x", 0), "two");
    store.rollBack();
    expect(everything(place.path)).toEqual({ "ca-key": "by hand" });
  });

  test("cannot take back what it has published", async () => {
    const store = DirectoryStore.open(place.path);
    await store.create("ca-key", FIRST, "one");
    await store.supersede("ca-key", SECOND, "two");
    store.keep();
    store.rollBack();
    expect(readFileSync(join(place.path, "ca-key"), "utf8")).toBe("two");
    expect(readdirSync(place.path).sort()).toEqual(["ca-key", "versions"]);
  });

  test("was killed instead: the next to open the store keeps what won and clears the rest", async () => {
    const store = DirectoryStore.open(place.path);
    await store.create("ca-key", FIRST, "one");
    store.keep();
    await DirectoryStore.open(place.path).supersede("ca-key", SECOND, "two");
    const next = DirectoryStore.open(place.path);
    expect(readdirSync(place.path).sort()).toEqual(["ca-key", "versions"]);
    next.rollBack();
    expect(readFileSync(join(place.path, "ca-key"), "utf8")).toBe("two");
  });
});
