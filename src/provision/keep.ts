import { existsSync } from "node:fs";
import { join } from "node:path";
import { CA_KEY } from "../authority/secrets.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Certificate } from "../pki/certificates.ts";
import type { SubjectAltName } from "../pki/names.ts";
import { heldRoles, type InstalledState } from "./credentials.ts";
import type { EmbeddedRequest, Reporter } from "./embedded.ts";
import type { Installation } from "./installation.ts";
import type { RolePlan } from "./roles.ts";

/** Why the files on disk stay byte for byte. */
export interface Keeping {
  reason: string;
}

/**
 * Whether an embedded run has to leave what is installed alone, and why. Undefined: go on.
 * @param empty the directory holds nothing of a set
 * @throws Failure 4 when a host of a fleet has nothing valid to keep
 */
export function whatToKeep(
  installation: Installation,
  request: EmbeddedRequest,
  state: InstalledState,
  roles: RolePlan,
  empty: boolean,
  report: Reporter,
): Keeping | undefined {
  const [fault] = state.problems.filter(({ problem }) => problem.kind !== "not-yet-valid");
  if (installation.record?.data.outcome.kind === "shared" && !request.explicitOffline) {
    if (fault || !state.hasServer) {
      throw new Failure(
        ExitCode.storeUnavailable,
        `this host belongs to a fleet, and its files are not valid: ${fault ? `${fault.where}: ${fault.problem.text}` : "no server certificate"}`,
        "run joblet-certs generate to get them from the fleet's store, or --offline to leave the fleet",
      );
    }
    return { reason: "this host shares its certificates with a fleet; --offline makes it leave" };
  }
  if (request.force || !empty || !state.hasServer || existsSync(join(installation.paths.caDirectory, CA_KEY)))
    return undefined;
  if (fault) {
    report.warn(
      `${fault.where}: ${fault.problem.text}; the CA key is not on this host, so a new CA is made: client files handed out before stop working`,
    );
    return undefined;
  }
  if (installation.server && !installation.server.config) {
    throw new Failure(
      ExitCode.usage,
      "--reset-config would lose this host's certificate, and the CA key to issue another is not on this host",
      "leave it away, or give --force-regenerate too: client files change then",
    );
  }
  for (const text of shortcomings(installation, request.names, state.serverLeaf, roles)) report.warn(text);
  return {
    reason: "the certificates are valid and the CA key is not on this host; FORCE_REGENERATE=true replaces them",
  };
}

/** What cannot be put right without the CA key. */
function shortcomings(
  installation: Installation,
  names: readonly SubjectAltName[],
  leaf: Certificate | undefined,
  roles: RolePlan,
): string[] {
  const held = new Set([...(leaf?.dnsNames ?? []), ...(leaf?.ipAddresses ?? [])]);
  const missing = names.filter(({ value }) => !held.has(value)).map(({ value }) => value);
  const present = heldRoles(installation);
  const absent = roles.shown.filter((role) => !present.has(role));
  const remedy =
    "it cannot be added without the CA key; FORCE_REGENERATE=true makes a new set, and client files change";
  return [
    ...missing.map((name) => `the server certificate does not hold the name ${name}: ${remedy}`),
    ...absent.map((role) => `there is no client certificate for the role ${role}: ${remedy}`),
  ];
}
