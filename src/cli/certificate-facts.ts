import type { Certificate } from "../pki/certificates.ts";

/** What is told of a certificate in JSON. Times are ISO 8601, UTC. */
export function certificateFacts(certificate: Certificate): Record<string, unknown> {
  return {
    subject: certificate.subject,
    issuer: certificate.issuer,
    serial: certificate.serial,
    sha256: certificate.fingerprint,
    notBefore: new Date(certificate.notBefore).toISOString(),
    notAfter: new Date(certificate.notAfter).toISOString(),
    ...(certificate.dnsNames.length + certificate.ipAddresses.length > 0
      ? { names: [...certificate.dnsNames, ...certificate.ipAddresses] }
      : {}),
  };
}
