import { type Certificate, parseCertificates } from "../pki/certificates.ts";
import { type PrivateKey, parsePrivateKey } from "../pki/keys.ts";
import { type Identity, identityProblems, rootProblem } from "../pki/validate.ts";
import type { Step } from "./derive.ts";
import { CA_CERT, CA_KEY, clientCertName, clientKeyName, type SecretName } from "./secrets.ts";
import { rootsOf, type SharedSet } from "./shared-set.ts";
import type { Reading } from "./store.ts";
import { firstToken } from "./tokens.ts";

/** What one round of reads showed. `previous` holds the older versions looked at so far. */
export interface Round {
  current: ReadonlyMap<SecretName, Reading>;
  previous: ReadonlyMap<SecretName, Reading>;
}

export type Verdict =
  | { kind: "use"; set: SharedSet }
  | { kind: "bootstrap" }
  /** Steps that do not depend on each other. */
  | { kind: "write"; steps: Step[]; why: string }
  /** Undecided until the previous version of these has been read. */
  | { kind: "look-back"; secrets: SecretName[] }
  /** The issuing root has expired: nothing works any more, all five steps are due, without overlap. */
  | { kind: "replace"; expired: Certificate; keep: Certificate[] }
  | { kind: "invalid"; secret: SecretName; problem: string; remedy: string };

export interface Judging {
  roles: readonly string[];
  /** The store's clock. */
  now: number;
  fullName: (name: SecretName) => string;
}

/** From what was read to what is to be done: the table of the protocol, row by row, the first that applies. */
export function judge(round: Round, judging: Judging): Verdict {
  try {
    return judgeParsed(round, judging);
  } catch (error) {
    if (error instanceof Unusable) return error.verdict;
    throw error;
  }
}

/** Carries the verdict `invalid` out of a parse. */
class Unusable extends Error {
  constructor(readonly verdict: Verdict) {
    super("unusable");
  }
}

function judgeParsed(round: Round, { roles, now, fullName }: Judging): Verdict {
  const caKey = parsed(round.current, CA_KEY, parsePrivateKey, fullName);
  const bundle = parsed(round.current, CA_CERT, parseBundle, fullName);
  const clients = roles.map((role) => ({
    role,
    key: parsed(round.current, clientKeyName(role), parsePrivateKey, fullName),
    certificates: parsed(round.current, clientCertName(role), parseCertificates, fullName),
  }));
  const anyClient = clients.some((client) => client.key || client.certificates);

  if (!caKey && !bundle && !anyClient) return { kind: "bootstrap" };
  if (!caKey) {
    if (bundle && !anyClient)
      return { kind: "write", steps: [{ write: "ca-key" }], why: "a root was imported without its key" };
    return lostKey();
  }
  const missingKeys: Step[] = clients
    .filter((client) => !client.key)
    .map(({ role }) => ({ write: "client-key", role }));
  if (!bundle) {
    const root: Step = { write: "ca-cert", key: caKey, keep: [] };
    return { kind: "write", steps: [root, ...missingKeys], why: "the root certificate is missing" };
  }

  const roots = rootsOf(bundle);
  const issuer = roots.find((root) => root.keyId === caKey.id);
  if (!issuer) return withoutIssuer(round, caKey, roots, now, fullName);
  if (issuer.notAfter < now) {
    return { kind: "replace", expired: issuer, keep: roots.filter((root) => root.notAfter >= now) };
  }
  if (missingKeys.length > 0) return { kind: "write", steps: missingKeys, why: "a client key is missing" };

  const identities = new Map<string, Identity>();
  const steps: Step[] = [];
  const reasons: string[] = [];
  for (const { role, key, certificates } of clients) {
    const [leaf, ...chain] = certificates ?? [];
    const identity = key && leaf && { leaf, chain, key };
    // A certificate that this host's clock alone finds too early is good: the store's clock decides.
    const problems = identity
      ? identityProblems(identity, "client", roots, now, role).filter((problem) => problem.kind !== "not-yet-valid")
      : [{ text: "it is missing" }];
    if (identity && problems.length === 0) identities.set(role, identity);
    else if (key) {
      steps.push({ write: "client-cert", role, clientKey: key, caKey, issuer, bundle });
      reasons.push(`client certificate for ${role}: ${problems.map((problem) => problem.text).join(", ")}`);
    }
  }
  if (steps.length > 0) return { kind: "write", steps, why: reasons.join("; ") };
  return { kind: "use", set: { caKey, issuer, bundle, clients: identities } };
}

/** `ca-key` fits no root of `ca-cert`. */
function withoutIssuer(
  round: Round,
  key: PrivateKey,
  roots: Certificate[],
  now: number,
  fullName: (name: SecretName) => string,
): Verdict {
  if (!round.previous.has(CA_KEY)) return { kind: "look-back", secrets: [CA_KEY] };
  const keep = roots.filter((root) => root.notAfter >= now);
  const previousKey = parsed(round.previous, CA_KEY, parsePrivateKey, fullName);
  const previousRoot = previousKey && roots.find((root) => root.keyId === previousKey.id);
  if (previousKey && previousRoot) {
    const step: Step = { write: "ca-cert", key, keep };
    if (previousRoot.notAfter >= now) step.predecessor = { key: previousKey, root: previousRoot };
    return { kind: "write", steps: [step], why: "a CA rotation is under way" };
  }
  const current = round.current.get(CA_KEY);
  const isFirst = current?.state === "present" && current.version.id === firstToken(fullName(CA_KEY));
  if (isFirst && !previousKey) {
    return { kind: "write", steps: [{ write: "ca-cert", key, keep }], why: "a root was imported without its key" };
  }
  return {
    kind: "invalid",
    secret: CA_KEY,
    problem: "does not fit any root in ca-cert, and nobody can tell which of the two is right",
    remedy: "put the matching pair back (if a version label was moved on one of them, move it on the other too)",
  };
}

function lostKey(): Verdict {
  return {
    kind: "invalid",
    secret: CA_KEY,
    problem: "is missing while certificates that it issued are there: the CA key is lost",
    remedy: "restore the key, or remove what is left of the set to start anew with a new CA",
  };
}

/** `ca-cert`: roots, and cross certificates that one of the roots signed. */
function parseBundle(text: string): Certificate[] {
  const bundle = parseCertificates(text);
  const roots = rootsOf(bundle);
  for (const certificate of bundle) {
    const isCross =
      certificate.isCa && !roots.includes(certificate) && roots.some((root) => root.keyId === certificate.keyId);
    const problem = isCross ? undefined : rootProblem(certificate);
    if (problem) throw new Error(problem);
  }
  return bundle;
}

function parsed<T>(
  readings: ReadonlyMap<SecretName, Reading>,
  name: SecretName,
  parse: (text: string) => T,
  fullName: Judging["fullName"],
): T | undefined {
  const reading = readings.get(name);
  if (!reading || reading.state === "absent") return undefined;
  if (reading.state === "deleted") {
    throw new Unusable({
      kind: "invalid",
      secret: name,
      problem: "is scheduled for deletion",
      remedy: `bring it back with: aws secretsmanager restore-secret --secret-id ${fullName(name)}`,
    });
  }
  try {
    return parse(reading.version.value);
  } catch (error) {
    throw new Unusable({
      kind: "invalid",
      secret: name,
      problem: (error as Error).message,
      remedy: "put the right value back; nothing is overwritten on a guess",
    });
  }
}
