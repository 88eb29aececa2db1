import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { CLEAN_PATH, type Result, succeed } from "./binary.ts";
import { sharedDir } from "./shared-dir.ts";

export const KEY_TYPES = ["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** Of the homes with each key type, that one with all roles: a role's key costs time with RSA. */
export const ALL_ROLES = ["admin", "maintainer", "developer", "reader"] as const;
export const TWO_ROLES = ["admin", "reader"] as const;

export const ADDRESS = "build1.example.com";
export const NAMES = ["*.fleet.example.com", "192.0.2.7", "2001:db8::7"] as const;

const TOOLS = {
  JOBLET_PEER: "the Go program of test/interop/peer",
  ZLINT: "zlint",
  PKILINT: "lint_pkix_cert of pkilint",
  OPENSSL: "openssl",
} as const;

/** Path of a tool. Missing is a failure, never a reason to skip. */
export function tool(variable: keyof typeof TOOLS): string {
  const path = process.env[variable] || (variable === "OPENSSL" ? "openssl" : "");
  if (!path) throw new Error(`${variable} is not set: it has to hold the path of ${TOOLS[variable]} (scripts/test.sh)`);
  return path;
}

/** Runs a tool to its end, in a clean environment. */
export async function execute(program: string, args: readonly string[]): Promise<Result> {
  const child = Bun.spawn([program, ...args], {
    env: { PATH: CLEAN_PATH },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** PEM texts of one side of a connection. */
export interface Side {
  cert: string;
  key: string;
  ca: string;
}

export interface Node extends Side {
  address: string;
  isDefault?: boolean;
}

/** What was generated, read only: all tests share it. */
export interface Home {
  path: string;
  /** Milliseconds since the epoch around the run that made it. */
  made: { from: number; to: number };
  roles: readonly string[];
  serverFile: string;
  clientFile: string;
  at(...parts: string[]): string;
  server(): Side;
  nodes(): Record<string, Node>;
  node(name: string): Node;
  /** The shared set as the store holds it. */
  stored(name: string): string;
}

const homes = new Map<string, Promise<Home>>();
let root: string | undefined;
let files = 0;

/** A home with this key type. `which` tells several apart: another one has another CA. */
export function homeWith(keyType: KeyType, which = "first"): Promise<Home> {
  const name = `${keyType}-${which}`;
  let home = homes.get(name);
  if (!home) {
    home = makeHome(name, keyType);
    homes.set(name, home);
  }
  return home;
}

async function makeHome(name: string, keyType: KeyType): Promise<Home> {
  const path = join(scratch(), name);
  const roles = keyType === "ec-p256" ? ALL_ROLES : TWO_ROLES;
  const from = Date.now();
  await succeed([
    "generate",
    "--offline",
    `--home=${path}`,
    `--key-type=${keyType}`,
    `--roles=${roles.join(",")}`,
    `--address=${ADDRESS}`,
    `--names=${NAMES.join(",")}`,
  ]);
  const made = { from, to: Date.now() };
  const at = (...parts: string[]) => join(path, ...parts);
  const [serverFile, clientFile] = [at("config/joblet-config.yml"), at("config/rnx-config.yml")];
  const nodes = () => readNodes(clientFile);
  return {
    path,
    made,
    roles,
    serverFile,
    clientFile,
    at,
    nodes,
    server: () => {
      const { security } = parse(readFileSync(serverFile, "utf8")) as { security: Record<string, string> };
      const { serverCert = "", serverKey = "", caCert = "" } = security;
      return { cert: serverCert, key: serverKey, ca: caCert };
    },
    node: (wanted) => {
      const node = nodes()[wanted];
      if (!node) throw new Error(`${clientFile} has no node ${wanted}`);
      return node;
    },
    stored: (secret) => readFileSync(at("ca", secret), "utf8"),
  };
}

export function readNodes(clientFile: string): Record<string, Node> {
  return (parse(readFileSync(clientFile, "utf8")) as { nodes: Record<string, Node> }).nodes;
}

function scratch(): string {
  root ??= sharedDir();
  return root;
}

/** Writes a text to a new file that goes with the run, and returns its path. */
export function fileOf(text: string, name = "text"): string {
  const path = join(scratch(), `${++files}-${name}`);
  writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  return path;
}

export function serverFileOf({ cert, key, ca }: Side): string {
  return fileOf(stringify({ security: { serverCert: cert, serverKey: key, caCert: ca } }), "joblet-config.yml");
}

export function clientFileOf(nodes: Record<string, Partial<Node>>): string {
  return fileOf(stringify({ version: "3.0", nodes }), "rnx-config.yml");
}

export interface PeerResult {
  ok: boolean;
  role: string;
  node: string;
  address: string;
  error: string;
  refusedBy: string;
}

/** A handshake between the two files, by Go's crypto/tls on both sides. */
export async function goHandshake(serverFile: string, clientFile: string, ...args: string[]): Promise<PeerResult> {
  const given = ["handshake", "--server", serverFile, "--client", clientFile, ...args];
  const { stdout, stderr, code } = await execute(tool("JOBLET_PEER"), given);
  if (code > 1 || stdout === "") throw new Error(`peer ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as PeerResult;
}

/** Runs work on every item, two at a time: as many as the smallest machine has cores. */
export async function forEachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all([worker(), worker()]);
}
