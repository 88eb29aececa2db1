import { createHash, X509Certificate as NativeCertificate } from "node:crypto";
import { keyId } from "./keys.ts";
import { readPem, writePem } from "./pem.ts";
import * as x509 from "./x509-library.ts";

/** A parsed certificate: plain facts, and the DER they were read from. Times are milliseconds since the epoch, UTC. */
export interface Certificate {
  pem: string;
  der: Uint8Array;
  /** Hex SHA-256 of the DER. */
  fingerprint: string;
  /** Hex, no leading zeros beyond a whole byte. */
  serial: string;
  subject: string;
  issuer: string;
  /** Hex of the DER names: the comparison of RFC 5280 section 7.1 as Go and OpenSSL make it, byte by byte. */
  subjectDer: string;
  issuerDer: string;
  commonName: string | undefined;
  /** The OU attributes of the subject, in order; Joblet takes a client's role from the first. */
  units: readonly string[];
  /** Hex SHA-256 of the SubjectPublicKeyInfo; equals the `id` of the private key that belongs to it. */
  keyId: string;
  spki: Uint8Array;
  notBefore: number;
  notAfter: number;
  isCa: boolean;
  pathLength: number | undefined;
  /** Bits of keyUsage (RFC 5280 section 4.2.1.3), undefined when the extension is absent. */
  keyUsage: number | undefined;
  /** OIDs of extendedKeyUsage, undefined when the extension is absent. */
  extendedKeyUsage: readonly string[] | undefined;
  subjectKeyId: string | undefined;
  authorityKeyId: string | undefined;
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
}

/** Extended key usages that matter here (RFC 5280 section 4.2.1.12). */
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
export const KEY_CERT_SIGN = 32;

/**
 * Reads every certificate of a PEM text, in order; text between the blocks is passed over.
 * @throws Error saying what the value is instead; never quotes it
 */
export function parseCertificates(text: string): Certificate[] {
  const blocks = readPem(text);
  if (blocks.length === 0) throw new Error("is not PEM");
  return blocks.map((block) => {
    if (block.label.endsWith("PRIVATE KEY")) throw new Error("holds a private key where a certificate belongs");
    if (block.label !== "CERTIFICATE" && block.label !== "X509 CERTIFICATE") {
      throw new Error(`holds a ${block.label} where a certificate belongs`);
    }
    return parseCertificate(block.der);
  });
}

/** Reads one DER certificate. @throws Error when it cannot be decoded */
export function parseCertificate(der: Uint8Array): Certificate {
  let parsed: x509.X509Certificate;
  let spki: Uint8Array;
  try {
    parsed = new x509.X509Certificate(der as Uint8Array<ArrayBuffer>);
    spki = new Uint8Array(native(der).publicKey.export({ type: "spki", format: "der" }));
  } catch {
    throw new Error("holds a certificate that cannot be decoded");
  }
  const basic = parsed.getExtension(x509.BasicConstraintsExtension);
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    pem: writePem("CERTIFICATE", der),
    der,
    fingerprint: createHash("sha256").update(der).digest("hex"),
    serial: parsed.serialNumber.toLowerCase(),
    subject: parsed.subject,
    issuer: parsed.issuer,
    subjectDer: Buffer.from(parsed.subjectName.toArrayBuffer()).toString("hex"),
    issuerDer: Buffer.from(parsed.issuerName.toArrayBuffer()).toString("hex"),
    commonName: parsed.subjectName.getField("CN")[0],
    units: parsed.subjectName.getField("OU"),
    keyId: keyId(spki),
    spki,
    notBefore: parsed.notBefore.getTime(),
    notAfter: parsed.notAfter.getTime(),
    isCa: basic?.ca ?? false,
    pathLength: basic?.pathLength,
    keyUsage: parsed.getExtension(x509.KeyUsagesExtension)?.usages,
    extendedKeyUsage: parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String),
    subjectKeyId: parsed.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    authorityKeyId: parsed.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId,
    dnsNames: names.filter((name) => name.type === "dns").map((name) => name.value),
    ipAddresses: names.filter((name) => name.type === "ip").map((name) => name.value),
  };
}

/**
 * Whether `child` was signed by `parent`: names, key identifiers where both are present, and the signature itself.
 * Says nothing about dates or about what the parent may sign.
 */
export function isIssuedBy(child: Certificate, parent: Certificate): boolean {
  if (child.issuerDer !== parent.subjectDer) return false;
  if (child.authorityKeyId && parent.subjectKeyId && child.authorityKeyId !== parent.subjectKeyId) return false;
  try {
    return native(child.der).verify(native(parent.der).publicKey);
  } catch {
    return false;
  }
}

export function isSelfSigned(certificate: Certificate): boolean {
  return certificate.subjectDer === certificate.issuerDer && isIssuedBy(certificate, certificate);
}

/** A client certificate without extensions (as the old scripts made them) is good for any usage, as in Go. */
export function allowsUsage(certificate: Certificate, usage: string): boolean {
  const usages = certificate.extendedKeyUsage;
  return usages === undefined || usages.includes(usage) || usages.includes(ANY_EXTENDED_KEY_USAGE);
}

/** The PEM texts of a bundle, one after another. */
export function writeBundle(certificates: readonly Certificate[]): string {
  return certificates.map((certificate) => certificate.pem).join("");
}

function native(der: Uint8Array): NativeCertificate {
  return new NativeCertificate(Buffer.from(der));
}
