/** The shared secrets: their names and descriptions, as the fleet's documents and dashboards know them. */

/** Name of a secret without its prefix: `ca-key`, `ca-cert`, `client-key`, `client-cert-reader`, … */
export type SecretName = string;

export const CA_KEY: SecretName = "ca-key";
export const CA_CERT: SecretName = "ca-cert";

/** Admin's pair has no suffix: it was there before the other roles. */
export function clientKeyName(role: string): SecretName {
  return role === "admin" ? "client-key" : `client-key-${role}`;
}

export function clientCertName(role: string): SecretName {
  return role === "admin" ? "client-cert" : `client-cert-${role}`;
}

/** What the console shows beside the name. */
export function describeSecret(name: SecretName): string {
  if (name === CA_KEY) return "Joblet Root CA Private Key - shared across all instances";
  if (name === CA_CERT) return "Joblet Root CA Certificate - shared across all instances";
  const match = /^client-(key|cert)(?:-(.+))?$/.exec(name);
  const role = match?.[2] ?? "admin";
  const title = role.charAt(0).toUpperCase() + role.slice(1);
  return `Joblet ${title} Client ${match?.[1] === "key" ? "Private Key" : "Certificate"} - shared across all clients`;
}
