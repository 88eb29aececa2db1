import { isMap, isScalar } from "yaml";
import { joinHostPort, splitHostPort } from "../pki/names.ts";
import { mapAt, parseYaml, stringAt, type YamlFile } from "./yaml-document.ts";
import { editYaml } from "./yaml-edit.ts";
import type { Changes } from "./yaml-render.ts";

/** One node of `rnx-config.yml`: a server and the credentials for it. PEM texts as they stand there. */
export interface ClientNode {
  name: string;
  address: string | undefined;
  nodeId: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  ca: string | undefined;
}

export interface ClientConfig {
  file: YamlFile;
  nodes: readonly ClientNode[];
  /** The node that rnx picks when none is named. */
  defaultNode: string | undefined;
}

export interface ClientCredentials {
  cert: string;
  key: string;
  ca: string;
}

/** A node to be made or brought up to date. */
export interface NodeUpdate {
  name: string;
  credentials: ClientCredentials;
  /** Of a node that is first made. */
  address: string;
  nodeId: string;
  /** Parts of an existing node's address that were given explicitly in this run. */
  host: string | undefined;
  port: number | undefined;
}

const DEFAULT_NAME = "default";
const REPAIR = "move it away to have it made anew";

/** @throws Failure 7 when the file is not a usable mapping */
export function readClientConfig(path: string, text: string): ClientConfig {
  return fromFile(parseYaml(path, text, REPAIR));
}

function fromFile(file: YamlFile): ClientConfig {
  const names = (mapAt(file, ["nodes"])?.items ?? []).flatMap((pair) =>
    isScalar(pair.key) ? [String(pair.key.value)] : [],
  );
  const nodes = names.filter((name) => mapAt(file, ["nodes", name])).map((name) => readNode(file, name));
  return { file, nodes, defaultNode: pickDefault(file, names) };
}

/** A new file whose node `default` is the given one; older clients know no other name. */
export function newClientConfig(path: string, node: Omit<NodeUpdate, "name" | "host" | "port">): ClientConfig {
  const empty = parseYaml(path, 'version: "3.0"\n', REPAIR);
  const nodes: Changes = {
    [DEFAULT_NAME]: {
      address: { quoted: node.address },
      nodeId: { quoted: node.nodeId },
      isDefault: { plain: true },
      ...blocks(node.credentials),
    },
  };
  return fromFile(editYaml(empty, { nodes }, REPAIR));
}

/**
 * Brings nodes up to date and adds those that are missing. Exactly one default node results: an existing choice stays,
 * and is written down where adding nodes would undo it.
 */
export function updateClientConfig(config: ClientConfig, updates: readonly NodeUpdate[]): ClientConfig {
  // Without a prototype: a node may have any name.
  const nodes: Record<string, Changes> = Object.create(null);
  for (const update of updates) {
    const existing = config.nodes.find((node) => node.name === update.name);
    nodes[update.name] = existing ? changesTo(existing, update) : newNode(update);
  }
  const adds = updates.some((update) => !config.nodes.some((node) => node.name === update.name));
  const choice = config.defaultNode ?? DEFAULT_NAME;
  if (adds && (config.defaultNode === undefined || isImplicit(config, choice))) {
    nodes[choice] = { ...nodes[choice], isDefault: { plain: true } };
  }
  const edited = editYaml(config.file, { nodes }, REPAIR);
  return edited === config.file ? config : fromFile(edited);
}

function changesTo(node: ClientNode, update: NodeUpdate): Changes {
  const address = newAddress(node, update);
  return { ...(address === undefined ? {} : { address: { quoted: address } }), ...blocks(update.credentials) };
}

/** Undefined when the existing address stays. */
function newAddress(node: ClientNode, { host, port, address }: NodeUpdate): string | undefined {
  if (!node.address) return address;
  if (host === undefined && port === undefined) return undefined;
  const old = splitHostPort(node.address);
  const planned = splitHostPort(address);
  return joinHostPort(host ?? old.host ?? planned.host ?? "", port ?? old.port ?? planned.port ?? 0);
}

function newNode(update: NodeUpdate): Changes {
  return { address: { quoted: update.address }, nodeId: { quoted: update.nodeId }, ...blocks(update.credentials) };
}

function blocks({ cert, key, ca }: ClientCredentials): Changes {
  return { cert: { block: cert }, key: { block: key }, ca: { block: ca } };
}

function readNode(file: YamlFile, name: string): ClientNode {
  const text = (key: string) => stringAt(file, ["nodes", name, key]);
  return {
    name,
    address: text("address"),
    nodeId: text("nodeId"),
    cert: text("cert"),
    key: text("key"),
    ca: text("ca"),
  };
}

/** The one with `isDefault: true`, else the one named `default`, else the only one. */
function pickDefault(file: YamlFile, names: readonly string[]): string | undefined {
  const marked = names.find((name) => isTrue(mapAt(file, ["nodes", name])?.get("isDefault")));
  if (marked !== undefined) return marked;
  if (names.includes(DEFAULT_NAME)) return DEFAULT_NAME;
  return names.length === 1 ? names[0] : undefined;
}

/** Whether the default is one only because it is the only node. */
function isImplicit(config: ClientConfig, name: string): boolean {
  const node = mapAt(config.file, ["nodes", name]);
  return name !== DEFAULT_NAME && isMap(node) && !isTrue(node.get("isDefault"));
}

/** yaml.v3 reads YAML 1.1's words too where a boolean is expected. */
function isTrue(value: unknown): boolean {
  return value === true || (typeof value === "string" && /^(?:y|yes|on|true)$/i.test(value));
}
