import type { DeclaredFlags } from "./arguments.ts";
import type { Output } from "./output.ts";
import type { Flags } from "./resolve-settings.ts";
import { COMMON_FLAGS, SETTINGS, type SettingName } from "./settings.ts";

/** What a command is given to work with. */
export interface Invocation {
  flags: Flags;
  environment: Readonly<Record<string, string | undefined>>;
  /** Set when it was called under the name of one of the scripts that it replaces. */
  calledAs: string | undefined;
  output: Output;
}

/** Runs a command; the result is its exit code. */
export type Handler = (invocation: Invocation) => Promise<number>;

export interface CommandInfo {
  name: string;
  summary: string;
  description: string;
  settings: readonly SettingName[];
  examples: readonly (readonly [line: string, effect: string])[];
  /** By exit code, what it means for this command. */
  exits: Readonly<Record<number, string>>;
  /** Loaded when it is run, not before: start-up time is part of the contract. */
  load: () => Promise<Handler>;
}

const GENERATE: CommandInfo = {
  name: "generate",
  summary: "make or reuse CA and client certificates, issue this host's server certificate, embed them",
  description:
    "Makes the CA and the client certificates, or reuses those that are there; issues a new server certificate for this\n" +
    "host; proves by real TLS handshakes that they work; and embeds them in joblet-config.yml and rnx-config.yml.\n" +
    "Everything else in these files stays as it is. Without a command, this one is run.",
  settings: [
    "mode",
    "offline",
    "forceRegenerate",
    "home",
    "address",
    "port",
    "names",
    "internalIp",
    "publicIp",
    "domain",
    "roles",
    "keyType",
    "caDir",
    "caDays",
    "serverDays",
    "clientDays",
    "discardCaKey",
    "isEc2",
    "resetConfig",
  ],
  examples: [
    ["joblet-certs generate --offline", "everything locally, no network touched"],
    ["joblet-certs --offline --address=build1.example.com", "clients dial this name"],
    ["joblet-certs --offline --roles=admin,reader", "a second client file, which may only read"],
    ["joblet-certs --ca-dir=/mnt/fleet-ca", "several hosts without AWS share one CA"],
    ["JOBLET_HOME=/srv/joblet joblet-certs --offline --json", "elsewhere, and tell a program about it"],
  ],
  exits: {
    0: "done, or valid certificates were kept",
    2: "unknown flag or unacceptable value; nothing was changed",
    3: "a handshake failed or the clock is implausible; nothing was published",
    6: "the stored set is invalid or does not fit together; nothing was changed",
    7: "files cannot be read or written, or another run held the lock for 180 seconds",
  },
  load: async () => (await import("./generate.ts")).generate,
};

const VERIFY: CommandInfo = {
  name: "verify",
  summary: "prove the configs on disk by full mutual TLS 1.3 handshakes",
  description:
    "Starts a TLS server with what joblet-config.yml holds, in this process, and connects to it with every client of\n" +
    "rnx-config.yml that belongs to this host; then makes sure that a client without a certificate, and one of another\n" +
    "CA, are turned away. Changes nothing.",
  settings: ["home"],
  examples: [
    ["joblet-certs verify", "the files below /opt/joblet"],
    ["joblet-certs verify --home=./demo --json", "other files, for a program"],
  ],
  exits: {
    0: "every handshake ended as it should",
    2: "unknown flag or unacceptable value",
    3: "a handshake failed, or a certificate has expired",
    7: "files are missing or cannot be read",
  },
  load: async () => (await import("./verify.ts")).verify,
};

export const COMMANDS: readonly CommandInfo[] = [GENERATE, VERIFY];

/** Names of the scripts that this program replaces, and what they mean. */
export const SCRIPT_NAMES: Readonly<Record<string, readonly string[]>> = {
  "certs_gen_embedded.sh": ["generate"],
  "certs_gen_with_secretsmanager.sh": ["generate"],
};

export function declaredFlags(command: CommandInfo): DeclaredFlags {
  const flags: Record<string, { type: "string" | "boolean" }> = {};
  for (const name of command.settings) {
    const { flag, bare } = SETTINGS[name] as { flag?: string; bare?: boolean };
    if (flag !== undefined) flags[flag] = { type: bare ? "boolean" : "string" };
  }
  for (const flag of Object.keys(COMMON_FLAGS)) flags[flag] = { type: "boolean" };
  return flags;
}
