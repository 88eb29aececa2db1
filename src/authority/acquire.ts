import { ExitCode, Failure } from "../errors.ts";
import { type Certificate, parseCertificates } from "../pki/certificates.ts";
import { parsePrivateKey } from "../pki/keys.ts";
import { day } from "../pki/validate.ts";
import { deriveValue, type Issuance, type Step, secretOf } from "./derive.ts";
import { CA_CERT, CA_KEY, clientCertName, clientKeyName, type SecretName } from "./secrets.ts";
import { rootsOf, type SharedSet } from "./shared-set.ts";
import type { Reading, Store } from "./store.ts";
import { firstToken, nextToken } from "./tokens.ts";
import { judge, type Round, type Verdict } from "./verdict.ts";

export interface Authority extends Issuance {
  store: Store;
  /** `admin` is always kept; other roles as wanted. */
  roles: readonly string[];
  /** Told of what the protocol found and did, for people. */
  report: (event: AuthorityEvent) => void;
}

export type AuthorityEvent =
  | { event: "issued"; role: string; certificate: Certificate }
  | { event: "repairing"; why: string }
  | { event: "replacing"; roots: readonly Certificate[]; why: string };

export interface Acquired {
  set: SharedSet;
  /** The secrets that this run wrote. */
  written: ReadonlySet<SecretName>;
}

/** More rounds than any sequence of repairs takes; a store that never settles ends here. */
const MAX_ROUNDS = 12;

/** How often an operator may have moved a label back to one version before the program stops counting. */
const MAX_SET_ASIDE = 32;

/** Brings the store to the verdict `use`, whatever was found, and returns the set. */
export async function acquire(authority: Authority): Promise<Acquired> {
  const written = new Set<SecretName>();
  for (let count = 0; count < MAX_ROUNDS; count++) {
    const round = await readRound(authority);
    const verdict = await advance(authority, round, written);
    if (verdict) return { set: verdict.set, written };
  }
  throw new Failure(
    ExitCode.storeInvalid,
    `${authority.store.locate(CA_KEY)} and its siblings did not settle after ${MAX_ROUNDS} rounds`,
    "look for another program that writes them, then run again",
  );
}

/** Replaces the whole set without overlap: new CA, new clients. What the old CA signed stops working. */
export async function replaceAll(authority: Authority, why: string): Promise<Acquired> {
  const written = new Set<SecretName>();
  const round = await readRound(authority);
  await replace(authority, round, why, [], written);
  const rest = await acquire(authority);
  return { set: rest.set, written: new Set([...written, ...rest.written]) };
}

/**
 * Judges a round and does what the verdict calls for, for as long as every write wins. `use` counts only straight from
 * a read: undefined means that the store has to be read again.
 */
async function advance(
  authority: Authority,
  round: Round,
  written: Set<SecretName>,
): Promise<Extract<Verdict, { kind: "use" }> | undefined> {
  const { store, roles } = authority;
  let seen = round;
  let wrote = false;
  for (;;) {
    const verdict = judge(seen, { roles, now: store.now(), fullName: (name) => store.fullName(name) });
    switch (verdict.kind) {
      case "use":
        return wrote ? undefined : verdict;
      case "invalid":
        throw new Failure(ExitCode.storeInvalid, `${store.locate(verdict.secret)} ${verdict.problem}`, verdict.remedy);
      case "look-back": {
        const entries = verdict.secrets.map(async (name) => [name, await store.read(name, "previous")] as const);
        seen = { ...seen, previous: new Map([...seen.previous, ...(await Promise.all(entries))]) };
        break;
      }
      case "replace":
        await replace(authority, seen, `the CA expired on ${day(verdict.expired.notAfter)}`, verdict.keep, written);
        return undefined;
      case "bootstrap":
      case "write": {
        const steps: Step[] = verdict.kind === "bootstrap" ? [{ write: "ca-key" }] : verdict.steps;
        if (verdict.kind === "write" && !wrote) authority.report({ event: "repairing", why: verdict.why });
        const results = await Promise.all(steps.map((step) => carryOut(authority, seen, step, written)));
        wrote = true;
        if (results.includes(undefined)) return undefined;
        seen = withReadings(seen, results as [SecretName, Reading][]);
      }
    }
  }
}

/** Makes the value of a step and writes it. Undefined when another writer was first. */
async function carryOut(
  authority: Authority,
  round: Round,
  step: Step,
  written: Set<SecretName>,
): Promise<[SecretName, Reading] | undefined> {
  const name = secretOf(step);
  const { value, issued } = await deriveValue(authority, step, authority.store.now());
  const id = await write(authority.store, round.current.get(name), name, value);
  if (id === undefined) return undefined;
  for (const [role, certificate] of issued) authority.report({ event: "issued", role, certificate });
  written.add(name);
  return [name, { state: "present", version: { id, value, current: true } }];
}

/** All five steps over whatever is there. Stops where another writer was first: the next round judges again. */
async function replace(
  authority: Authority,
  round: Round,
  why: string,
  keep: Certificate[],
  written: Set<SecretName>,
): Promise<void> {
  authority.report({ event: "replacing", roots: rootsIn(round), why });
  const won = async (step: Step) => {
    const result = await carryOut(authority, round, step, written);
    return result?.[1].state === "present" ? result[1].version.value : undefined;
  };
  const caKeyPem = await won({ write: "ca-key" });
  if (caKeyPem === undefined) return;
  const caKey = parsePrivateKey(caKeyPem);
  const bundlePem = await won({ write: "ca-cert", key: caKey, keep });
  if (bundlePem === undefined) return;
  const bundle = parseCertificates(bundlePem);
  const issuer = bundle[0] as Certificate;
  await Promise.all(
    authority.roles.map(async (role) => {
      const clientPem = await won({ write: "client-key", role });
      if (clientPem === undefined) return;
      await won({ write: "client-cert", role, clientKey: parsePrivateKey(clientPem), caKey, issuer, bundle });
    }),
  );
}

/** Creates or supersedes, with the write-once token. Returns the new version's id, undefined when it was refused. */
async function write(
  store: Store,
  seen: Reading | undefined,
  name: SecretName,
  value: string,
): Promise<string | undefined> {
  if (seen?.state !== "present") {
    const token = firstToken(store.fullName(name));
    return (await store.create(name, token, value)) === "written" ? token : undefined;
  }
  for (let setAside = 0; ; setAside++) {
    const token = nextToken(seen.version.id, setAside);
    if ((await store.supersede(name, token, value)) === "written") return token;
    // Only where nobody else can write does a refusal prove that an operator set that version aside.
    if (!store.exclusive || setAside === MAX_SET_ASIDE) return undefined;
  }
}

/** One read of everything, in parallel. */
async function readRound({ store, roles }: Authority): Promise<Round> {
  const names = [CA_KEY, CA_CERT, ...roles.flatMap((role) => [clientKeyName(role), clientCertName(role)])];
  const readings = await Promise.all(names.map(async (name) => [name, await store.read(name, "current")] as const));
  return { current: new Map(readings), previous: new Map() };
}

function withReadings(round: Round, readings: Iterable<[SecretName, Reading]>): Round {
  return { ...round, current: new Map([...round.current, ...readings]) };
}

/** For the report of what is replaced: none where what is there cannot be read. */
function rootsIn(round: Round): Certificate[] {
  const reading = round.current.get(CA_CERT);
  if (reading?.state !== "present") return [];
  try {
    return rootsOf(parseCertificates(reading.version.value));
  } catch {
    return [];
  }
}
