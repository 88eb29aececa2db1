import { existsSync, linkSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SecretName } from "../authority/secrets.ts";
import type { Reading, Selector, Store, WriteResult } from "../authority/store.ts";
import { contentToken, nextToken } from "../authority/tokens.ts";
import { codeOf, Failure } from "../errors.ts";
import { directoryExists, ensureDirectory, syncDirectory } from "../host/directories.ts";
import { fileFailure } from "../host/file-failure.ts";
import { commitFiles, readHostFile, removeLeftovers, removeQuietly, stageFile, writeNewFile } from "../host/files.ts";

const NEW = /^\.(.+)\.([0-9a-f-]{36})\.new$/;
const OLD = /^\..+\.old$/;

/**
 * The shared set as plain files that openssl can read:
 *
 *     ca-key                  the current value
 *     versions/ca-key.<id>    every version, the current one included, as files of their own; never changed once made
 *     .ca-key.<id>.new        a version on its way: linked into versions/, which settles who wins, and removed when a
 *                             copy of it has become the current value
 *     .ca-key.old             what was current before, until the run that replaced it has published
 *
 * A `.new` file whose version exists is a write that was killed before it became current: it is rolled forward when the
 * store is opened. A version that exists without one, and is not current, was set aside by an operator who put an older
 * file back. Whoever opens the store holds a lock that keeps other writers out.
 */
export class DirectoryStore implements Store {
  readonly exclusive = true;
  #made = false;
  #dirty = false;
  /** What this run did to the directory, newest last. */
  readonly #undo: (() => void)[] = [];
  readonly #replaced = new Set<string>();

  private constructor(readonly path: string) {}

