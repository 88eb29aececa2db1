import { CLIENT_AUTH, SERVER_AUTH } from "./certificates.ts";
import type { KeyAlgorithm } from "./keys.ts";

/** What one kind of certificate contains. The table below is the whole policy; `issue.ts` carries it out. */
export interface Profile {
  /** Attributes of the subject; `keyName` is the first 8 hex digits of the SKI. Absent: that of the certified root. */
  subject?: (facts: { keyName: string; role: string }) => { O: string; OU: string; CN: string };
  days: number;
  isCa: boolean;
  pathLength?: number;
  keyUsage: (algorithm: KeyAlgorithm) => number;
  extendedKeyUsage?: string;
}

/** Bits of keyUsage (RFC 5280 section 4.2.1.3), the first being the lowest. */
const DIGITAL_SIGNATURE = 1;
const KEY_ENCIPHERMENT = 4;
const KEY_CERT_SIGN = 32;
const CRL_SIGN = 64;

const ROOT: Profile = {
  // Unique per root: a cross certificate must not come out self-issued. No pathLen: a root has to cross-sign its heir.
  subject: ({ keyName }) => ({ O: "Joblet", OU: "CA", CN: `Joblet-CA ${keyName}` }),
  days: 1095,
  isCa: true,
  keyUsage: () => KEY_CERT_SIGN | CRL_SIGN,
};

/** The new root's name and key, signed by the previous root: what trusts only the old root then trusts the new one. */
const CROSS: Profile = {
  days: 1095,
  isCa: true,
  pathLength: 0,
  keyUsage: () => KEY_CERT_SIGN,
};

const SERVER: Profile = {
  subject: () => ({ O: "Joblet", OU: "Server", CN: "joblet-server" }),
  days: 365,
  isCa: false,
  keyUsage: ({ key }) => (key.name === "ECDSA" ? DIGITAL_SIGNATURE : DIGITAL_SIGNATURE | KEY_ENCIPHERMENT),
  extendedKeyUsage: SERVER_AUTH,
};

const CLIENT: Profile = {
  subject: ({ role }) => ({ O: "Joblet", OU: role, CN: `${role}-client` }),
  days: 730,
  isCa: false,
  keyUsage: () => DIGITAL_SIGNATURE,
  extendedKeyUsage: CLIENT_AUTH,
};

export const PROFILES = { root: ROOT, cross: CROSS, server: SERVER, client: CLIENT } satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;
