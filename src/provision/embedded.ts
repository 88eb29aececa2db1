import { join } from "node:path";
import { type Acquired, type AuthorityEvent, acquire, replaceAll } from "../authority/acquire.ts";
import { issueServerCertificate, type ServerIdentity } from "../authority/server-certificate.ts";
import { generationOf, rootsOf, type SharedSet } from "../authority/shared-set.ts";
import { ExitCode, Failure } from "../errors.ts";
import { ensureDirectory, removeIfEmpty } from "../host/directories.ts";
import { takeLock } from "../host/lock.ts";
import type { Certificate } from "../pki/certificates.ts";
import type { KeyType } from "../pki/key-types.ts";
import type { SubjectAltName } from "../pki/names.ts";
import { DirectoryStore } from "../stores/directory.ts";
import { type Composition, compose } from "./compose.ts";
import { type InstalledState, judgeInstalled } from "./credentials.ts";
import { generationChanges } from "./generation.ts";
import { type Installation, readTemplate } from "./installation.ts";
import { type Keeping, whatToKeep } from "./keep.ts";
import { type Proof, proveComposition } from "./prove.ts";
import { type Published, preparePublication } from "./publish.ts";
import { planRoles, type RolePlan } from "./roles.ts";

/** What a host is to get, from a set in a directory. */
export interface EmbeddedRequest {
  /** Where the set is kept. */
  caDirectory: string;
  /** Whether the directory is this host's alone. */
  ownDirectory: boolean;
  keyType: KeyType;
  caDays: number | undefined;
  serverDays: number | undefined;
  clientDays: number | undefined;
  /** Undefined: admin, and those that the client files hold. */
  roles: readonly string[] | undefined;
  /** What clients dial. */
  host: string;
  /** Given in this run: the addresses in existing client files follow. */
  explicitHost: boolean;
  port: number | undefined;
  /** Names for the server certificate that were configured, and names of this host that were detected. */
  names: readonly SubjectAltName[];
  hostNames: readonly SubjectAltName[];
  force: boolean;
  discardCaKey: boolean;
  /** Somebody said `offline` in this run: a host may leave its fleet. */
  explicitOffline: boolean;
  /** For the record. */
  settings: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  now: number;
  crypto: Crypto;
}

export interface Reporter {
  info(text: string): void;
  warn(text: string): void;
  event(event: AuthorityEvent): void;
}

export interface Issued {
  result: "issued";
  acquired: Acquired;
  server: ServerIdentity;
  composition: Composition;
  proofs: readonly Proof[];
  published: Published;
}

export type EmbeddedOutcome = Issued | ({ result: "kept"; state: InstalledState } & Keeping);

/**
 * Brings one host up to date from a directory. The caller holds the host's lock; a directory that other hosts use is
 * locked here.
 */
export async function provisionEmbedded(
  installation: Installation,
  request: EmbeddedRequest,
  report: Reporter,
): Promise<EmbeddedOutcome> {
  if (request.ownDirectory) return provisionLocked(installation, request, report);
  const made = ensureDirectory(request.caDirectory, 0o700);
  const onWait = () => report.info(`waiting for another host that uses ${request.caDirectory}`);
  const lock = takeLock(join(request.caDirectory, ".joblet-certs.lock"), onWait);
  try {
    return await provisionLocked(installation, request, report);
  } finally {
    lock.release();
    // A failed first run leaves nothing behind.
    if (made) removeIfEmpty(request.caDirectory);
  }
}

async function provisionLocked(
  installation: Installation,
  request: EmbeddedRequest,
  report: Reporter,
): Promise<EmbeddedOutcome> {
  const base = installation.server?.config ?? readTemplate(installation.paths);
  const roles = planRoles(installation, request.roles);
  const store = DirectoryStore.open(request.caDirectory);
  const state = judgeInstalled(installation, request.now);
  const keeping = whatToKeep(installation, request, state, roles, store.isEmpty(), report);
  if (keeping) return { result: "kept", state, ...keeping };

  let committed = false;
  try {
    const authority = {
      ...request,
      store,
      roles: roles.stored,
      report: (event: AuthorityEvent) => report.event(event),
    };
    const why = "FORCE_REGENERATE was given, and this release cannot rotate with overlap yet";
    const acquired = request.force && !store.isEmpty() ? await replaceAll(authority, why) : await acquire(authority);
    requirePlausibleClock(acquired.set.issuer, request.now);
    warnOfNewRoots(installation, acquired.set, report);
    const { server, composition } = await issueAndCompose(installation, base, request, acquired.set, roles);
    report.event({ event: "issued", role: "server", certificate: server.leaf });
    const proofs = await proveComposition(composition, request.now);
    const generation = generationOf(acquired.set.bundle, acquired.set.clients.values());
    const record = {
      version: 1,
      settings: { ...request.settings },
      outcome: { kind: "embedded", generation },
    } as const;
    store.flush();
    const publication = preparePublication(
      installation,
      composition,
      record,
      generationChanges(installation, composition),
    );
    committed = true;
    store.keep();
    const published = publication.commit();
    if (request.discardCaKey) store.remove();
    return { result: "issued", acquired, server, composition, proofs, published };
  } catch (error) {
    if (!committed) store.rollBack();
    throw error;
  }
}

async function issueAndCompose(
  installation: Installation,
  base: Parameters<typeof compose>[1],
  request: EmbeddedRequest,
  set: SharedSet,
  roles: RolePlan,
): Promise<{ server: ServerIdentity; composition: Composition }> {
  const names = [...request.names, ...request.hostNames];
  const server = await issueServerCertificate(set, { ...request, names, days: request.serverDays });
  const nodeId = request.crypto.randomUUID();
  return { server, composition: compose(installation, base, { ...request, set, server, roles: roles.shown, nodeId }) };
}

function warnOfNewRoots(installation: Installation, set: SharedSet, report: Reporter): void {
  const known = new Set(installation.roots.map((root) => root.fingerprint));
  if (known.size === 0 || rootsOf(set.bundle).some((root) => known.has(root.fingerprint))) return;
  report.warn(
    "the CA of this host changes: client files handed out before stop working; hand out rnx-config.yml anew, and restart Joblet",
  );
}

/** A directory's certificates were made by this host's clock: one from the future means that the clock went back. */
function requirePlausibleClock(issuer: Certificate, now: number): void {
  if (issuer.notBefore <= now) return;
  const [clock, start] = [now, issuer.notBefore].map((time) => new Date(time).toISOString());
  throw new Failure(
    ExitCode.checkFailed,
    `this host's clock says ${clock}, but its CA is not valid before ${start}`,
    "set the clock, then run again",
  );
}
