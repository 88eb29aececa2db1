import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A directory for all test files of a run. Under `bun test` no exit handler runs, so a process that waits for this one's
 * end removes it: also when the run is killed.
 */
export function sharedDir(): string {
  const path = mkdtempSync(join(tmpdir(), "joblet-certs-test-"));
  const reaper = Bun.spawn(["sh", "-c", 'cat >/dev/null; rm -rf "$1"', "sh", path], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  reaper.unref();
  // Its standard input is open as long as this object lives.
  reapers.push(reaper);
  return path;
}

const reapers: unknown[] = [];
