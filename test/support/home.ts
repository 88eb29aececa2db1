import { chmodSync, cpSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type Certificate, parseCertificates } from "../../src/pki/certificates.ts";
import { type Result, type RunOptions, run, type TempDir, tempDir } from "./binary.ts";
import { CLIENT, SERVER } from "./installed.ts";

export const TEMPLATE = readFileSync(join(import.meta.dir, "..", "fixtures", "joblet-config-template.yml"), "utf8");

export interface ClientNode {
  address: string;
  nodeId: string;
  isDefault?: boolean;
  cert: string;
  key: string;
  ca: string;
}

export interface ServerFile {
  server: { address: string; port: number; nodeId: string };
  security: { serverCert: string; serverKey: string; caCert: string };
}

/** One host's installation directory. */
export class Home implements Disposable {
  readonly #directory: TempDir;

  /** @param template Joblet's template for `scripts/`; none when null */
  constructor(template: string | null = TEMPLATE) {
    this.#directory = tempDir();
    if (template !== null) this.write("scripts/joblet-config-template.yml", template);
  }

  get path(): string {
    return this.#directory.path;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** `generate --offline` here, with a clean environment. */
  generate(args: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    return this.run(["--offline", ...args], options);
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run(args, { ...options, env: { JOBLET_HOME: this.path, ...options.env } });
  }

  /** The same, for steps that have to work before the test begins. */
  async prepare(...args: string[]): Promise<Result> {
    return expectDone(await this.generate(args));
  }

  text(name: string): string {
    return readFileSync(this.at(name), "utf8");
  }

  write(name: string, text: string, mode = 0o600): void {
    mkdirSync(join(this.at(name), ".."), { recursive: true });
    writeFileSync(this.at(name), text);
    chmodSync(this.at(name), mode);
  }

  /** Edits a file as a person would; an edit that finds nothing is a mistake of the test. */
  edit(name: string, from: string | RegExp, to: string): void {
    const before = this.text(name);
    const after = before.replace(from, () => to);
    if (after === before) throw new Error(`nothing to edit in ${name}: ${from}`);
    writeFileSync(this.at(name), after);
  }

  mode(name: string): string {
    return (lstatSync(this.at(name)).mode & 0o7777).toString(8);
  }

  server(): ServerFile {
    return parse(this.text(SERVER)) as ServerFile;
  }

  nodes(name = CLIENT): Record<string, ClientNode> {
    return (parse(this.text(name)) as { nodes: Record<string, ClientNode> }).nodes;
  }

  node(name: string, file = CLIENT): ClientNode {
    const node = this.nodes(file)[name];
    if (!node) throw new Error(`there is no node ${name} in ${file}`);
    return node;
  }

  roots(): Certificate[] {
    return parseCertificates(this.server().security.caCert);
  }

  serverLeaf(): Certificate {
    return firstOf(this.server().security.serverCert);
  }

  clientLeaf(node = "default", file = CLIENT): Certificate {
    return firstOf(this.node(node, file).cert);
  }

  copy(): Home {
    const copy = new Home(null);
    cpSync(this.path, copy.path, { recursive: true, preserveTimestamps: true });
    return copy;
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

export function firstOf(pem: string): Certificate {
  const [leaf] = parseCertificates(pem);
  if (!leaf) throw new Error("there is no certificate");
  return leaf;
}

/** Anything but exit code 0 fails with what the program said. */
export function expectDone(result: Result): Result {
  if (result.code !== 0) throw new Error(`exit code ${result.code}:\n${result.stderr}`);
  return result;
}

export function warnings({ stderr }: Result): string[] {
  return stderr.split("\n").filter((line) => line.startsWith("joblet-certs: warning: "));
}

/** A file without the values of some keys that hold block literals: what is left has to stay byte for byte. */
export function withoutBlocks(text: string, ...keys: string[]): string {
  const kept: string[] = [];
  let depth = -1;
  for (const line of text.split(/(?<=\n)/)) {
    const indent = line.search(/\S/);
    if (depth >= 0 && indent > depth) continue;
    depth = keys.some((key) => line.trimStart().startsWith(`${key}: |`)) ? indent : -1;
    kept.push(line);
  }
  return kept.join("");
}

/** PEM as it stands under a key of a YAML file. */
export function blockOf(pem: string, indent: number): string {
  return pem.trimEnd().replace(/^/gm, " ".repeat(indent));
}

/** A node of a client file as text. */
export function nodeText(
  name: string,
  { address, cert, key, ca }: { address: string; cert: string; key: string; ca: string },
  extra = "",
): string {
  const block = (label: string, pem: string) => `    ${label}: |\n${blockOf(pem, 6)}\n`;
  const head = `  ${name}:\n    address: "${address}"\n${extra}`;
  return head + block("cert", cert) + block("key", key) + block("ca", ca);
}
