import {
  allowsUsage,
  type Certificate,
  CLIENT_AUTH,
  isIssuedBy,
  isSelfSigned,
  parseCertificates,
  SERVER_AUTH,
} from "./certificates.ts";
import { type PrivateKey, parsePrivateKey } from "./keys.ts";

/** A certificate with its chain and its key, as one side of a connection presents it. */
export interface Identity {
  leaf: Certificate;
  /** Cross certificates that go along with the leaf. */
  chain: readonly Certificate[];
  key: PrivateKey;
}

/** Why an identity cannot be used; `expired` alone may be cured by time or a clock, the rest cannot. */
export interface Problem {
  kind: "key" | "chain" | "usage" | "role" | "expired" | "not-yet-valid";
  text: string;
}

/** Reads leaf, chain and key. @throws Error saying which of them is what instead */
export function parseIdentity(certificate: string, key: string): Identity {
  const [leaf, ...chain] = labelled("certificate", () => parseCertificates(certificate));
  if (!leaf) throw new Error("certificate is not PEM");
  return { leaf, chain, key: labelled("key", () => parsePrivateKey(key)) };
}

/** The self-signed roots of a trust bundle. @throws Error when one of them cannot be a root */
export function parseRoots(text: string): Certificate[] {
  const certificates = parseCertificates(text);
  for (const certificate of certificates) {
    const problem = rootProblem(certificate);
    if (problem) throw new Error(problem);
  }
  return certificates;
}

/** Why a certificate cannot serve as a root; undefined when it can. A root without keyUsage (openssl's) is fine. */
export function rootProblem(certificate: Certificate): string | undefined {
  if (!certificate.isCa) return `holds a certificate without the CA bit (${certificate.subject})`;
  if (isSelfSigned(certificate)) return undefined;
  return `holds a certificate that is no self-signed root, or may not sign certificates (${certificate.subject})`;
}

/** The root that issued a certificate, of those given. */
export function issuerOf(leaf: Certificate, roots: readonly Certificate[]): Certificate | undefined {
  return roots.find((root) => isIssuedBy(leaf, root));
}

/** Everything that keeps an identity from working against the given roots at the given time (ms since the epoch). */
export function identityProblems(
  identity: Identity,
  usage: "server" | "client",
  roots: readonly Certificate[],
  now: number,
  role?: string,
): Problem[] {
  const { leaf, key } = identity;
  const problems: Problem[] = [];
  if (leaf.keyId !== key.id) problems.push({ kind: "key", text: "the private key does not fit the certificate" });
  const root = issuerOf(leaf, roots);
  if (!root) problems.push({ kind: "chain", text: "the certificate was not issued by any of the trusted roots" });
  if (!allowsUsage(leaf, usage === "server" ? SERVER_AUTH : CLIENT_AUTH)) {
    problems.push({ kind: "usage", text: `the certificate is not good for a ${usage}` });
  }
  if (role !== undefined && leaf.units[0] !== role) {
    problems.push({ kind: "role", text: `the certificate is for the role ${leaf.units[0] ?? "(none)"}, not ${role}` });
  }
  for (const [what, certificate] of [
    ["certificate", leaf],
    ["issuing root", root],
  ] as const) {
    if (!certificate) continue;
    if (certificate.notAfter < now)
      problems.push({ kind: "expired", text: `the ${what} expired on ${day(certificate.notAfter)}` });
    if (certificate.notBefore > now) {
      problems.push({ kind: "not-yet-valid", text: `the ${what} is not valid before ${day(certificate.notBefore)}` });
    }
  }
  return problems;
}

/** `2029-11-21`, UTC. */
export function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function labelled<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${what} ${(error as Error).message}`);
  }
}
