import { ExitCode, Failure } from "../errors.ts";

/** What a host remembers between runs, `joblet-certs.json`. Nothing secret is in it. */
export interface HostRecord {
  version: 1;
  /** Settings that were given by flag or variable, as text: later runs start from them. */
  settings: Record<string, string>;
  outcome: { kind: "embedded" | "shared" | "fallback"; generation: string[] };
}

export function writeRecord(record: HostRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** @throws Failure 7 when the file is not a record of this program */
export function readRecord(path: string, text: string): HostRecord {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw unreadable(path, "is not JSON");
  }
  if (!isRecord(data)) throw unreadable(path, "is not a record of this program");
  return data;
}

function isRecord(data: unknown): data is HostRecord {
  if (typeof data !== "object" || data === null) return false;
  const { version, settings, outcome } = data as Partial<HostRecord>;
  return (
    version === 1 &&
    typeof settings === "object" &&
    settings !== null &&
    !Array.isArray(settings) &&
    Object.values(settings).every((value) => typeof value === "string") &&
    ["embedded", "shared", "fallback"].includes(outcome?.kind ?? "") &&
    Array.isArray(outcome?.generation) &&
    outcome.generation.every((fingerprint) => typeof fingerprint === "string")
  );
}

function unreadable(path: string, what: string): Failure {
  return new Failure(
    ExitCode.files,
    `${path} ${what}`,
    "remove it to have this host forget its settings, then pass them again (mode, prefix, region, ca-dir)",
  );
}
