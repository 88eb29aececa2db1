import { type Certificate, writeBundle } from "../pki/certificates.ts";
import { issueCertificate } from "../pki/issue.ts";
import type { KeyType } from "../pki/key-types.ts";
import { generateKey, type PrivateKey } from "../pki/keys.ts";
import { clientCertName, clientKeyName, type SecretName } from "./secrets.ts";
import { crossesOf } from "./shared-set.ts";

/** A write that the protocol calls for, with all that its content is derived from. */
export type Step =
  | { write: "ca-key" }
  | { write: "ca-cert"; key: PrivateKey; predecessor?: { key: PrivateKey; root: Certificate }; keep: Certificate[] }
  | { write: "client-key"; role: string }
  | {
      write: "client-cert";
      role: string;
      clientKey: PrivateKey;
      caKey: PrivateKey;
      issuer: Certificate;
      bundle: readonly Certificate[];
    };

/** How new keys and certificates are made. */
export interface Issuance {
  crypto: Crypto;
  keyType: KeyType;
  /** Days of validity of a new root and of a new client certificate; the profiles' when undefined. */
  caDays: number | undefined;
  clientDays: number | undefined;
}

/** The value that a step writes, and the certificates that were issued for it, by what they are for. */
export interface Derived {
  value: string;
  issued: readonly [role: string, certificate: Certificate][];
}

/** Days beyond every root's life: a cross certificate is cut to the previous root's end. */
const UP_TO_THE_ISSUER = 36_500;

export function secretOf(step: Step): SecretName {
  if (step.write === "client-key") return clientKeyName(step.role);
  if (step.write === "client-cert") return clientCertName(step.role);
  return step.write;
}

/** Makes the content of a step. `now` is the store's clock, milliseconds since the epoch. */
export async function deriveValue(issuance: Issuance, step: Step, now: number): Promise<Derived> {
  const { crypto } = issuance;
  switch (step.write) {
    case "ca-key":
    case "client-key":
      return { value: (await generateKey(issuance.keyType, crypto)).pem, issued: [] };
    case "ca-cert":
      return deriveBundle(issuance, step, now);
    case "client-cert": {
      const leaf = await issueCertificate({
        profile: "client",
        role: step.role,
        subjectKey: step.clientKey,
        issuer: { key: step.caKey, certificate: step.issuer },
        now,
        days: issuance.clientDays,
        crypto,
      });
      return { value: writeBundle([leaf, ...crossesOf(step.issuer, step.bundle, now)]), issued: [[step.role, leaf]] };
    }
  }
}

/** The new root first; with a predecessor the cross certificate; then the roots that stay trusted. */
async function deriveBundle(
  { crypto, caDays }: Issuance,
  { key, predecessor, keep }: Extract<Step, { write: "ca-cert" }>,
  now: number,
): Promise<Derived> {
  const root = await issueCertificate({ profile: "root", subjectKey: key, issuer: { key }, now, days: caDays, crypto });
  if (!predecessor) return { value: writeBundle([root, ...keep]), issued: [["ca", root]] };
  const cross = await issueCertificate({
    profile: "cross",
    subjectKey: key,
    certified: root,
    issuer: { key: predecessor.key, certificate: predecessor.root },
    now,
    days: UP_TO_THE_ISSUER,
    crypto,
  });
  return {
    value: writeBundle([root, cross, ...keep]),
    issued: [
      ["ca", root],
      ["cross", cross],
    ],
  };
}
