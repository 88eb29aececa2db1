import { spawnSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { succeed, type TempDir, tempDir } from "./binary.ts";
import { sharedDir } from "./shared-dir.ts";

export const SERVER = "config/joblet-config.yml";
export const CLIENT = "config/rnx-config.yml";
export const RECORD = "config/joblet-certs.json";

/** What a host may hold after any number of runs, and nothing else. */
const KNOWN = [
  /^config\/(?:joblet-config\.yml|rnx-config(?:-[a-z]+)?\.yml|joblet-certs\.json)(?:\.previous)?$/,
  /^ca\/(?:ca|client)-(?:key|cert)(?:-[a-z]+)?$/,
  /^ca\/versions\/(?:ca|client)-(?:key|cert)(?:-[a-z]+)?\.[0-9a-f-]{36}$/,
];

let template: string | undefined;

/** A home with certificates in it, made once and copied: `using home = await filledHome()`. */
export async function filledHome(): Promise<TempDir> {
  if (!template) {
    const made = sharedDir();
    await succeed(["--offline", "--address=joblet.example.com"], { env: { JOBLET_HOME: made } });
    template = made;
  }
  const home = tempDir();
  copyTree(template, home.path);
  return home;
}

/** With hard links as they are: the set's directory has them. */
export function copyTree(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-a", `${from}/.`, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`cp: ${stderr}`);
}

/** Files below a home that nobody knows: temporary files, locks. */
export function strays(home: string): string[] {
  return files(home).filter((file) => !KNOWN.some((pattern) => pattern.test(file)));
}

/** Relative paths of everything that is not a directory. */
export function files(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
    .sort();
}

interface Node {
  cert?: string;
  key?: string;
  ca?: string;
}

/**
 * What is wrong with the files by themselves, seen by other code than the program's: not YAML, a key that does not fit,
 * a certificate that none of the roots beside it issued. An empty list: every file is whole.
 */
export function faults(home: string): string[] {
  const found: string[] = [];
  for (const name of existsSync(join(home, "config")) ? readdirSync(join(home, "config")) : []) {
    if (!/\.yml(?:\.previous)?$/.test(name) || name.startsWith(".")) continue;
    try {
      const data = parse(readFileSync(join(home, "config", name), "utf8"));
      if (data === null || typeof data !== "object") throw new Error("it is not a mapping");
      const { security, nodes } = data as { security?: Record<string, string>; nodes?: Record<string, Node> };
      if (security?.serverCert) {
        const { serverCert, serverKey, caCert } = security;
        checkFit({ cert: serverCert, key: serverKey, ca: caCert } as Node);
      }
      for (const node of Object.values(nodes ?? {})) checkFit(node);
    } catch (error) {
      found.push(`${name}: ${(error as Error).message}`);
    }
  }
  return found;
}

function checkFit({ cert = "", key = "", ca = "" }: Node): void {
  const leaf = new X509Certificate(cert);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error("the key does not fit the certificate");
  if (!certificates(ca).some((root) => leaf.verify(root.publicKey))) throw new Error("no root beside it issued it");
}

/** Whether the client's certificate was issued by a root that the server trusts. */
export function fitTogether(serverFile: string, clientFile: string): boolean {
  const server = parse(readFileSync(serverFile, "utf8")) as { security: { caCert: string } };
  const client = parse(readFileSync(clientFile, "utf8")) as { nodes: Record<string, Node> };
  const roots = certificates(server.security.caCert);
  return Object.values(client.nodes).every(({ cert = "" }) => {
    const leaf = new X509Certificate(cert);
    return roots.some((root) => leaf.verify(root.publicKey));
  });
}

function certificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** Every line of base64 in every private key below a home. */
export function keyLines(home: string): string[] {
  return files(home).flatMap((file) => {
    const text = readFileSync(join(home, file), "latin1");
    const bodies = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END/g) ?? [];
    return bodies
      .flatMap((body) => body.match(/^[ \t]*([A-Za-z0-9+/=]{16,})[ \t]*$/gm) ?? [])
      .map((line) => line.trim());
  });
}
