import type { Certificate } from "../pki/certificates.ts";
import { issueCertificate } from "../pki/issue.ts";
import { generateKey } from "../pki/keys.ts";
import { identityProblems, parseIdentity } from "../pki/validate.ts";
import { type ClientSide, handshakes, type Side } from "../tls/handshake.ts";
import { nodeIdentity, ownedNodes } from "./credentials.ts";
import { type ClientFile, clientFiles, type Installation } from "./installation.ts";
import { proveNodes, serverSide } from "./prove.ts";

export interface Check {
  what: string;
  ok: boolean;
  problem?: string;
}

export interface InstalledProof {
  checks: readonly Check[];
  /** Nodes of other fleets. */
  skipped: readonly string[];
  serverLeaf: Certificate | undefined;
  /** Client certificates that were tried, by node. */
  clients: readonly { what: string; leaf: Certificate }[];
}

/** Proves an installation as it is on disk: who belongs to it gets in, who does not is turned away. */
export async function proveInstalled(installation: Installation, now: number, crypto: Crypto): Promise<InstalledProof> {
  const config = installation.server?.config;
  const server = serverSide(config ?? {});
  const ours = clientFiles(installation);
  const system = installation.systemClient ? [installation.systemClient] : [];
  const owned = [
    ...ours.flatMap((file) => nodesOf(file, installation.roots, "ours")),
    ...system.flatMap((file) => nodesOf(file, installation.roots, "system")),
  ];
  const skipped = [...ours, ...system].flatMap((file) =>
    file.config.nodes
      .filter((node) => !owned.some((own) => own.path === file.path && own.node === node))
      .map((node) => `node ${node.name} of ${file.path}`),
  );

  const { check, leaf } = checkServer(server, installation.roots, now);
  const proofs = config ? await proveNodes(config, owned) : [];
  const strangers = await turnedAway(server, now, crypto);
  const admitted = proofs.map(({ node, path, ok, problem }) =>
    result(`node ${node} of ${path}: handshake`, ok, problem),
  );
  const clients = owned.flatMap(({ path, node }) => {
    const identity = nodeIdentity(node);
    return identity ? [{ what: `client certificate of node ${node.name} in ${path}`, leaf: identity.leaf }] : [];
  });
  return { checks: [check, ...admitted, ...strangers], skipped, serverLeaf: leaf, clients };
}

function nodesOf(file: ClientFile, roots: readonly Certificate[], owner: "ours" | "system") {
  return ownedNodes(file, roots, owner).map((node) => ({ path: file.path, node }));
}

function checkServer(
  { cert, key }: { cert: string; key: string },
  roots: readonly Certificate[],
  now: number,
): { check: Check; leaf: Certificate | undefined } {
  const what = "server certificate: key, issuer, usage, dates";
  try {
    const identity = parseIdentity(cert, key);
    const problems = identityProblems(identity, "server", roots, now);
    return {
      check: result(what, problems.length === 0, problems.map(({ text }) => text).join("; ")),
      leaf: identity.leaf,
    };
  } catch (error) {
    return { check: result(what, false, (error as Error).message), leaf: undefined };
  }
}

/** A client without a certificate, and one of a CA made up for the purpose, must be refused by the server. */
async function turnedAway(server: Side, now: number, crypto: Crypto): Promise<Check[]> {
  const key = await generateKey("ec-p256", crypto);
  const root = await issueCertificate({ profile: "root", subjectKey: key, issuer: { key }, now, crypto });
  const issuer = { key, certificate: root };
  const leaf = await issueCertificate({ profile: "client", role: "admin", subjectKey: key, issuer, now, crypto });
  const ca = server.ca;
  const strangers: readonly [string, ClientSide][] = [
    ["a client without a certificate is turned away", { ca }],
    ["a client of another CA is turned away", { ca, cert: leaf.pem, key: key.pem }],
  ];
  const results = await handshakes(
    server,
    strangers.map(([, side]) => side),
  );
  return strangers.map(([what], index) => {
    const { ok = true, rejectedByServer = false, problem } = results[index] ?? {};
    // Only the server's own refusal counts: a handshake can fail for reasons that say nothing about the client.
    return result(what, !ok && rejectedByServer, ok ? "the server let it in" : problem);
  });
}

function result(what: string, ok: boolean, problem: string | undefined): Check {
  return ok ? { what, ok } : { what, ok, problem: problem || "failed" };
}
