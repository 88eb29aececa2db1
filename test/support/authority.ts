import { expect } from "bun:test";
import { type Authority, type AuthorityEvent, acquire } from "../../src/authority/acquire.ts";
import { rootsOf } from "../../src/authority/shared-set.ts";
import { Failure } from "../../src/errors.ts";
import { identityProblems } from "../../src/pki/validate.ts";
import type { MemoryStore } from "./memory-store.ts";

/** In the order in which they are written. */
export const ORDER = ["ca-key", "ca-cert", "client-key", "client-cert"];

export function authority(
  store: MemoryStore,
  roles: readonly string[] = ["admin"],
): Authority & { events: AuthorityEvent[] } {
  const events: AuthorityEvent[] = [];
  const report = (event: AuthorityEvent) => void events.push(event);
  return { store, roles, report, events, crypto, keyType: "ec-p256", caDays: undefined, clientDays: undefined };
}

/** A set that anybody can work with: everything in it fits, by the store's clock. */
export async function expectSettled(store: MemoryStore, roles: readonly string[] = ["admin"]): Promise<void> {
  const before = store.values();
  const { set, written } = await acquire(authority(store, roles));
  expect([...written]).toEqual([]);
  expect(store.values()).toEqual(before);
  expect(set.issuer.keyId).toBe(set.caKey.id);
  for (const role of roles) {
    const identity = set.clients.get(role);
    if (!identity) throw new Error(`no client for ${role}`);
    expect(identityProblems(identity, "client", rootsOf(set.bundle), store.now(), role)).toEqual([]);
  }
}

export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Failure)) throw new Error(`expected a Failure, got ${String(error)}`);
  return error;
}
