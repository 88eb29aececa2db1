import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, ExitCode, Failure, messageOf } from "../errors.ts";

/** A file as it was read, with what has to be kept when it is written again. */
export interface HostFile {
  text: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

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
  const temporary = join(dirname(target), `.${basename(target)}.joblet-certs-new`);
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

export function syncDirectory(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes sure that a directory is there (created with `mode` whatever the umask) and that nobody but root and the caller
 * owns it or may write to it: whoever may write there can swap the files. True when it was made.
 */
export function ensureDirectory(path: string, mode: number): boolean {
  const stat = lstat(path);
  if (stat) {
    checkDirectory(path, stat);
    return false;
  }
  try {
    mkdirSync(path, { mode });
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      fchmodSync(descriptor, mode);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw fileFailure("make the directory", path, error);
  }
  return true;
}

/** The path with symbolic links resolved, for paths that may hold them; itself where it does not exist yet. */
export function followed(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Refuses a directory that is none, is a symbolic link, or is in other hands. False when it does not exist. */
export function directoryExists(path: string): boolean {
  const stat = lstat(path);
  if (stat) checkDirectory(path, stat);
  return stat !== undefined;
}

function checkDirectory(path: string, stat: Stats): void {
  if (stat.isSymbolicLink()) throw symbolicLink(path);
  if (!stat.isDirectory()) {
    throw new Failure(
      ExitCode.files,
      `${path} is ${kindOf(stat)}, not a directory`,
      "move it out of the way, then run again",
    );
  }
  const caller = process.geteuid?.() ?? 0;
  if (stat.uid !== 0 && stat.uid !== caller) {
    throw new Failure(
      ExitCode.files,
      `${path} belongs to user ${stat.uid}, who could replace the files in it`,
      `make it root's: chown ${caller} ${path}`,
    );
  }
  if ((stat.mode & 0o022) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    throw new Failure(
      ExitCode.files,
      `${path} has mode ${mode}: others may write to it and replace the files in it`,
      `take that away: chmod go-w ${path}`,
    );
  }
}

function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw fileFailure("look at", path, error);
  }
}

/** A system error as an expected failure: what was attempted, where, and a remedy by error code. */
export function fileFailure(action: string, path: string, error: unknown): Failure {
  const code = codeOf(error);
  return new Failure(
    ExitCode.files,
    `cannot ${action} ${path}: ${REASONS[code] ?? messageOf(error)}`,
    remedyFor(code, path),
  );
}

const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  EIO: "input/output error",
  EFBIG: "the file size limit is reached",
};

function remedyFor(code: string, path: string): string {
  if (code === "EACCES" || code === "EPERM") return "run as root, or give JOBLET_HOME a directory of your own";
  if (code === "ENOSPC" || code === "EDQUOT")
    return `free some space on the file system of ${dirname(path)}, then run again`;
  if (code === "EROFS") return `mount it writable, or set JOBLET_HOME to a directory that is`;
  return "check the path, then run again";
}

function symbolicLink(path: string): Failure {
  return new Failure(
    ExitCode.files,
    `${path} is a symbolic link, which is not followed below JOBLET_HOME`,
    "replace it by what it points to (JOBLET_HOME itself may be a link)",
  );
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isFIFO()) return "a FIFO";
  if (stat.isSocket()) return "a socket";
  if (stat.isFile()) return "a file";
  return "a device";
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
