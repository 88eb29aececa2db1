import { Database } from "bun:sqlite";
import { closeSync, constants, existsSync, openSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, ExitCode, Failure } from "../errors.ts";
import { fileFailure } from "./file-failure.ts";

export interface Lock {
  release(): void;
}

/** How long one run waits for another on the same host: the contract's deadline, in milliseconds. */
const DEADLINE = 180_000;
const SLICE = 1_000;

/**
 * Takes the lock file, waiting for another holder. It dies with its holder, `kill -9` included: the lock is SQLite's
 * record lock (fcntl) on an empty file, the one kind of lock that the runtime offers without naming the C library. The
 * file is removed on release. It is the owner's alone, so that no other user can hold it against us.
 * @param onWait told once, when there is a wait
 */
export function takeLock(path: string, onWait: () => void): Lock {
  const real = join(realpathSync(dirname(path)), basename(path));
  const end = performance.now() + DEADLINE;
  let told = false;
  for (;;) {
    createLockFile(path);
    const database = openDatabase(path);
    if (!database) continue;
    const timeout = told ? Math.max(0, Math.min(SLICE, end - performance.now())) : 0;
    if (begin(database, path, timeout)) {
      // While we waited, the holder may have removed the file, and another run may have made and locked a new one.
      if (isOpenAt(real)) {
        return {
          release() {
            rmSync(path, { force: true });
            database.close();
          },
        };
      }
      database.close();
      continue;
    }
    database.close();
    if (!told) onWait();
    told = true;
    if (performance.now() >= end) {
      throw new Failure(
        ExitCode.files,
        `another run has held ${path} for ${DEADLINE / 1000} seconds`,
        `see what it is doing (fuser ${path}); the lock goes when it ends`,
      );
    }
  }
}

function createLockFile(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  } catch (error) {
    throw fileFailure("take the lock", path, error);
  }
}

/** Undefined when the holder has just removed the file: make it again. */
function openDatabase(path: string): Database | undefined {
  try {
    return new Database(path, { readwrite: true });
  } catch (error) {
    if (!existsSync(path)) return undefined;
    throw fileFailure("take the lock", path, error);
  }
}

function begin(database: Database, path: string, timeout: number): boolean {
  try {
    database.run(`PRAGMA busy_timeout = ${Math.ceil(timeout)}`);
    // Nothing is ever written; but for this, an empty journal would appear beside the lock file.
    database.run("PRAGMA journal_mode = MEMORY");
    database.run("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (codeOf(error) === "SQLITE_BUSY") return false;
    throw fileFailure("take the lock", path, error);
  }
}

/** Whether this process has the file open that the path leads to now, and not one that was removed meanwhile. */
function isOpenAt(path: string): boolean {
  return readdirSync("/proc/self/fd").some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === path;
    } catch {
      return false;
    }
  });
}
