import type { ValueType } from "./values.ts";
import * as values from "./values.ts";

/** One setting: how it is given, read, remembered and explained. */
export interface Setting<T> {
  flag?: string;
  /** The flag needs no value: it stands for `true`. */
  bare?: boolean;
  /** Environment variables, the first that is set wins. */
  variables: readonly string[];
  type: ValueType<T>;
  help: string;
  /** For help; what holds when nothing is given. */
  default: string;
  placeholder?: string;
  /** Written to the host's record, so that later runs start from it. */
  remembered?: boolean;
}

function setting<T>(declaration: Setting<T>): Setting<T> {
  return declaration;
}

/** Every setting, once. Flags, variables, help and the record are all derived from this table. */
export const SETTINGS = {
  mode: setting({
    flag: "secrets-manager",
    placeholder: "true|false|auto",
    variables: ["USE_SECRETS_MANAGER"],
    type: values.mode,
    default: "auto",
    help: "keep the shared set in AWS Secrets Manager; auto: when running on EC2",
    remembered: true,
  }),
  offline: setting({
    flag: "offline",
    bare: true,
    variables: [],
    type: values.toggle,
    default: "off",
    help: "touch no network: the same as --secrets-manager=false",
  }),
  forceRegenerate: setting({
    flag: "force-regenerate",
    bare: true,
    variables: ["FORCE_REGENERATE"],
    type: values.toggle,
    default: "false",
    help: "replace the CA and all client certificates, even if they are good",
  }),
  home: setting({
    flag: "home",
    placeholder: "DIRECTORY",
    variables: ["JOBLET_HOME"],
    type: values.path,
    default: "/opt/joblet",
    help: "Joblet's installation directory",
  }),
  address: setting({
    flag: "address",
    placeholder: "HOST",
    variables: ["JOBLET_SERVER_ADDRESS"],
    type: values.address,
    default: "detected",
    help: "what clients dial: a name, IPv4 or IPv6; a bind address such as 0.0.0.0 means detect",
    remembered: true,
  }),
  port: setting({
    flag: "port",
    placeholder: "PORT",
    variables: ["JOBLET_SERVER_PORT"],
    type: values.port,
    default: "server.port of the file, else 50051",
    help: "what clients dial; also server.port of a config first made",
  }),
  names: setting({
    flag: "names",
    placeholder: "NAME,…",
    variables: ["JOBLET_ADDITIONAL_NAMES"],
    type: values.names,
    default: "none",
    help: "more names for the server certificate",
    remembered: true,
  }),
  internalIp: setting({
    variables: ["JOBLET_CERT_INTERNAL_IP"],
    type: values.ipAddress,
    default: "none",
    help: "one more name, as Joblet's installers set it",
  }),
  publicIp: setting({
    variables: ["JOBLET_CERT_PUBLIC_IP"],
    type: values.ipAddress,
    default: "none",
    help: "one more name, as Joblet's installers set it",
  }),
  domain: setting({
    variables: ["JOBLET_CERT_DOMAIN"],
    type: values.names,
    default: "none",
    help: "more names, as Joblet's installers set them",
  }),
  roles: setting({
    flag: "roles",
    placeholder: "ROLE,…",
    variables: ["JOBLET_CLIENT_ROLES"],
    type: values.roles,
    default: "admin, and those that rnx-config.yml holds",
    help: "client certificates to keep: admin, maintainer, developer, reader (viewer)",
    remembered: true,
  }),
  keyType: setting({
    flag: "key-type",
    placeholder: "TYPE",
    variables: ["JOBLET_KEY_TYPE"],
    type: values.keyType,
    default: "ec-p256",
    help: "of new keys: ec-p256, ec-p384, rsa-2048, rsa-4096",
    remembered: true,
  }),
  caDir: setting({
    flag: "ca-dir",
    placeholder: "DIRECTORY",
    variables: ["JOBLET_CA_DIR"],
    type: values.path,
    default: "$JOBLET_HOME/ca when offline",
    help: "keep the shared set in this directory; implies --offline",
    remembered: true,
  }),
  caDays: setting({
    flag: "ca-days",
    placeholder: "DAYS",
    variables: [],
    type: values.days,
    default: "1095",
    help: "validity of a new CA",
    remembered: true,
  }),
  serverDays: setting({
    flag: "server-days",
    placeholder: "DAYS",
    variables: [],
    type: values.days,
    default: "365",
    help: "validity of the server certificate",
    remembered: true,
  }),
  clientDays: setting({
    flag: "client-days",
    placeholder: "DAYS",
    variables: [],
    type: values.days,
    default: "730",
    help: "validity of new client certificates",
    remembered: true,
  }),
  discardCaKey: setting({
    flag: "discard-ca-key",
    bare: true,
    variables: [],
    type: values.toggle,
    default: "off",
    help: "offline: keep no CA key on the host",
    remembered: true,
  }),
  isEc2: setting({
    variables: ["IS_EC2"],
    type: values.toggle,
    default: "detected",
    help: "whether this host runs on EC2, as Joblet's installers export it",
  }),
  resetConfig: setting({
    flag: "reset-config",
    bare: true,
    variables: [],
    type: values.toggle,
    default: "off",
    help: "make joblet-config.yml anew from the template; edits in it are lost",
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** Where a value came from; the first two were given in this run. */
export type Origin = "flag" | "variable" | "record";

export interface Given<T> {
  value: T;
  origin: Origin;
  /** As it was written, for the record. */
  text: string;
}

export type Settings = { [K in SettingName]?: Given<ValueOf<(typeof SETTINGS)[K]>> };

/** Flags that every command has. */
export const COMMON_FLAGS = {
  json: "print one JSON document on standard output",
  verbose: "say more, and show a trace for an unexpected failure",
  help: "show this help",
} as const;

export const DEFAULT_HOME = "/opt/joblet";
