import { describe, expect, test } from "bun:test";
import { acquire, replaceAll } from "../../src/authority/acquire.ts";
import { crossesOf, rootsOf } from "../../src/authority/shared-set.ts";
import { firstToken, nextToken } from "../../src/authority/tokens.ts";
import { isIssuedBy } from "../../src/pki/certificates.ts";
import { authority, expectSettled } from "../support/authority.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { DAY, makeClient, makeKey, makeRoot, NOW, valuesOf } from "../support/pki.ts";

describe("whoever comes next finishes what a dead host began", () => {
  const gaps = [
    ["ca-cert"],
    ["client-key"],
    ["client-cert"],
    ["client-key", "client-cert"],
    ["ca-cert", "client-key", "client-cert"],
    ["ca-cert", "client-cert"],
    ["ca-cert", "client-key"],
  ];
  for (const gap of gaps) {
    test(`without ${gap.join(", ")}: what is there stays, and everything fits again`, async () => {
      const root = await makeRoot();
      const all = valuesOf(root, await makeClient(root));
      const kept = Object.fromEntries(Object.entries(all).filter(([name]) => !gap.includes(name)));
      const store = new MemoryStore().seed(kept);
      await acquire(authority(store));
      await expectSettled(store);
      expect(store.value("ca-key")).toBe(all["ca-key"]);
      if (!gap.includes("ca-cert")) expect(store.value("ca-cert")).toBe(all["ca-cert"]);
      if (!gap.includes("client-key")) expect(store.value("client-key")).toBe(all["client-key"]);
    });
  }

  test("a host killed before any of its calls leaves a state that the next one completes", async () => {
    for (let at = 0; at < 13; at++) {
      const store = new MemoryStore();
      let calls = 0;
      store.before = () => {
        if (calls++ >= at) throw new Error("killed");
      };
      await acquire(authority(store)).catch(() => {});
      store.before = () => {};
      const caKey = store.value("ca-key");
      await acquire(authority(store));
      if (caKey !== "") expect(store.value("ca-key")).toBe(caKey);
      await expectSettled(store);
    }
  });

  test("a role that is asked for later is added without touching admin's pair", async () => {
    const store = new MemoryStore();
    await acquire(authority(store));
    const before = store.values();
    const { written } = await acquire(authority(store, ["admin", "developer"]));
    expect([...written].toSorted()).toEqual(["client-cert-developer", "client-key-developer"]);
    expect(store.values()).toMatchObject(before);
  });
});

describe("a client certificate that no longer works is reissued", () => {
  test("expired: same key, same CA, one more version", async () => {
    const root = await makeRoot();
    const client = await makeClient(root, "admin", { now: NOW - 20 * DAY, days: 10 });
    const values = valuesOf(root, client);
    const store = new MemoryStore().seed(values);
    const { written } = await acquire(authority(store));
    expect([...written]).toEqual(["client-cert"]);
    expect(store.secrets.get("client-cert")?.current).toBe(nextToken(firstToken("joblet/client-cert"), 0));
    expect(store.values()).toMatchObject({ "ca-key": values["ca-key"], "client-key": values["client-key"] });
    await expectSettled(store);
  });

  test("expired by the store's clock, whatever this host's says", async () => {
    const clock = { now: NOW };
    const store = new MemoryStore(clock);
    await acquire(authority(store));
    const before = store.values();
    clock.now = NOW + 731 * DAY;
    const { written } = await acquire(authority(store));
    expect([...written]).toEqual(["client-cert"]);
    expect(store.value("ca-cert")).toBe(before["ca-cert"] ?? "");
  });

  test("a version that an operator set aside is not written over: the next free id is taken", async () => {
    const root = await makeRoot();
    const client = await makeClient(root, "admin", { now: NOW - 20 * DAY, days: 10 });
    const store = new MemoryStore().seed(valuesOf(root, client));
    await acquire(authority(store));
    const secret = store.secrets.get("client-cert");
    if (!secret) throw new Error("no client-cert");
    const first = firstToken("joblet/client-cert");
    secret.current = first;
    await acquire(authority(store));
    expect(secret.current).toBe(nextToken(first, 1));
    expect(secret.versions.size).toBe(3);
  });
});

