import { type Certificate, isIssuedBy, isSelfSigned } from "../pki/certificates.ts";
import type { PrivateKey } from "../pki/keys.ts";
import type { Identity } from "../pki/validate.ts";

/** All that hosts share, parsed and found to fit together. */
export interface SharedSet {
  caKey: PrivateKey;
  /** The root that `caKey` fits: it issues. */
  issuer: Certificate;
  /** `ca-cert` as it is: the roots, and while a rotation overlaps the cross certificate. */
  bundle: readonly Certificate[];
  /** By role. */
  clients: ReadonlyMap<string, Identity>;
}

/** The self-signed roots of a bundle: what servers and clients trust. */
export function rootsOf(bundle: readonly Certificate[]): Certificate[] {
  return bundle.filter(isSelfSigned);
}

/** The cross certificates that lead from the issuing root to older ones still valid: they go along with every leaf. */
export function crossesOf(issuer: Certificate, bundle: readonly Certificate[], now: number): Certificate[] {
  return bundle.filter(
    (certificate) =>
      certificate.keyId === issuer.keyId &&
      certificate.subject === issuer.subject &&
      !isSelfSigned(certificate) &&
      certificate.notAfter >= now &&
      bundle.some((root) => isIssuedBy(certificate, root)),
  );
}

/** Fingerprints of all roots, cross and client certificates, sorted: equal exactly when two hosts embed the same set. */
export function generationOf(bundle: readonly Certificate[], clients: Iterable<Identity>): string[] {
  const certificates = [...bundle, ...[...clients].map((client) => client.leaf)];
  return [...new Set(certificates.map((certificate) => certificate.fingerprint))].sort();
}
