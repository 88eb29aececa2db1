/**
 * Write-once version ids. Every writer computes the same id for the same write, so of any number of writers exactly one
 * wins (AWS: ClientRequestToken of CreateSecret and PutSecretValue; a directory: link(2)). The namespace must never
 * change: hosts of different releases have to agree on it.
 */
export const TOKEN_NAMESPACE = "6f1f2d0e-5b0c-5a53-9c66-5d6b7a3c1e42";

/** Id of the first version of a secret, by its full name (with prefix). UUID version 5, RFC 9562 section 5.5. */
export function firstToken(fullName: string): string {
  return Bun.randomUUIDv5(`${fullName}/first`, TOKEN_NAMESPACE);
}

/**
 * Id of the version that follows `version`. `setAside` counts the successors that were already made and then set aside
 * by an operator who moved the label back to `version`.
 */
export function nextToken(version: string, setAside: number): string {
  return Bun.randomUUIDv5(`${version}/next/${setAside}`, TOKEN_NAMESPACE);
}

/** Id of a version that somebody put in place by hand, from its content alone. */
export function contentToken(value: string): string {
  return Bun.randomUUIDv5(`content/${value}`, TOKEN_NAMESPACE);
}
