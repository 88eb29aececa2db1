import { isRole } from "../pki/roles.ts";
import { ownedNodes, roleOf } from "./credentials.ts";
import type { Installation } from "./installation.ts";

export interface RolePlan {
  /** Roles whose client certificates the set holds: always with admin. */
  stored: readonly string[];
  /** Roles that this host's client files hold: those asked for, and those that are there. */
  shown: readonly string[];
}

/** @param wanted roles that were configured; undefined: admin */
export function planRoles(installation: Installation, wanted: readonly string[] | undefined): RolePlan {
  const files = installation.client
    ? [installation.client, ...installation.roleFiles.values()]
    : [...installation.roleFiles.values()];
  const held = files.flatMap((file) => ownedNodes(file, installation.roots, "ours").map(roleOf));
  const shown = [
    ...new Set([
      ...(wanted?.length ? wanted : ["admin"]),
      ...held.filter((role) => role !== undefined && isRole(role)),
    ]),
  ];
  return { stored: [...new Set(["admin", ...shown])] as string[], shown: shown as string[] };
}
