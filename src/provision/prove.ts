import type { ClientNode } from "../config/client-config.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { ExitCode, Failure } from "../errors.ts";
import { identityProblems, parseIdentity, parseRoots } from "../pki/validate.ts";
import { type HandshakeResult, handshakes, type Side } from "../tls/handshake.ts";
import type { Composition } from "./compose.ts";

/** One handshake, by the node that its client side came from. */
export interface Proof extends HandshakeResult {
  path: string;
  node: string;
}

type ServerCredentials = Partial<Pick<ServerConfig, "serverCert" | "serverKey" | "caCert">>;

/** What a server of this configuration would present and trust. */
export function serverSide({ serverCert = "", serverKey = "", caCert = "" }: ServerCredentials): Side {
  return { cert: serverCert, key: serverKey, ca: caCert };
}

/** Handshakes between a server configuration and client nodes, with exactly the bytes that stand there. */
export async function proveNodes(
  server: ServerCredentials,
  nodes: readonly { path: string; node: ClientNode }[],
): Promise<Proof[]> {
  const side = serverSide(server);
  // Several nodes often hold the same credentials: each is tried once.
  const keys = nodes.map(({ node }) => JSON.stringify([node.cert, node.key, node.ca]));
  const distinct = [...new Set(keys)];
  const clients = distinct.map((key) => {
    const { node } = nodes[keys.indexOf(key)] as { node: ClientNode };
    return { cert: node.cert ?? "", key: node.key ?? "", ca: node.ca ?? "" };
  });
  const results = await handshakes(side, clients);
  return nodes.map(({ path, node }, index) => ({
    path,
    node: node.name,
    ...(results[distinct.indexOf(keys[index] as string)] as HandshakeResult),
  }));
}

/**
 * Proves a composition before any of it is published.
 * @throws Failure 3 naming the node whose handshake failed and why
 */
export async function proveComposition(composition: Composition, now: number): Promise<Proof[]> {
  const { config } = composition.server;
  const nodes = composition.clients.flatMap(({ path, config: client, nodes: names }) =>
    client.nodes.filter((node) => names.includes(node.name)).map((node) => ({ path, node })),
  );
  const roots = parseRoots(config.caCert ?? "");
  const server = parseIdentity(config.serverCert ?? "", config.serverKey ?? "");
  const [problem] = identityProblems(server, "server", roots, now);
  if (problem) throw notProven(`server certificate: ${problem.text}`);
  const proofs = await proveNodes(config, nodes);
  const failed = proofs.find((proof) => !proof.ok);
  if (failed) throw notProven(`node ${failed.node} of ${failed.path}: ${failed.problem}`);
  return proofs;
}

function notProven(what: string): Failure {
  return new Failure(
    ExitCode.checkFailed,
    `the handshake check failed, nothing was published: ${what}`,
    "check this host's clock, then run again with --verbose and report what it prints",
  );
}
