import { resolve } from "node:path";
import { ExitCode, Failure } from "../errors.ts";
import type { Given, Origin, Settings } from "./settings.ts";

/** Where the shared set is to be looked for. */
export interface Mode {
  mode: "auto" | "true" | "false";
  /** A flag or variable of this run decided it. */
  explicit: boolean;
}

/**
 * Flags beat variables, which beat the name that the program was called by, which beats the record. A directory for the
 * set implies offline.
 * @throws Failure 2 when two settings of one rank contradict each other
 */
export function decideMode(settings: Settings, calledAs: string | undefined): Mode {
  for (const origin of ["flag", "variable"] as const) {
    const mode = modeAt(settings, origin);
    if (mode) return { mode, explicit: true };
  }
  if (calledAs === "certs_gen_embedded.sh") return { mode: "false", explicit: false };
  return { mode: modeAt(settings, "record") ?? "auto", explicit: false };
}

/** The part of the record that says where the set is: it must not contradict itself later. */
export function recordedMode(settings: Settings, record: Record<string, string>): Record<string, string> {
  const { mode, offline, caDir } = settings;
  const result = { ...record };
  if (offline?.value) result.mode = "false";
  // A later run may be started from anywhere.
  if (isNew(caDir) && caDir) {
    result.caDir = resolve(caDir.value);
    delete result.discardCaKey;
  }
  if (isNew(mode) && mode?.value !== "false" && !isNew(caDir)) delete result.caDir;
  if (isNew(caDir) && !isNew(mode)) delete result.mode;
  return result;
}

function modeAt({ mode, offline, caDir }: Settings, origin: Origin): Mode["mode"] | undefined {
  const given = at(mode, origin)?.value;
  const [off, name] = at(offline, origin)?.value
    ? [true, "--offline"]
    : [at(caDir, origin) !== undefined, origin === "flag" ? "--ca-dir" : "JOBLET_CA_DIR"];
  if (off && given === "true") {
    const source = origin === "flag" ? "--secrets-manager=true" : "USE_SECRETS_MANAGER=true";
    throw new Failure(ExitCode.usage, `${source} and ${name} contradict each other`, "give one of them");
  }
  return off ? "false" : given;
}

function at<T>(given: Given<T> | undefined, origin: Origin): Given<T> | undefined {
  return given?.origin === origin ? given : undefined;
}

function isNew(given: Given<unknown> | undefined): boolean {
  return given !== undefined && given.origin !== "record";
}
