import { type Certificate, writeBundle } from "../pki/certificates.ts";
import { issueCertificate } from "../pki/issue.ts";
import type { KeyType } from "../pki/key-types.ts";
import { generateKey } from "../pki/keys.ts";
import { type SubjectAltName, uniqueNames } from "../pki/names.ts";
import { crossesOf, type SharedSet } from "./shared-set.ts";

export interface ServerIdentity {
  leaf: Certificate;
  /** PEM: the leaf, then during an overlap the cross certificates. */
  chainPem: string;
  keyPem: string;
}

/** Names that every server has: rnx pins the first. */
export const FIXED_NAMES: readonly SubjectAltName[] = [
  { type: "dns", value: "joblet" },
  { type: "dns", value: "joblet-server" },
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
];

/** This host's own certificate, with a new key. Times are milliseconds since the epoch. */
export async function issueServerCertificate(
  set: SharedSet,
  options: {
    names: readonly SubjectAltName[];
    keyType: KeyType;
    days: number | undefined;
    now: number;
    crypto: Crypto;
  },
): Promise<ServerIdentity> {
  const { now, crypto } = options;
  const key = await generateKey(options.keyType, crypto);
  const leaf = await issueCertificate({
    profile: "server",
    subjectKey: key,
    issuer: { key: set.caKey, certificate: set.issuer },
    names: uniqueNames([...FIXED_NAMES, ...options.names]),
    now,
    days: options.days,
    crypto,
  });
  return { leaf, chainPem: writeBundle([leaf, ...crossesOf(set.issuer, set.bundle, now)]), keyPem: key.pem };
}
