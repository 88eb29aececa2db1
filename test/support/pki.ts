import { type Certificate, parseCertificate, writeBundle } from "../../src/pki/certificates.ts";
import { issueCertificate } from "../../src/pki/issue.ts";
import type { KeyType } from "../../src/pki/key-types.ts";
import { generateKey, importSigningKey, type PrivateKey } from "../../src/pki/keys.ts";
import type { SubjectAltName } from "../../src/pki/names.ts";
import * as x509 from "../../src/pki/x509-library.ts";

/** The fixed clock of the unit tests. */
export const NOW = Date.UTC(2026, 5, 15, 12);
export const DAY = 86_400_000;

/** A key with the certificate that belongs to it. */
export interface Pair {
  key: PrivateKey;
  certificate: Certificate;
}

export interface Making {
  now?: number;
  days?: number;
  key?: PrivateKey;
  keyType?: KeyType;
}

export function makeKey(keyType: KeyType = "ec-p256"): Promise<PrivateKey> {
  return generateKey(keyType, crypto);
}

export async function makeRoot({ now = NOW, days, key, keyType }: Making = {}): Promise<Pair> {
  const subjectKey = key ?? (await makeKey(keyType));
  const issuer = { key: subjectKey };
  return {
    key: subjectKey,
    certificate: await issueCertificate({ profile: "root", subjectKey, issuer, now, days, crypto }),
  };
}

/** The new root's name and key, signed by the old one. */
export function makeCross(renewed: Pair, old: Pair, { now = NOW, days = 36_500 }: Making = {}): Promise<Certificate> {
  return issueCertificate({
    profile: "cross",
    subjectKey: renewed.key,
    certified: renewed.certificate,
    issuer: old,
    now,
    days,
    crypto,
  });
}

export async function makeClient(issuer: Pair, role = "admin", making: Making = {}): Promise<Pair> {
  const { now = NOW, days, key } = making;
  const subjectKey = key ?? (await makeKey(making.keyType));
  return {
    key: subjectKey,
    certificate: await issueCertificate({ profile: "client", role, subjectKey, issuer, now, days, crypto }),
  };
}

export async function makeServer(
  issuer: Pair,
  names: readonly SubjectAltName[] = [{ type: "dns", value: "joblet" }],
  making: Making = {},
): Promise<Pair> {
  const { now = NOW, days, key } = making;
  const subjectKey = key ?? (await makeKey(making.keyType));
  return {
    key: subjectKey,
    certificate: await issueCertificate({ profile: "server", subjectKey, issuer, names, now, days, crypto }),
  };
}

/** A root with the name and the key identifier of another one, but with a key of its own: only signatures tell. */
export async function makeImpostor({ certificate }: Pair): Promise<Pair> {
  const key = await makeKey();
  const original = new x509.X509Certificate(certificate.der as Uint8Array<ArrayBuffer>);
  const identifier = original.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? "";
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: "0badc0de",
    subject: original.subjectName,
    issuer: original.subjectName,
    notBefore: original.notBefore,
    notAfter: original.notAfter,
    publicKey: key.spki as Uint8Array<ArrayBuffer>,
    signingKey: await importSigningKey(key, crypto),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectKeyIdentifierExtension(identifier),
      new x509.AuthorityKeyIdentifierExtension(identifier),
    ],
  });
  return { key, certificate: parseCertificate(new Uint8Array(made.rawData)) };
}

/** The four values of a set, by secret name. */
export function valuesOf(root: Pair, client: Pair, bundle: readonly Certificate[] = [root.certificate]) {
  return {
    "ca-key": root.key.pem,
    "ca-cert": writeBundle(bundle),
    "client-key": client.key.pem,
    "client-cert": client.certificate.pem,
  };
}

/** Every run of 16 base64 characters of a PEM body must be absent from a text that people may see. */
export function leaks(text: string, secretPem: string): boolean {
  const body = secretPem.replace(/-----[^-]*-----|\s/g, "");
  for (let at = 0; at + 16 <= body.length; at += 4) if (text.includes(body.slice(at, at + 16))) return true;
  return false;
}
