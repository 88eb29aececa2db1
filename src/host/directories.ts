import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmdirSync,
  type Stats,
} from "node:fs";
import { codeOf, ExitCode, Failure } from "../errors.ts";
import { fileFailure, kindOf, symbolicLink } from "./file-failure.ts";

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
    try {
      mkdirSync(path, { mode });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      // Another run was a moment earlier.
      directoryExists(path);
      return false;
    }
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      fchmodSync(descriptor, mode);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw error instanceof Failure ? error : fileFailure("make the directory", path, error);
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

export function syncDirectory(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** For clean-up: removes a directory unless something is in it. */
export function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Something is in it, or it has gone: both are fine.
  }
}
