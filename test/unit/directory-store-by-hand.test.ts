import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AuthorityEvent } from "../../src/authority/acquire.ts";
import { acquire } from "../../src/authority/acquire.ts";
import { contentToken, nextToken } from "../../src/authority/tokens.ts";
import type { DirectoryStore } from "../../src/stores/directory.ts";
import { DAY, makeClient, makeRoot, valuesOf } from "../support/pki.ts";
import { FIRST, SECOND, scratchStore, textOf } from "../support/scratch-store.ts";

const place = scratchStore();

const { open, file } = place;

describe("an operator who works with the files by hand", () => {
  const events: AuthorityEvent[] = [];
  const authority = (store: DirectoryStore) => ({
    store,
    roles: ["admin"],
    report: (event: AuthorityEvent) => void events.push(event),
    crypto,
    keyType: "ec-p256" as const,
    caDays: undefined,
    clientDays: undefined,
  });
  const putValues = (values: Record<string, string>) => {
    mkdirSync(place.path, { recursive: true, mode: 0o700 });
    for (const [name, value] of Object.entries(values)) writeFileSync(file(name), value, { mode: 0o600 });
  };

  /** `mv` puts a new file in its place, `cp` writes into the one that is there. */
  const ways: Record<string, (name: string, value: string) => void> = {
    mv: (name, value) => {
      rmSync(file(name));
      putValues({ [name]: value });
    },
    cp: (name, value) => putValues({ [name]: value }),
  };
  for (const [way, putBack] of Object.entries(ways)) {
    test(`puts an older file back with ${way}: the next write takes the next id, what was set aside stays`, async () => {
      const now = Date.now();
      const root = await makeRoot({ now });
      const expired = await makeClient(root, "admin", { now: now - 20 * DAY, days: 10 });
      putValues(valuesOf(root, expired));
      await acquire(authority(open()));
      const setAside = readFileSync(file("client-cert"), "utf8");
      putBack("client-cert", expired.certificate.pem);
      await acquire(authority(open()));
      const [first, second] = [0, 1].map((n) => `client-cert.${nextToken(contentToken(expired.certificate.pem), n)}`);
      expect(readdirSync(file("versions"))).toEqual(expect.arrayContaining([first, second]));
      expect(readFileSync(file("versions", first ?? ""), "utf8")).toBe(setAside);
      expect(readFileSync(file("versions", second ?? ""), "utf8")).toBe(readFileSync(file("client-cert"), "utf8"));
    });
  }
  test("places a whole set: it is adopted as it is", async () => {
    const root = await makeRoot({ now: Date.now() });
    const values = valuesOf(root, await makeClient(root, "admin", { now: Date.now() }));
    putValues(values);
    const { written } = await acquire(authority(open()));
    expect([...written]).toEqual([]);
    for (const [name, value] of Object.entries(values)) expect(readFileSync(file(name), "utf8")).toBe(value);
  });
  test("places CA key and root alone: the client is added, the CA stays", async () => {
    const root = await makeRoot({ now: Date.now() });
    putValues({ "ca-key": root.key.pem, "ca-cert": root.certificate.pem });
    const { set, written } = await acquire(authority(open()));
    expect([...written].toSorted()).toEqual(["client-cert", "client-key"]);
    expect(set.issuer.fingerprint).toBe(root.certificate.fingerprint);
  });
  test("removes a current file whose versions are still there: a new value can be made", async () => {
    const store = open();
    await store.create("ca-key", FIRST, "one");
    await store.supersede("ca-key", SECOND, "two");
    rmSync(file("ca-key"));
    expect(await store.read("ca-key", "current")).toEqual({ state: "absent" });
    expect(await store.create("ca-key", FIRST, "three")).toBe("written");
    expect(await textOf(open(), "ca-key")).toBe("three");
    expect([await textOf(store, "ca-key", { id: FIRST }), await textOf(store, "ca-key", { id: SECOND })]).toEqual([
      "one",
      "two",
    ]);
  });
  test("placed a value that is superseded later: it is kept as the previous version, not lost", async () => {
    putValues({ "ca-key": "placed by hand" });
    const store = open();
    await store.supersede("ca-key", nextToken(contentToken("placed by hand"), 0), "next");
    expect(await textOf(store, "ca-key", "previous")).toBe("placed by hand");
  });
  test("placed an expired CA, and its replacement was killed after the key: the next run finishes it", async () => {
    const now = Date.now();
    const root = await makeRoot({ now: now - 20 * DAY, days: 10 });
    putValues(valuesOf(root, await makeClient(root, "admin", { now: now - 20 * DAY })));
    const store = open();
    const supersede = store.supersede.bind(store);
    store.supersede = (name, token, value) =>
      name === "ca-key" ? supersede(name, token, value) : Promise.reject(new Error("killed"));
    await acquire(authority(store)).catch(() => {});
    const { set } = await acquire(authority(open()));
    expect(set.issuer.notAfter).toBeGreaterThan(now);
  });
});
