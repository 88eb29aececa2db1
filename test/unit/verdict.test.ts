import { beforeAll, describe, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { firstToken, nextToken } from "../../src/authority/tokens.ts";
import type { Verdict } from "../../src/authority/verdict.ts";
import { writeBundle } from "../../src/pki/certificates.ts";
import { parsePrivateKey } from "../../src/pki/keys.ts";
import { expectInvalid, onlyStep, summary, verdict, writesOf } from "../support/judging.ts";
import { makeOldSet } from "../support/openssl.ts";
import {
  DAY,
  leaks,
  makeClient,
  makeCross,
  makeImpostor,
  makeKey,
  makeRoot,
  makeServer,
  NOW,
  type Pair,
  valuesOf,
} from "../support/pki.ts";

const FIRST = firstToken("joblet/ca-key");
let root: Pair;
let other: Pair;
let client: Pair;
let set: Record<string, string>;

beforeAll(async () => {
  [root, other] = await Promise.all([makeRoot(), makeRoot()]);
  client = await makeClient(root);
  set = valuesOf(root, client);
});

function without(...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(set).filter(([name]) => !names.includes(name)));
}

describe("a value that is not what its name says stops everything and names its secret", () => {
  const encrypted = (pem: string) =>
    String(createPrivateKey(pem).export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "secret" }));
  const cases: readonly [string, string, () => string, RegExp][] = [
    ["not PEM", "ca-key", () => "hello", /not PEM/],
    ["empty", "ca-cert", () => "", /not PEM/],
    ["a certificate as the CA key", "ca-key", () => root.certificate.pem, /CERTIFICATE/],
    ["a key as the root", "ca-cert", () => root.key.pem, /private key/],
    ["a key behind the root", "ca-cert", () => root.certificate.pem + root.key.pem, /private key/],
    ["an encrypted CA key", "ca-key", () => encrypted(root.key.pem), /encrypted/],
    ["an encrypted client key", "client-key", () => encrypted(client.key.pem), /encrypted/],
    ["a leaf as the root", "ca-cert", () => client.certificate.pem, /CA bit/],
    ["a leaf behind the root", "ca-cert", () => root.certificate.pem + client.certificate.pem, /CA bit/],
    ["a key as the client certificate", "client-cert", () => client.key.pem, /private key/],
    ["a certificate as the client key", "client-key", () => client.certificate.pem, /CERTIFICATE/],
    ["a root cut off", "ca-cert", () => root.certificate.pem.slice(0, 300), /cut off/],
  ];
  for (const [what, name, value, problem] of cases) {
    test(what, () => {
      const found = verdict({ ...set, [name]: value() });
      expectInvalid(found, name, problem);
      for (const { key } of [root, client]) expect(leaks(JSON.stringify(found), key.pem)).toBe(false);
    });
  }
  test("also where other secrets are missing: nothing is repaired around a broken value", () => {
    expectInvalid(verdict({ "client-cert": "nonsense" }), "client-cert", /PEM/);
    expectInvalid(verdict({ "ca-key": set["ca-key"] as string, "client-key": "x" }), "client-key", /PEM/);
  });
  test("a foreign intermediate in the bundle is no root", async () => {
    const cross = await makeCross(other, await makeRoot());
    expectInvalid(verdict({ ...set, "ca-cert": root.certificate.pem + cross.pem }), "ca-cert", /self-signed/);
  });
});

for (const name of ["ca-key", "ca-cert", "client-key", "client-cert"]) {
  test(`${name} scheduled for deletion is not taken for missing`, () => {
    const found = verdict({ ...set, [name]: "deleted" });
    expectInvalid(found, name, /deletion/);
    expect(found.kind === "invalid" && found.remedy).toContain("restore-secret");
  });
}

test("all secrets scheduled for deletion are no empty store: no second CA is founded", () => {
  const all = { "ca-key": "deleted", "ca-cert": "deleted", "client-key": "deleted", "client-cert": "deleted" } as const;
  expectInvalid(verdict(all), "ca-key", /deletion/);
});

test("only an empty store leads to a new CA", () => {
  expect(verdict({}).kind).toBe("bootstrap");
  for (const name of Object.keys(set)) expect(verdict({ [name]: set[name] as string }).kind).not.toBe("bootstrap");
});

test("an imported root without its key gets a key of its own beside it", () => {
  onlyStep(verdict({ "ca-cert": set["ca-cert"] as string }), "ca-key");
});

describe("a lost CA key is never replaced on a guess", () => {
  for (const gone of [
    ["ca-key"],
    ["ca-key", "ca-cert"],
    ["ca-key", "client-key"],
    ["ca-key", "ca-cert", "client-cert"],
  ]) {
    test(`without ${gone.join(", ")}`, () => expectInvalid(verdict(without(...gone)), "ca-key", /lost/));
  }
});

