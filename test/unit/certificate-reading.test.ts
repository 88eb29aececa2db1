import { beforeAll, describe, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { allowsUsage, isIssuedBy, isSelfSigned, parseCertificates } from "../../src/pki/certificates.ts";
import { KEY_TYPES } from "../../src/pki/key-types.ts";
import { DAY, makeClient, makeImpostor, makeRoot, makeServer, NOW, type Pair } from "../support/pki.ts";

let root: Pair;
let old: Pair;

beforeAll(async () => {
  [root, old] = await Promise.all([makeRoot(), makeRoot({ now: NOW - 365 * DAY })]);
});

describe("who issued a certificate is told by its signature", () => {
  test("not by the name and key identifier, which an impostor copies", async () => {
    const impostor = await makeImpostor(root);
    const leaf = await makeClient(root);
    const forged = await makeClient(impostor);
    expect(impostor.certificate.subject).toBe(root.certificate.subject);
    expect([
      isIssuedBy(leaf.certificate, root.certificate),
      isIssuedBy(leaf.certificate, impostor.certificate),
    ]).toEqual([true, false]);
    expect(isIssuedBy(forged.certificate, root.certificate)).toBe(false);
  });
  test("a leaf signs nothing, though its key could", async () => {
    const leaf = await makeClient(root);
    const child = await makeClient({ key: leaf.key, certificate: root.certificate }).catch(() => undefined);
    expect(child).toBeUndefined();
  });
  test("a certificate with one bit changed was issued by nobody", async () => {
    const der = Uint8Array.from(root.certificate.der);
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    const text = `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
    const [damaged] = parseCertificates(text);
    expect(damaged && isSelfSigned(damaged)).toBe(false);
  });
});

test("a certificate for servers is not good for clients, nor the other way round", async () => {
  const [server, client] = [await makeServer(root), await makeClient(root)];
  const [SERVER, CLIENT] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
  const usable = [server, client].map(({ certificate }) =>
    [SERVER, CLIENT].map((usage) => allowsUsage(certificate, usage)),
  );
  expect(usable).toEqual([
    [true, false],
    [false, true],
  ]);
});

test("keyId is equal for a key and its certificate, and only then", async () => {
  for (const keyType of KEY_TYPES.filter((type) => type !== "rsa-4096")) {
    const { key, certificate } = await makeClient(root, "admin", { keyType });
    expect(certificate.keyId).toBe(key.id);
    const exported = createPublicKey(certificate.pem).export({ format: "der", type: "spki" });
    expect(Buffer.from(key.spki).equals(exported)).toBe(true);
    expect(certificate.keyId).not.toBe(root.key.id);
  }
});

describe("a bundle", () => {
  test("is read in order, with text, blank lines, CRLF and indentation around it", () => {
    const text = `# ours\r\n${root.certificate.pem.replaceAll("\n", "\r\n")}\n\ntext\n${old.certificate.pem.replace(/^/gm, "   ")}`;
    expect(parseCertificates(text).map(({ fingerprint }) => fingerprint)).toEqual([
      root.certificate.fingerprint,
      old.certificate.fingerprint,
    ]);
  });
  for (const [what, text, message] of [
    ["nothing", "", /not PEM/],
    ["a body that is no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /decoded/],
    [
      "a request",
      "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
      /CERTIFICATE REQUEST/,
    ],
  ] as const) {
    test(`with ${what} is refused, saying what it is`, () => expect(() => parseCertificates(text)).toThrow(message));
  }
});
