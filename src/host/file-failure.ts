import type { Stats } from "node:fs";
import { dirname } from "node:path";
import { codeOf, ExitCode, Failure, messageOf } from "../errors.ts";

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

export function symbolicLink(path: string): Failure {
  return new Failure(
    ExitCode.files,
    `${path} is a symbolic link, which is not followed below JOBLET_HOME`,
    "replace it by what it points to (JOBLET_HOME itself may be a link)",
  );
}

export function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isFIFO()) return "a FIFO";
  if (stat.isSocket()) return "a socket";
  if (stat.isFile()) return "a file";
  return "a device";
}
