import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, ExitCode, Failure } from "../errors.ts";
import { ensureDirectory, removeIfEmpty } from "../host/directories.ts";
import { fileFailure } from "../host/file-failure.ts";
import { removeLeftovers } from "../host/files.ts";
import { takeLock } from "../host/lock.ts";
import type { Paths } from "./installation.ts";

/**
 * Does something while no other run on this host does. Home and config directory are made when they are missing, and
 * removed again when the work fails before anything is in them.
 */
export async function withHostLock<T>(paths: Paths, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const made = [
    ...makeHome(paths.home),
    ...(ensureDirectory(paths.configDirectory, 0o755) ? [paths.configDirectory] : []),
  ];
  try {
    const lock = takeLock(paths.lock, onWait);
    try {
      removeLeftovers(paths.configDirectory);
      return await work();
    } finally {
      lock.release();
    }
  } catch (error) {
    for (const directory of made.reverse()) removeIfEmpty(directory);
    throw error;
  }
}

/** The home may be a symbolic link, so it is followed. Returns the directories made, outermost first. */
function makeHome(path: string): string[] {
  try {
    if (statSync(path).isDirectory()) return [];
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw fileFailure("use JOBLET_HOME", path, error);
    const parents = dirname(path) === path ? [] : makeHome(dirname(path));
    try {
      mkdirSync(path);
      chmodSync(path, 0o755);
    } catch (cause) {
      // Another run was a moment earlier.
      if (codeOf(cause) === "EEXIST" && existsSync(path)) return [...parents, ...makeHome(path)];
      throw fileFailure("make the directory", path, cause);
    }
    return [...parents, path];
  }
  throw new Failure(
    ExitCode.files,
    `${path} is not a directory`,
    "set JOBLET_HOME (or --home) to the directory of the installation",
  );
}
