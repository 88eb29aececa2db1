import type { SecretName } from "./secrets.ts";

/** One version of a secret. */
export interface Version {
  id: string;
  value: string;
  /** Whether it carried the current label when it was read. */
  current: boolean;
}

/**
 * What a look at a secret showed. `deleted`: it is scheduled for deletion and can be restored. Unavailable or denied is
 * neither of these: the store throws.
 */
export type Reading = { state: "present"; version: Version } | { state: "absent" } | { state: "deleted" };

/** Which version to look at: by stage label, or by id. */
export type Selector = "current" | "previous" | { id: string };

/** `refused`: a version is there already. Someone else won, or an earlier run; look at the store again. */
export type WriteResult = "written" | "refused";

/** Where the shared set lives. The protocol knows nothing else of it. */
export interface Store {
  /** For messages: where a person finds this secret (`joblet/ca-key`, `/opt/joblet/ca/ca-key`). */
  locate(name: SecretName): string;
  /** The name that version ids are derived from: the secret's full name, alike on every host. */
  fullName(name: SecretName): string;
  /** True while nobody else can write: reads are consistent then, so nothing waits and nothing is read twice. */
  readonly exclusive: boolean;
  /** The clock by which stored certificates are judged. Milliseconds since the epoch. */
  now(): number;
  read(name: SecretName, selector: Selector): Promise<Reading>;
  /** Makes the secret with its first version, unless it has one. A repeat with the same token and value is `written`. */
  create(name: SecretName, token: string, value: string): Promise<WriteResult>;
  /** Makes a version and moves the current label to it. A repeat with the same token and value is `written`. */
  supersede(name: SecretName, token: string, value: string): Promise<WriteResult>;
}
