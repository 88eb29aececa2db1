/** Client roles that Joblet knows (the OU of the certificate). `viewer` is an old name of `reader`. */
export const ROLES = ["admin", "maintainer", "developer", "reader", "viewer"] as const;
export type Role = (typeof ROLES)[number];

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
