import type { ClientNode } from "../config/client-config.ts";
import type { Certificate } from "../pki/certificates.ts";
import { type Identity, identityProblems, issuerOf, type Problem, parseIdentity } from "../pki/validate.ts";
import { type ClientFile, clientFiles, type Installation, rootsOrNone } from "./installation.ts";

/** The credentials of a node as they are on disk, parsed; undefined when they are missing or cannot be read. */
export function nodeIdentity(node: ClientNode): Identity | undefined {
  try {
    return parseIdentity(node.cert ?? "", node.key ?? "");
  } catch {
    return undefined;
  }
}

/**
 * Whether a node belongs to this host's fleet: its certificate was issued by a root that this host trusts, or by a root
 * in the node's own `ca` that stands there beside one which this host trusts (a client file of a newer generation).
 */
function belongsToFleet(node: ClientNode, trusted: readonly Certificate[]): boolean {
  const leaf = nodeIdentity(node)?.leaf;
  if (!leaf) return false;
  if (issuerOf(leaf, trusted)) return true;
  const own = rootsOrNone(node.ca ?? "");
  const known = new Set(trusted.map((root) => root.fingerprint));
  return own.some((root) => known.has(root.fingerprint)) && issuerOf(leaf, own) !== undefined;
}

/**
 * The nodes of a client file that this program keeps up to date. In its own directory that includes the node that rnx
 * picks by default, whoever issued its certificate; in /etc only what belongs to the fleet.
 */
export function ownedNodes(file: ClientFile, trusted: readonly Certificate[], owner: "ours" | "system"): ClientNode[] {
  const { config } = file;
  return config.nodes.filter(
    (node) => (owner === "ours" && node.name === config.defaultNode) || belongsToFleet(node, trusted),
  );
}

/** The role that a node's certificate is for; undefined when there is none to be read. */
export function roleOf(node: ClientNode): string | undefined {
  return nodeIdentity(node)?.leaf.units[0];
}

/** The roles of all nodes that this program keeps in the config directory; undefined for one that cannot be read. */
export function heldRoles(installation: Installation): Set<string | undefined> {
  const { roots } = installation;
  return new Set(clientFiles(installation).flatMap((file) => ownedNodes(file, roots, "ours").map(roleOf)));
}

/** Whether both files hold any certificate at all, and what is wrong with them at the given time. */
export interface InstalledState {
  /** A server certificate, key and trust are there, readable or not. */
  hasServer: boolean;
  serverLeaf: Certificate | undefined;
  problems: readonly { where: string; problem: Problem | { kind: "unreadable"; text: string } }[];
}

/** Judges what is installed, by itself: key fits, chain verifies, nothing has expired. */
export function judgeInstalled(installation: Installation, now: number): InstalledState {
  const { server, client, roots } = installation;
  const problems: InstalledState["problems"][number][] = [];
  const hasServer = Boolean(server?.serverCert && server.serverKey && server.caCert);
  let serverLeaf: Certificate | undefined;
  if (server && hasServer) {
    const where = installation.paths.serverConfig;
    try {
      const identity = parseIdentity(server.serverCert ?? "", server.serverKey ?? "");
      serverLeaf = identity.leaf;
      problems.push(...identityProblems(identity, "server", roots, now).map((problem) => ({ where, problem })));
    } catch (error) {
      problems.push({ where, problem: { kind: "unreadable", text: (error as Error).message } });
    }
  }
  if (client) {
    for (const node of ownedNodes(client, roots, "ours")) {
      const where = `node ${node.name} of ${client.path}`;
      const identity = nodeIdentity(node);
      if (!identity)
        problems.push({ where, problem: { kind: "unreadable", text: "its certificate or key cannot be read" } });
      else problems.push(...identityProblems(identity, "client", roots, now).map((problem) => ({ where, problem })));
    }
  }
  return { hasServer, serverLeaf, problems };
}
