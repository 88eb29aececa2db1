import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ClientConfig, readClientConfig } from "../config/client-config.ts";
import { type HostRecord, readRecord } from "../config/record.ts";
import {
  BUILT_IN_TEMPLATE,
  readServerConfig,
  type ServerConfig,
  salvageServerConfig,
} from "../config/server-config.ts";
import { Failure } from "../errors.ts";
import { directoryExists, followed } from "../host/directories.ts";
import { fileFailure } from "../host/file-failure.ts";
import { type HostFile, readHostFile } from "../host/files.ts";
import type { Certificate } from "../pki/certificates.ts";
import { parseRoots } from "../pki/validate.ts";

/** Where everything of one installation is. */
export interface Paths {
  home: string;
  configDirectory: string;
  serverConfig: string;
  clientConfig: string;
  record: string;
  lock: string;
  template: string;
  /** The set of a host that shares nothing. */
  caDirectory: string;
}

/** rnx finds this copy before the one in the config directory; Joblet's installers make it. */
export const SYSTEM_CLIENT_CONFIG = "/etc/joblet/rnx-config.yml";

const ROLE_FILE = /^rnx-config-([a-z]+)\.yml$/;

/** A client file as it is on disk. */
export interface ClientFile {
  path: string;
  host: HostFile;
  config: ClientConfig;
}

/** `joblet-config.yml` as it is on disk. */
export interface InstalledServer extends Omit<ServerConfig, "file" | "port"> {
  host: HostFile;
  /** Undefined when the file is to be made anew. */
  config: ServerConfig | undefined;
}

/** What is installed now, read and parsed; nothing in it is trusted yet. */
export interface Installation {
  paths: Paths;
  server: InstalledServer | undefined;
  client: ClientFile | undefined;
  /** `rnx-config-<role>.yml` by role. */
  roleFiles: ReadonlyMap<string, ClientFile>;
  /** The copy in /etc, when there is one that can be read. */
  systemClient: ClientFile | undefined;
  record: { host: HostFile; data: HostRecord } | undefined;
  /** The roots in `caCert` so far; empty when there are none or they cannot be read. */
  roots: readonly Certificate[];
}

/** @throws Failure 7 when the home is something else than a directory */
export function pathsOf(home: string): Paths {
  const absolute = resolve(home);
  const configDirectory = join(absolute, "config");
  return {
    home: absolute,
    configDirectory,
    serverConfig: join(configDirectory, "joblet-config.yml"),
    clientConfig: join(configDirectory, "rnx-config.yml"),
    record: join(configDirectory, "joblet-certs.json"),
    lock: join(configDirectory, ".joblet-certs.lock"),
    template: join(absolute, "scripts", "joblet-config-template.yml"),
    caDirectory: join(absolute, "ca"),
  };
}

export function roleFilePath(paths: Paths, role: string): string {
  return join(paths.configDirectory, `rnx-config-${role}.yml`);
}

/** The client files of the config directory: all of them are this program's to keep. */
export function clientFiles({ client, roleFiles }: Pick<Installation, "client" | "roleFiles">): ClientFile[] {
  return [...(client ? [client] : []), ...roleFiles.values()];
}

/**
 * Reads all files of an installation.
 * @param reset the server configuration is to be made anew: it may be broken
 * @throws Failure 7 for a file that cannot be read or is not what it should be
 */
export function readInstallation(paths: Paths, reset: boolean, onWarning: (text: string) => void): Installation {
  const exists = directoryExists(paths.configDirectory);
  const server = exists ? readServer(paths.serverConfig, reset) : undefined;
  const roleFiles = new Map<string, ClientFile>();
  for (const name of exists ? readdirSync(paths.configDirectory) : []) {
    const role = ROLE_FILE.exec(name)?.[1];
    const file = role === undefined ? undefined : readClient(join(paths.configDirectory, name));
    if (role !== undefined && file) roleFiles.set(role, file);
  }
  return {
    paths,
    server,
    client: exists ? readClient(paths.clientConfig) : undefined,
    roleFiles,
    systemClient: readSystemClient(onWarning),
    record: exists ? readHostRecord(paths.record) : undefined,
    roots: server?.caCert === undefined ? [] : rootsOrNone(server.caCert),
  };
}

/** Joblet's template, or the small one that is built in. */
export function readTemplate(paths: Paths): ServerConfig {
  // It belongs to Joblet's package, which may link it; only this program's own files must not be links.
  const file = readHostFile(followed(paths.template));
  if (!file) return readServerConfig("the built-in template", BUILT_IN_TEMPLATE);
  return readServerConfig(paths.template, file.text, "remove it: a small built-in template is used then");
}

function readServer(path: string, reset: boolean): InstalledServer | undefined {
  const host = readHostFile(path, reset ? "lossy" : "strict");
  if (!host) return undefined;
  if (reset) return { host, config: undefined, ...salvageServerConfig(host.text) };
  const config = readServerConfig(path, host.text);
  const { serverCert, serverKey, caCert, nodeId } = config;
  return { host, config, serverCert, serverKey, caCert, nodeId };
}

function readHostRecord(path: string): Installation["record"] {
  const host = readHostFile(path);
  return host && { host, data: readRecord(path, host.text) };
}

function readClient(path: string): ClientFile | undefined {
  const host = readHostFile(path);
  return host && { path, host, config: readClientConfig(path, host.text) };
}

/** Somebody else's file in /etc must not keep this host from getting its certificates. */
function readSystemClient(onWarning: (text: string) => void): ClientFile | undefined {
  try {
    return directoryExists("/etc/joblet") ? readClient(SYSTEM_CLIENT_CONFIG) : undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw fileFailure("read", SYSTEM_CLIENT_CONFIG, error);
    onWarning(`${error.message}; rnx on this host reads it first, and it is left as it is: ${error.hint}`);
    return undefined;
  }
}

/** The roots of a bundle on disk; none where it cannot be read. */
export function rootsOrNone(text: string): Certificate[] {
  try {
    return parseRoots(text);
  } catch {
    return [];
  }
}
