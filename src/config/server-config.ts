import { isScalar } from "yaml";
import { mapAt, parseYaml, salvageString, stringAt, type YamlFile } from "./yaml-document.ts";
import { editYaml } from "./yaml-edit.ts";
import type { Changes } from "./yaml-render.ts";

/** Joblet's `joblet-config.yml`: what this program reads of it. PEM texts as they stand there. */
export interface ServerConfig {
  file: YamlFile;
  serverCert: string | undefined;
  serverKey: string | undefined;
  caCert: string | undefined;
  nodeId: string | undefined;
  port: number | undefined;
}

/** What this program writes into it. */
export interface ServerConfigUpdate {
  serverCert: string;
  serverKey: string;
  caCert: string;
  /** Used where the file has none. */
  nodeId: string;
  /** Only for a file that is first made. */
  port?: number | undefined;
}

const REPAIR = "have it made anew with: joblet-certs generate --reset-config";

/** What a host without Joblet's template gets. Joblet's installers edit it later, line by line, so its form matters. */
export const BUILT_IN_TEMPLATE = `# Joblet server configuration, made by joblet-certs because no template was found.
version: "3.0"

server:
  address: "0.0.0.0"
  port: 50051
  nodeId: ""

state:
  backend: "memory"
`;

/**
 * @param repair what to do about a file that cannot be used
 * @throws Failure 7 when the file is not a usable mapping
 */
export function readServerConfig(path: string, text: string, repair: string = REPAIR): ServerConfig {
  return fromFile(parseYaml(path, text, repair));
}

function fromFile(file: YamlFile): ServerConfig {
  const port = Number(stringAt(file, ["server", "port"]));
  return {
    file,
    serverCert: stringAt(file, ["security", "serverCert"]),
    serverKey: stringAt(file, ["security", "serverKey"]),
    caCert: stringAt(file, ["security", "caCert"]),
    nodeId: stringAt(file, ["server", "nodeId"]) || undefined,
    port: Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined,
  };
}

/** What a broken file still tells: enough to keep the host's identity when the file is made anew. */
export function salvageServerConfig(text: string): Omit<ServerConfig, "file" | "port"> {
  return {
    serverCert: salvageString(text, ["security", "serverCert"]),
    serverKey: salvageString(text, ["security", "serverKey"]),
    caCert: salvageString(text, ["security", "caCert"]),
    nodeId: salvageString(text, ["server", "nodeId"]) || undefined,
  };
}

/** The same file with new credentials; everything else stays byte for byte. */
export function updateServerConfig(config: ServerConfig, update: ServerConfigUpdate): ServerConfig {
  const server: Changes = {};
  if (hasNoNodeId(config)) server.nodeId = { quoted: update.nodeId };
  if (update.port !== undefined) server.port = { plain: update.port };
  const changes: Changes = {
    ...(Object.keys(server).length > 0 ? { server } : {}),
    security: {
      serverCert: { block: update.serverCert },
      serverKey: { block: update.serverKey },
      caCert: { block: update.caCert },
    },
  };
  const edited = editYaml(config.file, changes, REPAIR);
  return edited === config.file ? config : fromFile(edited);
}

/** Missing, null or empty. A number or anything else that somebody wrote there is theirs. */
function hasNoNodeId(config: ServerConfig): boolean {
  const node = mapAt(config.file, ["server"])?.get("nodeId", true);
  return node === undefined || (isScalar(node) && (node.value === null || node.value === ""));
}
