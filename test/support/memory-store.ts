import type { SecretName } from "../../src/authority/secrets.ts";
import type { Reading, Selector, Store, WriteResult } from "../../src/authority/store.ts";
import { firstToken } from "../../src/authority/tokens.ts";
import { NOW } from "./pki.ts";

interface Secret {
  versions: Map<string, string>;
  current: string;
  previous: string | undefined;
  deleted: boolean;
}

export interface Call {
  what: "read" | "create" | "supersede";
  name: SecretName;
  value?: string;
}

/**
 * The shared set in memory, with the semantics that the protocol relies on: a version id is written once, whoever comes
 * second with other content is refused, and the same request again succeeds without a change.
 */
export class MemoryStore implements Store {
  readonly secrets = new Map<SecretName, Secret>();
  /** Every call, in the order in which it was made. */
  readonly calls: Call[] = [];
  /** Batches of calls that were under way together: what a caller waits for, one after another. */
  rounds = 0;
  /** Runs before a call takes effect: to hold it up, to let another writer be first, or to fail. */
  before: (call: Call) => Promise<void> | void = () => {};
  exclusive = true;
  #batch: Promise<void> | undefined;

  constructor(
    readonly clock: { now: number } = { now: NOW },
    readonly prefix = "joblet",
  ) {}

  locate(name: SecretName): string {
    return `${this.prefix}/${name}`;
  }

  fullName(name: SecretName): string {
    return `${this.prefix}/${name}`;
  }

  now(): number {
    return this.clock.now;
  }

  async read(name: SecretName, selector: Selector): Promise<Reading> {
    await this.#enter({ what: "read", name });
    const secret = this.secrets.get(name);
    if (!secret) return { state: "absent" };
    if (secret.deleted) return { state: "deleted" };
    const id = selector === "current" ? secret.current : selector === "previous" ? secret.previous : selector.id;
    const value = id === undefined ? undefined : secret.versions.get(id);
    if (id === undefined || value === undefined) return { state: "absent" };
    return { state: "present", version: { id, value, current: id === secret.current } };
  }

  async create(name: SecretName, token: string, value: string): Promise<WriteResult> {
    await this.#enter({ what: "create", name, value });
    const secret = this.secrets.get(name);
    if (secret) return secret.versions.get(token) === value ? "written" : "refused";
    this.secrets.set(name, {
      versions: new Map([[token, value]]),
      current: token,
      previous: undefined,
      deleted: false,
    });
    return "written";
  }

  async supersede(name: SecretName, token: string, value: string): Promise<WriteResult> {
    await this.#enter({ what: "supersede", name, value });
    const secret = this.secrets.get(name);
    if (!secret) throw new Error(`${name} does not exist`);
    const made = secret.versions.get(token);
    if (made !== undefined) return made === value ? "written" : "refused";
    secret.versions.set(token, value);
    secret.previous = secret.current;
    secret.current = token;
    return "written";
  }

  /** Values that are there already, as a first version of this program or under another tool's id. */
  seed(values: Readonly<Record<SecretName, string>>, id?: string): this {
    for (const [name, value] of Object.entries(values)) {
      const current = id ?? firstToken(this.fullName(name));
      this.secrets.set(name, {
        versions: new Map([[current, value]]),
        current,
        previous: undefined,
        deleted: false,
      });
    }
    return this;
  }

  /** The current value; an empty string when there is none. */
  value(name: SecretName): string {
    const secret = this.secrets.get(name);
    return secret?.versions.get(secret.current) ?? "";
  }

  /** Current values by name. */
  values(): Record<SecretName, string> {
    return Object.fromEntries([...this.secrets.keys()].map((name) => [name, this.value(name)]));
  }

  /** Names of the writes that were asked for, refused ones included. */
  get writes(): SecretName[] {
    return this.calls.filter(({ what }) => what !== "read").map(({ name }) => name);
  }

  async #enter(call: Call): Promise<void> {
    this.calls.push(call);
    if (!this.#batch) {
      this.rounds++;
      this.#batch = Bun.sleep(0).then(() => {
        this.#batch = undefined;
      });
    }
    await this.#batch;
    await this.before(call);
  }
}