describe("a missing root is made for the CA key that is there", () => {
  test("clients complete: the root alone", () => {
    const step = onlyStep(verdict(without("ca-cert")), "ca-cert");
    expect([step.key.id, step.keep.length, step.predecessor]).toEqual([root.key.id, 0, undefined]);
  });
  test("a boot that died after its first write: root and client key side by side", () => {
    expect(writesOf(verdict({ "ca-key": set["ca-key"] as string })).sort()).toEqual(["ca-cert", "client-key"]);
  });
});

describe("a CA key that fits no root", () => {
  const rotating = () => ({ ...set, "ca-key": { id: nextToken(FIRST, 0), value: other.key.pem } });

  test("is not judged before its predecessor was looked at", () => {
    expect(verdict(rotating())).toEqual({ kind: "look-back", secrets: ["ca-key"] });
  });
  test("is a rotation under way when the previous key fits: finished with a cross certificate and both roots", () => {
    const step = onlyStep(verdict(rotating(), { "ca-key": root.key.pem }), "ca-cert");
    expect(step.key.id).toBe(other.key.id);
    expect(step.predecessor?.key.id).toBe(root.key.id);
    expect(step.predecessor?.root.fingerprint).toBe(root.certificate.fingerprint);
    expect(step.keep.map((kept) => kept.fingerprint)).toEqual([root.certificate.fingerprint]);
  });
  test("rotates away from an expired root without signature or trust of the expired one", async () => {
    const old = await makeRoot({ now: NOW - 100 * DAY, days: 50 });
    const values = { ...rotating(), "ca-cert": writeBundle([old.certificate, root.certificate]) };
    const step = onlyStep(verdict(values, { "ca-key": old.key.pem }), "ca-cert");
    expect(step.predecessor).toBeUndefined();
    expect(step.keep.map((kept) => kept.fingerprint)).toEqual([root.certificate.fingerprint]);
  });
  test("was made for an imported root when it is the first version without a predecessor", () => {
    const step = onlyStep(
      verdict({ ...without("client-key", "client-cert"), "ca-key": other.key.pem }, { "ca-key": null }),
      "ca-cert",
    );
    expect([step.key.id, step.predecessor]).toEqual([other.key.id, undefined]);
    expect(step.keep.map((kept) => kept.fingerprint)).toEqual([root.certificate.fingerprint]);
  });
  test("is an error under another id: two halves of different imports", () => {
    expectInvalid(
      verdict({ ...set, "ca-key": { id: "another-tool", value: other.key.pem } }, { "ca-key": null }),
      "ca-key",
      /fit/,
    );
  });
  test("is an error when the previous key fits no root either: a label was moved", async () => {
    const third = await makeKey();
    expectInvalid(verdict(rotating(), { "ca-key": third.pem }), "ca-key", /fit/);
    expectInvalid(verdict({ ...set, "ca-key": other.key.pem }, { "ca-key": third.pem }), "ca-key", /fit/);
  });
  test("never issues a client certificate, whatever is missing", () => {
    const values = { "ca-cert": set["ca-cert"] as string, "ca-key": { id: "x", value: other.key.pem } };
    expect(verdict(values).kind).toBe("look-back");
    expect(verdict(values, { "ca-key": null }).kind).toBe("invalid");
  });
});

describe("an expired issuing root", () => {
  test("is replaced, and takes no expired root along", async () => {
    const old = await makeRoot({ now: NOW - 100 * DAY, days: 50 });
    const older = await makeRoot({ now: NOW - 100 * DAY, days: 60 });
    const bundle = writeBundle([old.certificate, older.certificate, other.certificate]);
    const found = verdict({ ...valuesOf(old, await makeClient(root)), "ca-cert": bundle });
    expect(found.kind).toBe("replace");
    if (found.kind !== "replace") return;
    expect(found.expired.fingerprint).toBe(old.certificate.fingerprint);
    expect(found.keep.map((kept) => kept.fingerprint)).toEqual([other.certificate.fingerprint]);
  });
  test("is judged by the store's clock, to the second", () => {
    const end = root.certificate.notAfter;
    expect(verdict(set, {}, ["admin"], end + 1000).kind).toBe("replace");
    expect(verdict(set, {}, ["admin"], end).kind).toBe("write");
  });
  test("comes before a missing client: nothing is issued from it", () => {
    const end = root.certificate.notAfter;
    expect(verdict(without("client-cert"), {}, ["admin"], end + 1000).kind).toBe("replace");
  });
  test("another root of the bundle that has expired replaces nothing", async () => {
    const old = await makeRoot({ now: NOW - 100 * DAY, days: 50 });
    expect(verdict({ ...set, "ca-cert": writeBundle([root.certificate, old.certificate]) }).kind).toBe("use");
  });
});

