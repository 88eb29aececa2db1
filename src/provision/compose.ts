import type { ServerIdentity } from "../authority/server-certificate.ts";
import { rootsOf, type SharedSet } from "../authority/shared-set.ts";
import {
  type ClientConfig,
  type ClientCredentials,
  type ClientNode,
  type NodeUpdate,
  newClientConfig,
  updateClientConfig,
} from "../config/client-config.ts";
import { type ServerConfig, updateServerConfig } from "../config/server-config.ts";
import type { HostFile } from "../host/files.ts";
import { writeBundle } from "../pki/certificates.ts";
import { joinHostPort } from "../pki/names.ts";
import { ownedNodes, roleOf } from "./credentials.ts";
import { type ClientFile, type Installation, roleFilePath } from "./installation.ts";

export const DEFAULT_PORT = 50_051;

/** What the files are to hold. */
export interface Content {
  set: SharedSet;
  server: ServerIdentity;
  /** Roles that get a node and, where there are several, a file; the default node is admin's, else the first's. */
  roles: readonly string[];
  /** What clients dial. */
  host: string;
  /** Given explicitly in this run: existing addresses change too. */
  explicitHost: boolean;
  port: number | undefined;
  /** For a host that has none. */
  nodeId: string;
}

/** A client file as it will be. */
export interface ComposedClient {
  path: string;
  config: ClientConfig;
  /** Nodes that hold this set's credentials. */
  nodes: readonly string[];
  existing: HostFile | undefined;
}

export interface Composition {
  server: { config: ServerConfig; existing: HostFile | undefined };
  clients: readonly ComposedClient[];
}

/**
 * The new text of every file. Nodes that belong to somebody else stay as they are.
 * @param base the server configuration to start from: what is on disk, or a template
 */
export function compose(installation: Installation, base: ServerConfig, content: Content): Composition {
  const { server, set } = content;
  const existing = installation.server?.config === base ? installation.server.host : undefined;
  const config = updateServerConfig(base, {
    serverCert: server.chainPem,
    serverKey: server.keyPem,
    caCert: writeBundle(rootsOf(set.bundle)),
    nodeId: installation.server?.nodeId ?? content.nodeId,
    port: existing ? undefined : content.port,
  });
  const context: ClientContext = {
    content,
    installation,
    defaultRole: content.roles.includes("admin") ? "admin" : (content.roles[0] ?? "admin"),
    address: joinHostPort(content.host, content.port ?? config.port ?? DEFAULT_PORT),
    nodeId: config.nodeId ?? content.nodeId,
  };
  return { server: { config, existing: installation.server?.host }, clients: composeClients(context) };
}

interface ClientContext {
  content: Content;
  installation: Installation;
  defaultRole: string;
  address: string;
  nodeId: string;
}

function composeClients(context: ClientContext): ComposedClient[] {
  const { installation, content, defaultRole } = context;
  const several = content.roles.length > 1 ? content.roles : [];
  const clients: ComposedClient[] = [];
  for (const role of new Set([...several, ...installation.roleFiles.keys()])) {
    if (!content.set.clients.has(role)) continue;
    const path = roleFilePath(installation.paths, role);
    clients.push(composeClient(context, path, installation.roleFiles.get(role), role, []));
  }
  clients.push(composeClient(context, installation.paths.clientConfig, installation.client, defaultRole, several));
  const system = installation.systemClient;
  if (system) {
    const composed = refreshNodes(context, system, "system", defaultRole, []);
    if (composed.nodes.length > 0) clients.push(composed);
  }
  return clients;
}

/** @param roles roles that get a node of their own beside the default */
function composeClient(
  context: ClientContext,
  path: string,
  file: ClientFile | undefined,
  role: string,
  roles: readonly string[],
): ComposedClient {
  if (file) return refreshNodes(context, file, "ours", role, roles);
  const { address, nodeId } = context;
  const made = newClientConfig(path, { address, nodeId, credentials: credentials(context, role) });
  const config =
    roles.length === 0
      ? made
      : updateClientConfig(
          made,
          roles.map((name) => nodeUpdate(context, name, name)),
        );
  return { path, config, nodes: config.nodes.map((node) => node.name), existing: undefined };
}

function refreshNodes(
  context: ClientContext,
  file: ClientFile,
  owner: "ours" | "system",
  defaultRole: string,
  roles: readonly string[],
): ComposedClient {
  const { config } = file;
  // A run that was killed between its renames leaves nodes of the new set beside a `caCert` of the old.
  const trusted = [...context.installation.roots, ...rootsOf(context.content.set.bundle)];
  const owned = ownedNodes(file, trusted, owner);
  const updates = owned.map((node) => nodeUpdate(context, node.name, roleOfExisting(context, node, defaultRole)));
  if (owner === "ours" && config.defaultNode === undefined && !config.nodes.some((node) => node.name === "default")) {
    updates.push(nodeUpdate(context, "default", defaultRole));
  }
  for (const role of roles) {
    const taken = config.nodes.some((node) => node.name === role);
    if (!taken && !updates.some((update) => update.name === role)) updates.push(nodeUpdate(context, role, role));
  }
  const updated = updates.length === 0 ? config : updateClientConfig(config, updates);
  return { path: file.path, config: updated, nodes: updates.map((update) => update.name), existing: file.host };
}

function roleOfExisting({ content }: ClientContext, node: ClientNode, otherwise: string): string {
  const role = roleOf(node);
  return role !== undefined && content.set.clients.has(role) ? role : otherwise;
}

function nodeUpdate(context: ClientContext, name: string, role: string): NodeUpdate {
  const { content, address, nodeId } = context;
  return {
    name,
    credentials: credentials(context, role),
    address,
    nodeId,
    host: content.explicitHost ? content.host : undefined,
    port: content.port,
  };
}

function credentials({ content }: ClientContext, role: string): ClientCredentials {
  const identity = content.set.clients.get(role);
  if (!identity) throw new Error(`the set holds no client for the role ${role}`);
  return {
    cert: writeBundle([identity.leaf, ...identity.chain]),
    key: identity.key.pem,
    ca: writeBundle(rootsOf(content.set.bundle)),
  };
}