  /** Opens the directory, which need not exist yet, and finishes what a killed run began. */
  static open(path: string): DirectoryStore {
    const store = new DirectoryStore(path);
    if (directoryExists(path)) {
      directoryExists(store.#versions);
      store.#recover();
    }
    return store;
  }

  /** Whether it holds nothing of a set. */
  isEmpty(): boolean {
    if (!directoryExists(this.path)) return true;
    return !readdirSync(this.path).some((file) => /^(?:ca|client)-(?:key|cert)(?:-[a-z]+)?$/.test(file));
  }

  locate(name: SecretName): string {
    return join(this.path, name);
  }

  fullName(name: SecretName): string {
    return name;
  }

  now(): number {
    return Date.now();
  }

  async read(name: SecretName, selector: Selector): Promise<Reading> {
    const current = this.#current(name);
    if (selector === "current") return current ? present(current.id, current.value, true) : { state: "absent" };
    const id = selector === "previous" ? current && this.#predecessorOf(name, current.id) : selector.id;
    if (id === undefined) return { state: "absent" };
    const file = readHostFile(this.#versionPath(name, id));
    return file ? present(id, file.text, id === current?.id) : { state: "absent" };
  }

  async create(name: SecretName, token: string, value: string): Promise<WriteResult> {
    if (this.#current(name)) return this.#repeats(name, token, value) ? "written" : "refused";
    // Versions without a current file: somebody removed it. The next free id of the chain starts it again.
    let id = token;
    for (let count = 0; existsSync(this.#versionPath(name, id)); count++) id = nextToken(token, count);
    return this.#write(name, id, value);
  }

  async supersede(name: SecretName, token: string, value: string): Promise<WriteResult> {
    this.#keepHandPlaced(name);
    return this.#write(name, token, value);
  }

  /** Makes everything written so far durable. Call before anything is published that relies on it. */
  flush(): void {
    if (!this.#dirty) return;
    for (const directory of [this.#versions, this.path]) if (existsSync(directory)) syncDirectory(directory);
    this.#dirty = false;
  }

  /** From here on what was written stays. */
  keep(): void {
    this.#undo.length = 0;
    this.#made = false;
    for (const file of this.#filesLike(OLD)) removeQuietly(join(this.path, file));
  }

  /** Takes back what this run wrote, where nothing that relies on it was published. Needs no space on the disk. */
  rollBack(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.#replaced.clear();
    if (this.#made) this.remove();
  }

  /** Removes the directory with all that is in it, the CA key first. */
  remove(): void {
    rmSync(this.locate("ca-key"), { force: true });
    rmSync(this.path, { recursive: true, force: true });
  }

  get #versions(): string {
    return join(this.path, "versions");
  }

  #versionPath(name: SecretName, id: string): string {
    return join(this.#versions, `${name}.${id}`);
  }

  #current(name: SecretName): { id: string; value: string } | undefined {
    const file = readHostFile(this.locate(name));
    if (!file) return undefined;
    const id = this.#versionsOf(name).find(
      (version) => readHostFile(this.#versionPath(name, version))?.text === file.text,
    );
    // A file that somebody put there by hand is a version of its own, named after its content.
    return { id: id ?? contentToken(file.text), value: file.text };
  }

  #versionsOf(name: SecretName): string[] {
    if (!existsSync(this.#versions)) return [];
    const prefix = `${name}.`;
    return readdirSync(this.#versions).flatMap((file) => (file.startsWith(prefix) ? [file.slice(prefix.length)] : []));
  }

  #predecessorOf(name: SecretName, id: string): string | undefined {
    const versions = this.#versionsOf(name);
    return versions.find((version) => versions.some((_, setAside) => nextToken(version, setAside) === id));
  }

  #repeats(name: SecretName, id: string, value: string): boolean {
    return readHostFile(this.#versionPath(name, id))?.text === value;
  }

  #write(name: SecretName, id: string, value: string): WriteResult {
    const version = this.#versionPath(name, id);
    const temporary = join(this.path, `.${name}.${id}.new`);
    if (ensureDirectory(this.path, 0o700)) this.#made = true;
    ensureDirectory(this.#versions, 0o700);
    try {
      rmSync(temporary, { force: true });
      writeNewFile(temporary, value, { mode: 0o600 });
      linkSync(temporary, version);
    } catch (error) {
      removeQuietly(temporary);
      if (codeOf(error) === "EEXIST") return this.#repeats(name, id, value) ? "written" : "refused";
      throw fileFailure("write", this.locate(name), error);
    }
    this.#undo.push(() => {
      removeQuietly(temporary);
      removeQuietly(version);
    });
    // From here on the write has won; if this fails, the next to open the store finishes it.
    this.#promote(name, temporary, value);
    return "written";
  }

  /** A copy, so that a value edited in place leaves its version as it was. */
  #promote(name: SecretName, temporary: string, value: string): void {
    this.#dirty = true;
    const current = this.locate(name);
    const old = join(this.path, `.${name}.old`);
    try {
      const staged = stageFile(current, value, { mode: 0o600 });
      this.#prepareUndo(current, old);
      commitFiles([staged], "later");
      rmSync(temporary);
    } catch (error) {
      throw error instanceof Failure ? error : fileFailure("replace", this.locate(name), error);
    }
  }

  /** A second name for the old file, once a run: a rename puts it back even when the disk is full. */
  #prepareUndo(current: string, old: string): void {
    if (this.#replaced.has(current)) return;
    this.#replaced.add(current);
    if (existsSync(current)) linkSync(current, old);
    this.#undo.push(() => {
      if (!existsSync(old)) return removeQuietly(current);
      renameSync(old, current);
      // Where nothing had been replaced yet both names are one file, and the rename did nothing.
      removeQuietly(old);
    });
  }

  /** A value that somebody put in place by hand becomes a version before it is superseded, or it would be lost. */
  #keepHandPlaced(name: SecretName): void {
    const current = this.#current(name);
    if (!current) return;
    const version = this.#versionPath(name, current.id);
    if (existsSync(version)) return;
    ensureDirectory(this.#versions, 0o700);
    const { target, temporary } = stageFile(version, current.value, { mode: 0o600 });
    commitFiles([{ target, temporary }], "later");
    this.#undo.push(() => removeQuietly(version));
    this.#dirty = true;
  }

  #filesLike(pattern: RegExp): string[] {
    return existsSync(this.path) ? readdirSync(this.path).filter((file) => pattern.test(file)) : [];
  }

  #recover(): void {
    this.keep();
    for (const directory of [this.path, this.#versions]) removeLeftovers(directory);
    for (const file of this.#filesLike(NEW)) {
      const [, name = "", id = ""] = NEW.exec(file) ?? [];
      const temporary = join(this.path, file);
      const linked = readHostFile(this.#versionPath(name, id));
      if (linked && linked.text === readHostFile(temporary)?.text) this.#promote(name, temporary, linked.text);
      else rmSync(temporary, { force: true });
      this.#dirty = true;
    }
  }
}

function present(id: string, value: string, current: boolean): Reading {
  return { state: "present", version: { id, value, current } };
}
