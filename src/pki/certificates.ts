import { X509Certificate } from "node:crypto";
import { keyId } from "./keys.ts";
import { parseName } from "./names.ts";
import { readPem, writePem } from "./pem.ts";

/**
 * A parsed certificate: plain facts, and the DER they were read from. Times are milliseconds since the epoch, UTC.
 * Reading uses the runtime's own X.509 code, which is the code that will judge the certificate in a handshake; the
 * library that issues certificates takes a hundred times as long to parse one.
 */
export interface Certificate {
  pem: string;
  der: Uint8Array;
  /** Hex SHA-256 of the DER. */
  fingerprint: string;
  /** Hex, lower case. */
  serial: string;
  /** `O=Joblet, OU=CA, CN=…` in the order of the encoding. */
  subject: string;
  issuer: string;
  /** The OU attributes of the subject, in order; Joblet takes a client's role from the first. */
  units: readonly string[];
  /** Hex SHA-256 of the SubjectPublicKeyInfo; equals the `id` of the private key that belongs to it. */
  keyId: string;
  notBefore: number;
  notAfter: number;
  /** basicConstraints has the CA bit. */
  isCa: boolean;
  /** OIDs of extendedKeyUsage (RFC 5280 section 4.2.1.12), undefined when the extension is absent. */
  extendedKeyUsage: readonly string[] | undefined;
  dnsNames: readonly string[];
  /** In canonical spelling. */
  ipAddresses: readonly string[];
}

/** Extended key usages that matter here (RFC 5280 section 4.2.1.12). */
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";

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
  try {
    const native = new X509Certificate(Buffer.from(der));
    const names = alternativeNames(native.subjectAltName);
    const { OU } = native.toLegacyObject().subject as { OU?: string | string[] };
    return {
      pem: writePem("CERTIFICATE", der),
      der,
      fingerprint: native.fingerprint256.replaceAll(":", "").toLowerCase(),
      serial: native.serialNumber.toLowerCase(),
      subject: native.subject.replaceAll("\n", ", "),
      issuer: native.issuer.replaceAll("\n", ", "),
      units: OU === undefined ? [] : [OU].flat(),
      keyId: keyId(native.publicKey.export({ type: "spki", format: "der" })),
      notBefore: Date.parse(native.validFrom),
      notAfter: Date.parse(native.validTo),
      isCa: native.ca,
      extendedKeyUsage: native.keyUsage,
      dnsNames: names.filter(({ type }) => type === "dns").map(({ value }) => value),
      ipAddresses: names.filter(({ type }) => type === "ip").map(({ value }) => value),
    };
  } catch {
    throw new Error("holds a certificate that cannot be decoded");
  }
}

/**
 * Whether `child` was signed by `parent`: names, key identifiers where both are present, that the parent's keyUsage (if
 * it has any) allows signing certificates, and the signature itself. Says nothing about dates or the CA bit.
 */
export function isIssuedBy(child: Certificate, parent: Certificate): boolean {
  try {
    const [signed, signer] = [child, parent].map(({ der }) => new X509Certificate(Buffer.from(der)));
    return (
      signed !== undefined && signer !== undefined && signed.checkIssued(signer) && signed.verify(signer.publicKey)
    );
  } catch {
    return false;
  }
}

export function isSelfSigned(certificate: Certificate): boolean {
  return certificate.subject === certificate.issuer && isIssuedBy(certificate, certificate);
}

/** A certificate without extendedKeyUsage (as the old scripts made clients) is good for any usage, as in Go. */
export function allowsUsage(certificate: Certificate, usage: string): boolean {
  const usages = certificate.extendedKeyUsage;
  return usages === undefined || usages.includes(usage) || usages.includes(ANY_EXTENDED_KEY_USAGE);
}

/** The PEM texts of a bundle, one after another. */
export function writeBundle(certificates: readonly Certificate[]): string {
  return certificates.map((certificate) => certificate.pem).join("");
}

/** `DNS:joblet, IP Address:127.0.0.1` as the runtime writes it; other kinds of names are passed over. */
function alternativeNames(text: string | undefined): { type: "dns" | "ip"; value: string }[] {
  return (text ?? "").split(", ").flatMap((entry) => {
    if (entry.startsWith("DNS:")) return [{ type: "dns" as const, value: entry.slice(4).toLowerCase() }];
    const address = entry.startsWith("IP Address:") ? parseName(entry.slice(11)) : undefined;
    return address ? [address] : [];
  });
}
