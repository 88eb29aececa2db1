import { beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { type Certificate, isIssuedBy, isSelfSigned } from "../../src/pki/certificates.ts";
import type { KEY_TYPES } from "../../src/pki/key-types.ts";
import * as x509 from "../../src/pki/x509-library.ts";
import { DAY, makeClient, makeCross, makeKey, makeRoot, makeServer, NOW, type Pair } from "../support/pki.ts";

const HOUR = 3_600_000;
const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = x509.KeyUsageFlags;

let root: Pair;
let old: Pair;
let cross: Certificate;

beforeAll(async () => {
  [root, old] = await Promise.all([makeRoot(), makeRoot({ now: NOW - 365 * DAY })]);
  cross = await makeCross(root, old);
});

/** The same certificate through another parser than the program's. */
function independent(certificate: Certificate): x509.X509Certificate {
  return new x509.X509Certificate(certificate.der as Uint8Array<ArrayBuffer>);
}

function native(certificate: Certificate): X509Certificate {
  return new X509Certificate(certificate.pem);
}

interface Row {
  subject: string;
  issuer: Certificate | undefined;
  end: number;
  ca: boolean;
  pathLength: number | undefined;
  keyUsage: number;
  extendedKeyUsage: string | undefined;
  san: boolean;
}

/** Everything that the table says, of one certificate. */
function expectRow(certificate: Certificate, row: Row): void {
  const parsed = independent(certificate);
  const seen = native(certificate);
  expect(parsed.subject).toBe(row.subject);
  expect(parsed.issuer).toBe(row.issuer ? independent(row.issuer).subject : row.subject);
  const der = (name: x509.Name) => Buffer.from(name.toArrayBuffer()).toString("hex");
  expect(der(parsed.issuerName)).toBe(der(row.issuer ? independent(row.issuer).subjectName : parsed.subjectName));
  expect([parsed.notBefore.getTime(), parsed.notAfter.getTime()]).toEqual([NOW - HOUR, row.end]);
  const basic = parsed.getExtension(x509.BasicConstraintsExtension);
  expect([basic?.critical, basic?.ca, basic?.pathLength]).toEqual([true, row.ca, row.pathLength]);
  const usages = parsed.getExtension(x509.KeyUsagesExtension);
  expect([usages?.critical, usages?.usages]).toEqual([true, row.keyUsage]);
  const extended = parsed.getExtension(x509.ExtendedKeyUsageExtension);
  expect(extended?.usages.map(String)).toEqual(row.extendedKeyUsage === undefined ? undefined : [row.extendedKeyUsage]);
  expect(parsed.getExtension(x509.SubjectAlternativeNameExtension) !== null).toBe(row.san);
  const ski = parsed.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const aki = parsed.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  const issuerSki = row.issuer && independent(row.issuer).getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  expect(ski).toMatch(/^[0-9a-f]{40}$/);
  expect(aki).toBe(issuerSki ?? (ski as string));
  const oids = parsed.extensions.map(({ type }) => type);
  expect(new Set(oids).size).toBe(oids.length);
  const signer = row.issuer ? native(row.issuer) : seen;
  expect([seen.ca, seen.checkIssued(signer), seen.verify(signer.publicKey)]).toEqual([row.ca, true, true]);
  // Version 3, and the fields that the program reports of it.
  expect(seen.subject.replaceAll("\n", ", ")).toBe(certificate.subject);
  expect(seen.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(certificate.fingerprint);
  expect([certificate.notBefore, certificate.notAfter]).toEqual([NOW - HOUR, row.end]);
}

const identifier = (certificate: Certificate) =>
  independent(certificate).getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? "";

describe("each certificate holds exactly what the table says", () => {
  test("root CA", () => {
    expectRow(root.certificate, {
      subject: `O=Joblet, OU=CA, CN=Joblet-CA ${identifier(root.certificate).slice(0, 8)}`,
      issuer: undefined,
      end: NOW + 1095 * DAY,
      ca: true,
      pathLength: undefined,
      keyUsage: keyCertSign | cRLSign,
      extendedKeyUsage: undefined,
      san: false,
    });
  });
  test("cross certificate", () => {
    expectRow(cross, {
      subject: independent(root.certificate).subject,
      issuer: old.certificate,
      end: old.certificate.notAfter,
      ca: true,
      pathLength: 0,
      keyUsage: keyCertSign,
      extendedKeyUsage: undefined,
      san: false,
    });
    expect(identifier(cross)).toBe(identifier(root.certificate));
  });
  for (const keyType of ["ec-p256", "rsa-2048"] as const) {
    test(`server, ${keyType}`, async () => {
      const server = await makeServer(root, undefined, { keyType });
      expectRow(server.certificate, {
        subject: "O=Joblet, OU=Server, CN=joblet-server",
        issuer: root.certificate,
        end: NOW + 365 * DAY,
        ca: false,
        pathLength: undefined,
        keyUsage: keyType === "rsa-2048" ? digitalSignature | keyEncipherment : digitalSignature,
        extendedKeyUsage: "1.3.6.1.5.5.7.3.1",
        san: true,
      });
    });
  }
  for (const [role, keyType] of [
    ["admin", "ec-p256"],
    ["viewer", "ec-p384"],
    ["reader", "rsa-2048"],
  ] as const) {
    test(`client for ${role}, ${keyType}`, async () => {
      const client = await makeClient(root, role, { keyType });
      expectRow(client.certificate, {
        subject: `O=Joblet, OU=${role}, CN=${role}-client`,
        issuer: root.certificate,
        end: NOW + 730 * DAY,
        ca: false,
        pathLength: undefined,
        keyUsage: digitalSignature,
        extendedKeyUsage: "1.3.6.1.5.5.7.3.2",
        san: false,
      });
      expect(client.certificate.units).toEqual([role]);
    });
  }
});

test("signatures use the hash that belongs to the issuing key", async () => {
  const hashes: Record<string, string> = { "ec-p256": "SHA-256", "ec-p384": "SHA-384", "rsa-2048": "SHA-256" };
  for (const [keyType, hash] of Object.entries(hashes)) {
    const { certificate } = await makeRoot({ keyType: keyType as (typeof KEY_TYPES)[number] });
    expect(independent(certificate).signatureAlgorithm.hash.name).toBe(hash);
  }
});

test("names go into the server certificate as what they are: an address is never a DNS name", async () => {
  const names = [
    { type: "dns", value: "joblet" },
    { type: "dns", value: "*.example.com" },
    { type: "ip", value: "127.0.0.1" },
    { type: "ip", value: "2001:db8::7" },
  ] as const;
  const { certificate } = await makeServer(root, names);
  const san = independent(certificate).getExtension(x509.SubjectAlternativeNameExtension);
  expect(san?.names.items.map(({ type, value }) => [type, value])).toEqual(
    names.map(({ type, value }) => [type, value]),
  );
  expect(certificate.dnsNames).toEqual(["joblet", "*.example.com"]);
  expect(certificate.ipAddresses).toEqual(["127.0.0.1", "2001:db8::7"]);
  const seen = native(certificate);
  expect([seen.checkIP("2001:db8::7"), seen.checkHost("joblet")]).toEqual(["2001:db8::7", "joblet"]);
});

describe("validity", () => {
  test("never reaches beyond the issuer's end", async () => {
    const short = await makeRoot({ days: 10 });
    for (const made of [await makeServer(short), await makeClient(short)]) {
      expect(made.certificate.notAfter).toBe(short.certificate.notAfter);
    }
    expect((await makeCross(await makeRoot(), short)).notAfter).toBe(short.certificate.notAfter);
  });
  test("is what was asked for, up to ten years and past 2050, where the encoding changes", async () => {
    for (const days of [1, 29, 3650]) {
      expect((await makeRoot({ days })).certificate.notAfter).toBe(NOW + days * DAY);
    }
    const later = Date.UTC(2049, 11, 1);
    const { certificate } = await makeRoot({ now: later, days: 60 });
    expect([certificate.notBefore, certificate.notAfter]).toEqual([later - HOUR, later + 60 * DAY]);
  });
  test("is whole seconds, or the issuer's end would come before the leaf's", async () => {
    const uneven = await makeRoot({ now: NOW + 789, days: 5 });
    expect(uneven.certificate.notAfter % 1000).toBe(0);
    const leaf = await makeClient(uneven, "admin", { now: NOW + 999 });
    expect(leaf.certificate.notAfter).toBeLessThanOrEqual(uneven.certificate.notAfter);
  });
});

test("500 serials: positive, at most 127 bits, minimally encoded, none twice", async () => {
  const [key, seen] = [await makeKey(), new Set<string>()];
  for (let count = 0; count < 500; count++) {
    const { certificate } = await makeClient(root, "admin", { key });
    const [first = 0, second = 0, ...rest] = serialBytes(certificate.der);
    expect(first).toBeLessThan(0x80);
    if (first === 0) expect(second).toBeGreaterThanOrEqual(0x80);
    expect(rest.length + 2).toBeLessThanOrEqual(16);
    seen.add(certificate.serial);
  }
  expect(seen.size).toBe(500);
}, 30_000);

/** The INTEGER after [0] EXPLICIT version, by hand: a DER parser would normalise what is to be seen. */
function serialBytes(der: Uint8Array): Uint8Array {
  const body = (at: number) => at + 2 + ((der[at + 1] ?? 0) & 0x80 ? (der[at + 1] ?? 0) & 0x7f : 0);
  const serial = body(body(0)) + 5;
  expect(der[serial]).toBe(0x02);
  return der.slice(serial + 2, serial + 2 + (der[serial + 1] ?? 0));
}

describe("roots and cross certificates", () => {
  test("every root has a name of its own, or a cross certificate would be self-issued", async () => {
    const roots = await Promise.all(Array.from({ length: 20 }, () => makeRoot()));
    expect(new Set(roots.map(({ certificate }) => certificate.subject)).size).toBe(20);
    expect(cross.subject).not.toBe(cross.issuer);
    expect([isSelfSigned(cross), isSelfSigned(root.certificate)]).toEqual([false, true]);
  });
  test("leads from a new leaf to the old root, and to no other", async () => {
    const leaf = await makeClient(root);
    expect(isIssuedBy(leaf.certificate, cross)).toBe(true);
    expect(isIssuedBy(cross, old.certificate)).toBe(true);
    expect(isIssuedBy(leaf.certificate, old.certificate)).toBe(false);
    expect(isIssuedBy(cross, root.certificate)).toBe(false);
  });
});
