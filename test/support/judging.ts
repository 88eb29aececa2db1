import { expect } from "bun:test";
import type { Reading } from "../../src/authority/store.ts";
import { firstToken } from "../../src/authority/tokens.ts";
import { judge, type Verdict } from "../../src/authority/verdict.ts";
import { NOW } from "./pki.ts";

type Values = Readonly<Record<string, string | { id: string; value: string } | "deleted">>;

export function readings(values: Values): Map<string, Reading> {
  return new Map(
    Object.entries(values).map(([name, value]): [string, Reading] => {
      if (value === "deleted") return [name, { state: "deleted" }];
      const version = typeof value === "string" ? { id: firstToken(`joblet/${name}`), value } : value;
      return [name, { state: "present", version: { ...version, current: true } }];
    }),
  );
}

/** Previous versions: undefined when nobody has looked at them; `null` when there is none. */
export function verdict(
  values: Values,
  previous: Record<string, string | null> = {},
  roles = ["admin"],
  now = NOW,
): Verdict {
  const looked = Object.entries(previous).map(([name, value]): [string, Reading] => [
    name,
    value === null ? { state: "absent" } : { state: "present", version: { id: "older", value, current: false } },
  ]);
  return judge(
    { current: readings(values), previous: new Map(looked) },
    { roles, now, fullName: (name) => `joblet/${name}` },
  );
}

export function writesOf(found: Verdict): string[] {
  if (found.kind !== "write") throw new Error(`expected a write, got ${JSON.stringify(summary(found))}`);
  return found.steps.map((step) => step.write);
}

/** The step of the only write that a verdict calls for. */
export function onlyStep<W extends string>(found: Verdict, write: W) {
  expect(writesOf(found)).toEqual([write]);
  if (found.kind !== "write") throw new Error("unreachable");
  return found.steps[0] as Extract<(typeof found.steps)[number], { write: W }>;
}

export function summary(found: Verdict): unknown {
  return found.kind === "invalid" ? [found.kind, found.secret, found.problem] : found.kind;
}

export function expectInvalid(found: Verdict, secret: string, problem: RegExp): void {
  expect(summary(found)).toEqual(["invalid", secret, expect.stringMatching(problem)]);
  if (found.kind === "invalid") expect(found.remedy.length).toBeGreaterThan(10);
}