describe("a CA that has expired", () => {
  test("is replaced with everything that it issued, loudly, and not trusted any more", async () => {
    const clock = { now: NOW };
    const store = new MemoryStore(clock);
    const { set: before } = await acquire(authority(store, ["admin", "reader"]));
    clock.now = NOW + 1096 * DAY;
    const who = authority(store, ["admin", "reader"]);
    const { set, written } = await acquire(who);
    expect(written.size).toBe(6);
    expect(set.bundle.map(({ fingerprint }) => fingerprint)).not.toContain(before.issuer.fingerprint);
    expect(set.issuer.subject).not.toBe(before.issuer.subject);
    expect(set.caKey.id).not.toBe(before.caKey.id);
    const [event] = who.events;
    expect(event?.event === "replacing" && event.roots[0]?.fingerprint).toBe(before.issuer.fingerprint);
    await expectSettled(store, ["admin", "reader"]);
  });

  test("killed between any two writes of the replacement, the next host reaches a working set", async () => {
    for (const name of ["ca-cert", "client-key", "client-cert"]) {
      const clock = { now: NOW };
      const store = new MemoryStore(clock);
      await acquire(authority(store));
      clock.now = NOW + 1096 * DAY;
      store.before = (call) => {
        if (call.what === "supersede" && call.name === name) throw new Error("killed");
      };
      await acquire(authority(store)).catch(() => {});
      store.before = () => {};
      await acquire(authority(store));
      await expectSettled(store);
      expect(store.secrets.get("ca-key")?.versions.size).toBe(2);
    }
  });
});

describe("a root that was imported without its key", () => {
  test("stays trusted behind the new one, and is never signed with", async () => {
    const imported = await makeRoot();
    const store = new MemoryStore().seed({ "ca-cert": imported.certificate.pem }, "another-tool");
    const { set } = await acquire(authority(store));
    expect(set.issuer.keyId).not.toBe(imported.key.id);
    expect(set.bundle.map(({ fingerprint }) => fingerprint)).toEqual([
      set.issuer.fingerprint,
      imported.certificate.fingerprint,
    ]);
    await expectSettled(store);
  });

  test("its maker died after the key: the next one finishes", async () => {
    const imported = await makeRoot();
    const store = new MemoryStore().seed({ "ca-cert": imported.certificate.pem }, "another-tool");
    store.before = ({ what, name }) => {
      if (what === "supersede" && name === "ca-cert") throw new Error("killed");
    };
    await acquire(authority(store)).catch(() => {});
    store.before = () => {};
    const key = store.value("ca-key");
    expect(key).toContain("PRIVATE KEY");
    const { set } = await acquire(authority(store));
    expect(store.value("ca-key")).toBe(key);
    expect(rootsOf(set.bundle).length).toBe(2);
    await expectSettled(store);
  });
});

test("a rotation that died after the key is finished with a cross certificate, and old clients stay trusted", async () => {
  const store = new MemoryStore();
  const { set: old } = await acquire(authority(store));
  const heir = await makeKey();
  await store.supersede("ca-key", nextToken(firstToken("joblet/ca-key"), 0), heir.pem);
  const who = authority(store);
  const { set } = await acquire(who);
  expect(set.caKey.id).toBe(heir.id);
  const crosses = crossesOf(set.issuer, set.bundle, NOW);
  expect(crosses.length).toBe(1);
  expect(crosses.every((cross) => isIssuedBy(cross, old.issuer))).toBe(true);
  expect(rootsOf(set.bundle).map(({ fingerprint }) => fingerprint)).toContain(old.issuer.fingerprint);
  await expectSettled(store);
});

describe("a replacement by force", () => {
  test("makes everything anew and trusts nothing of before", async () => {
    const store = new MemoryStore();
    const { set: before } = await acquire(authority(store));
    const { set, written } = await replaceAll(authority(store), "asked for");
    expect(written.size).toBe(4);
    expect(set.bundle.length).toBe(1);
    expect(set.issuer.fingerprint).not.toBe(before.issuer.fingerprint);
    expect([...set.clients.values()].every(({ leaf }) => isIssuedBy(leaf, set.issuer))).toBe(true);
    await expectSettled(store);
  });
  test("works on values that cannot be read at all", async () => {
    const store = new MemoryStore().seed({ "ca-key": "x", "ca-cert": "y", "client-key": "z", "client-cert": "" });
    await replaceAll(authority(store), "asked for");
    await expectSettled(store);
  });
});
