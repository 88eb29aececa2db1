import { describe, expect, test } from "bun:test";
import { acquire } from "../../src/authority/acquire.ts";
import { describeSecret } from "../../src/authority/secrets.ts";
import { generationOf } from "../../src/authority/shared-set.ts";
import { firstToken } from "../../src/authority/tokens.ts";
import { ExitCode } from "../../src/errors.ts";
import { parseCertificates, writeBundle } from "../../src/pki/certificates.ts";
import { authority, expectSettled, failureOf, ORDER } from "../support/authority.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { makeClient, makeKey, makeRoot, NOW, valuesOf } from "../support/pki.ts";

describe("a first boot", () => {
  test("writes each secret once, in order, in at most 6 rounds, and judges what it wrote", async () => {
    const store = new MemoryStore();
    const { set, written } = await acquire(authority(store));
    expect(store.writes.toSorted()).toEqual(ORDER.toSorted());
    expect(store.writes.indexOf("ca-key")).toBe(0);
    expect(store.writes.at(-1)).toBe("client-cert");
    expect(store.rounds).toBeLessThanOrEqual(6);
    expect(store.calls.slice(-4).every(({ what }) => what === "read")).toBe(true);
    expect([...written].toSorted()).toEqual(ORDER.toSorted());
    expect(set.issuer.isCa).toBe(true);
    await expectSettled(store);
  });

  test("makes the client key beside the root, not after it: a boot waits for both", async () => {
    const store = new MemoryStore();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    store.before = async ({ what, name }) => {
      if (what === "create" && name === "client-key") begin();
      if (what === "create" && name === "ca-cert") {
        await Promise.race([begun, Bun.sleep(4000).then(() => Promise.reject(new Error("client-key waited")))]);
      }
    };
    await acquire(authority(store));
  });

  test("uses the ids that every other host computes", async () => {
    const store = new MemoryStore({ now: NOW }, "my-app/joblet");
    await acquire(authority(store));
    for (const name of ORDER) expect(store.secrets.get(name)?.current).toBe(firstToken(`my-app/joblet/${name}`));
  });

  test("for several roles makes a pair each, and admin's has no suffix", async () => {
    const store = new MemoryStore();
    const { set } = await acquire(authority(store, ["admin", "reader", "viewer"]));
    const extra = ["client-key-reader", "client-cert-reader", "client-key-viewer", "client-cert-viewer"];
    expect([...store.secrets.keys()].toSorted()).toEqual([...ORDER, ...extra].toSorted());
    expect([...set.clients].map(([role, { leaf }]) => [role, leaf.units])).toEqual([
      ["admin", ["admin"]],
      ["reader", ["reader"]],
      ["viewer", ["viewer"]],
    ]);
    expect(store.rounds).toBeLessThanOrEqual(6);
    await expectSettled(store, ["admin", "reader", "viewer"]);
  });

  test("reports every certificate that it issues, and no key", async () => {
    const store = new MemoryStore();
    const who = authority(store);
    await acquire(who);
    expect(who.events.flatMap((event) => (event.event === "issued" ? [event.role] : [])).toSorted()).toEqual([
      "admin",
      "ca",
    ]);
    expect(JSON.stringify(who.events)).not.toContain("PRIVATE KEY");
  });
});

describe("hosts that boot together", () => {
  for (const hosts of [2, 5]) {
    test(`${hosts} of them end with one CA and one client certificate`, async () => {
      const store = new MemoryStore();
      store.exclusive = false;
      const sets = await Promise.all(Array.from({ length: hosts }, () => acquire(authority(store))));
      const generations = new Set(sets.map(({ set }) => generationOf(set.bundle, set.clients.values()).join()));
      expect(generations.size).toBe(1);
      for (const { versions } of store.secrets.values()) expect(versions.size).toBe(1);
      await expectSettled(store);
    });
  }

  test("a host that loses its first write goes on with the winner's key, not with its own", async () => {
    const store = new MemoryStore();
    store.exclusive = false;
    const winner = await makeKey();
    store.before = ({ what, name }) => {
      if (what === "create" && name === "ca-key" && !store.secrets.has("ca-key")) store.seed({ "ca-key": winner.pem });
    };
    const { set, written } = await acquire(authority(store));
    expect(set.caKey.id).toBe(winner.id);
    expect(written.has("ca-key")).toBe(false);
  });
});

describe("an error names what a person has to do", () => {
  test("a broken value: exit 6, its full name, and nothing was written", async () => {
    const root = await makeRoot();
    const store = new MemoryStore().seed({ ...valuesOf(root, await makeClient(root)), "client-cert": "garbage" });
    const failure = await failureOf(acquire(authority(store)));
    expect(failure.exitCode).toBe(ExitCode.storeInvalid);
    expect(failure.message).toContain("joblet/client-cert");
    expect(store.writes).toEqual([]);
  });
  test("a secret scheduled for deletion: the whole command that brings it back, with its name", async () => {
    const root = await makeRoot();
    const store = new MemoryStore().seed(valuesOf(root, await makeClient(root)));
    const secret = store.secrets.get("ca-key");
    if (secret) secret.deleted = true;
    const failure = await failureOf(acquire(authority(store)));
    expect(failure.exitCode).toBe(ExitCode.storeInvalid);
    expect(failure.hint).toContain("aws secretsmanager restore-secret --secret-id joblet/ca-key");
  });
  test("a store that never settles ends, with exit 6, instead of writing for ever", async () => {
    const store = new MemoryStore();
    store.exclusive = false;
    const root = await makeRoot();
    store.seed(valuesOf(root, await makeClient(root)));
    const intruder = await makeClient(await makeRoot());
    const broken = {
      versions: new Map([["a", intruder.certificate.pem]]),
      current: "a",
      previous: undefined,
      deleted: false,
    };
    store.before = ({ what, name }) => {
      if (what === "read" && name === "client-cert") store.secrets.set("client-cert", structuredClone(broken));
    };
    expect((await failureOf(acquire(authority(store)))).exitCode).toBe(ExitCode.storeInvalid);
    expect(store.writes.length).toBeLessThan(40);
  });
});

test("secrets carry the descriptions that dashboards of existing fleets show", () => {
  expect(ORDER.map(describeSecret)).toEqual([
    "Joblet Root CA Private Key - shared across all instances",
    "Joblet Root CA Certificate - shared across all instances",
    "Joblet Admin Client Private Key - shared across all clients",
    "Joblet Admin Client Certificate - shared across all clients",
  ]);
});

test("the stored bundle starts with the issuing root, so that openssl x509 shows the current CA", async () => {
  const imported = await makeRoot();
  const store = new MemoryStore().seed({ "ca-cert": writeBundle([imported.certificate]) }, "another-tool");
  const { set } = await acquire(authority(store));
  expect(parseCertificates(store.value("ca-cert"))[0]?.keyId).toBe(set.caKey.id);
});
