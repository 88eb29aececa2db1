import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, ExitCode, Failure } from "../errors.ts";
import { syncDirectory } from "./directories.ts";
import { fileFailure, kindOf, symbolicLink } from "./file-failure.ts";

/** A file as it was read, with what has to be kept when it is written again. */
export interface HostFile {
  text: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

const TEMPORARY = ".joblet-certs-new";
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads a UTF-8 text file; undefined when there is none. Symbolic links are not followed.
 * @param decoding `lossy`: bytes that are not UTF-8 are no error; for files that are about to be replaced
 * @throws Failure 7 for anything that is not a readable regular file
 */
export function readHostFile(path: string, decoding: "strict" | "lossy" = "strict"): HostFile | undefined {
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO in its place must not hang a boot.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "ELOOP") throw symbolicLink(path);
    throw fileFailure("read", path, error);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) {
      throw new Failure(
        ExitCode.files,
        `${path} is ${kindOf(stat)}, not a file`,
        "move it out of the way, then run again",
      );
    }
    if (stat.size > MAX_BYTES) {
      throw new Failure(
        ExitCode.files,
        `${path} has ${stat.size} bytes; at most ${MAX_BYTES} are read`,
        "check whether it is the right file",
      );
    }
    return {
      text: decodeUtf8(readFileSync(descriptor), path, decoding),
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
    };
  } catch (error) {
    throw error instanceof Failure ? error : fileFailure("read", path, error);
  } finally {
    closeSync(descriptor);
  }
}

/** A file written beside its target and on disk, waiting to take its place. */
export interface StagedFile {
  target: string;
  temporary: string;
}

/**
 * Writes the new content beside the target: the owner's alone from its first byte, on disk before this returns. Its
 * name is the same in every run, so that what a killed run leaves behind is overwritten by the next. Needs the lock.
 */
export function stageFile(
  target: string,
  text: string,
  keep: { mode: number; uid?: number; gid?: number },
): StagedFile {
  const temporary = join(dirname(target), `.${basename(target)}${TEMPORARY}`);
  try {
    rmSync(temporary, { force: true });
    writeNewFile(temporary, text, keep);
  } catch (error) {
    removeQuietly(temporary);
    throw fileFailure("write", `${target} by way of ${temporary}`, error);
  }
  return { target, temporary };
}

/**
 * Puts staged files in place, in the given order.
 * @param durable `later`: the caller flushes the directories itself before anything relies on the renames
 */
export function commitFiles(staged: readonly StagedFile[], durable: "now" | "later" = "now"): void {
  for (const { target, temporary } of staged) {
    try {
      renameSync(temporary, target);
    } catch (error) {
      throw fileFailure("replace", target, error);
    }
  }
  if (durable === "later") return;
  for (const directory of new Set(staged.map(({ target }) => dirname(target)))) syncDirectory(directory);
}

export function discardStaged(staged: readonly StagedFile[]): void {
  for (const { temporary } of staged) removeQuietly(temporary);
}

/** Removes what a killed run left beside its targets in a directory. Needs the lock. */
export function removeLeftovers(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) if (name.endsWith(TEMPORARY)) removeQuietly(join(directory, name));
}

/** For clean-up after a failure, which must not hide that failure. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The failure that is being reported names the path.
  }
}

/** Creates a file that must not exist yet, with its final mode and owner, and flushes it. */
export function writeNewFile(path: string, text: string, keep: { mode: number; uid?: number; gid?: number }): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = openSync(path, flags, 0o600);
  try {
    writeFileSync(descriptor, text);
    const stat = fstatSync(descriptor);
    const uid = keep.uid ?? stat.uid;
    const gid = keep.gid ?? stat.gid;
    if (uid !== stat.uid || gid !== stat.gid) fchownSync(descriptor, uid, gid);
    fchmodSync(descriptor, keep.mode);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Sets the mode of an existing file through its descriptor; symbolic links are not followed. */
export function setMode(path: string, mode: number): void {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      fchmodSync(descriptor, mode);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw fileFailure("change the mode of", path, error);
  }
}

function decodeUtf8(bytes: Buffer, path: string, decoding: "strict" | "lossy"): string {
  try {
    return new TextDecoder("utf-8", { fatal: decoding === "strict", ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Failure(
      ExitCode.files,
      `${path} is not UTF-8 text`,
      "convert it to UTF-8, or remove it to have it made anew",
    );
  }
}