describe("a gap in the client pair is repaired, nothing else is touched", () => {
  test("the key is missing", () => void onlyStep(verdict(without("client-key", "client-cert")), "client-key"));
  test("the key alone is missing", () => void onlyStep(verdict(without("client-key")), "client-key"));
  test("the certificate is missing: issued for the key that is there", () => {
    const step = onlyStep(verdict(without("client-cert")), "client-cert");
    expect([step.clientKey.id, step.caKey.id, step.role]).toEqual([client.key.id, root.key.id, "admin"]);
    expect(step.issuer.fingerprint).toBe(root.certificate.fingerprint);
  });
  test("a further role is missing: admin's pair stays", () => {
    const found = verdict(set, {}, ["admin", "reader"]);
    expect(onlyStep(found, "client-key").role).toBe("reader");
  });
});

describe("a client certificate that does not work is reissued for the same key", () => {
  const cases: readonly [string, () => Promise<string>][] = [
    ["it belongs to another key", async () => (await makeClient(root)).certificate.pem],
    ["another CA issued it", async () => (await makeClient(other, "admin", { key: client.key })).certificate.pem],
    ["it is good for servers only", async () => (await makeServer(root, [], { key: client.key })).certificate.pem],
    ["it gives another role", async () => (await makeClient(root, "reader", { key: client.key })).certificate.pem],
    [
      "it has expired",
      async () => (await makeClient(root, "admin", { key: client.key, now: NOW - 50 * DAY, days: 49 })).certificate.pem,
    ],
  ];
  for (const [what, make] of cases) {
    test(what, async () => {
      const step = onlyStep(verdict({ ...set, "client-cert": await make() }), "client-cert");
      expect([step.clientKey.id, step.issuer.fingerprint]).toEqual([client.key.id, root.certificate.fingerprint]);
    });
  }
  test("a role must not come in through another role's secret", async () => {
    const reader = { ...set, "client-key-reader": client.key.pem, "client-cert-reader": client.certificate.pem };
    expect(onlyStep(verdict(reader, {}, ["admin", "reader"]), "client-cert").role).toBe("reader");
  });
  test("a certificate of the same name from a CA of the same name with another key", async () => {
    const forged = await makeClient(await makeImpostor(root), "admin", { key: client.key });
    expect(forged.certificate.issuer).toBe(root.certificate.subject);
    onlyStep(verdict({ ...set, "client-cert": forged.certificate.pem }), "client-cert");
  });
});

describe("a working set is used as it is", () => {
  const used = (found: Verdict) => {
    if (found.kind !== "use") throw new Error(JSON.stringify(summary(found)));
    return found.set;
  };
  test("all four values fit", () => {
    const { issuer, clients, caKey } = used(verdict(set));
    expect([issuer.fingerprint, caKey.id]).toEqual([root.certificate.fingerprint, root.key.id]);
    expect([...clients.keys()]).toEqual(["admin"]);
  });
  test("the CA key fits the second root: that one issues", () => {
    const bundle = writeBundle([other.certificate, root.certificate]);
    expect(used(verdict({ ...set, "ca-cert": bundle })).issuer.fingerprint).toBe(root.certificate.fingerprint);
  });
  test("during an overlap: cross certificate in the bundle, client still of the old root", async () => {
    const cross = await makeCross(other, root);
    const bundle = writeBundle([other.certificate, cross, root.certificate]);
    const found = used(verdict({ ...set, "ca-key": other.key.pem, "ca-cert": bundle }));
    expect(found.issuer.fingerprint).toBe(other.certificate.fingerprint);
    expect(found.bundle.length).toBe(3);
  });
  test("a cross certificate whose old root has gone does no harm", async () => {
    const cross = await makeCross(root, other);
    expect(verdict({ ...set, "ca-cert": root.certificate.pem + cross.pem }).kind).toBe("use");
  });
  test("a certificate that is not valid yet is waited for, not replaced", async () => {
    const early = await makeClient(root, "admin", { key: client.key, now: NOW + 2 * DAY });
    expect(verdict({ ...set, "client-cert": early.certificate.pem }).kind).toBe("use");
  });
  test("what the old scripts stored: PKCS#1 keys, a root without keyUsage, an X.509 v1 client, text around it", () => {
    const old = makeOldSet({ caBits: 2048 });
    const pkcs1 = (pem: string) => String(createPrivateKey(pem).export({ format: "pem", type: "pkcs1" }));
    const values = {
      "ca-key": { id: "another-tool", value: pkcs1(old.caKey) },
      "ca-cert": `Certificate:\n    Data:\n${old.caCert.replaceAll("\n", "\r\n")}`,
      "client-key": pkcs1(old.clientKey),
      "client-cert": `Subject: someone\n\n${old.clientCert}\n\n`,
    };
    const found = used(verdict(values, {}, ["admin"], Date.now()));
    expect(found.caKey.id).toBe(parsePrivateKey(old.caKey).id);
    expect(found.clients.get("admin")?.leaf.extendedKeyUsage).toBeUndefined();
  });
});
