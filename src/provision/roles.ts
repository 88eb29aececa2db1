import { isRole } from "../pki/roles.ts";
import { heldRoles } from "./credentials.ts";
import type { Installation } from "./installation.ts";

export interface RolePlan {
  /** Roles whose client certificates the set holds: always with admin. */
  stored: readonly string[];
  /** Roles that this host's client files hold: those asked for, and those that are there. */
  shown: readonly string[];
}

/** @param wanted roles that were configured; undefined: admin */
export function planRoles(installation: Installation, wanted: readonly string[] | undefined): RolePlan {
  const held = [...heldRoles(installation)].filter((role) => role !== undefined && isRole(role));
  const shown = [...new Set([...(wanted?.length ? wanted : ["admin"]), ...held])];
  return { stored: [...new Set(["admin", ...shown])], shown };
}
