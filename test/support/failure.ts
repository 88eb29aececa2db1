import { expect } from "bun:test";
import { type Result, type RunOptions, run, tree } from "./binary.ts";

/**
 * An expected failure as the contract wants it: this exit code, one line that says what is wrong, one that says what to
 * do, no trace and no source. `mentions` have to stand in the error line.
 */
export function expectFailure(result: Result, code: number, ...mentions: string[]): { error: string; hint: string } {
  const lines = result.stderr.split("\n");
  const errors = lines.filter((line) => line.startsWith("joblet-certs: error: "));
  const hints = lines.filter((line) => line.startsWith("joblet-certs: hint: "));
  expect({ code: result.code, errors: errors.length, hints: hints.length, stderr: result.stderr }).toEqual({
    code,
    errors: 1,
    hints: 1,
    stderr: result.stderr,
  });
  const others = lines.filter((line) => line !== "" && !errors.includes(line) && !hints.includes(line));
  expect(others.filter((line) => !/^(?:joblet-certs: warning: |issued: |waiting |completing )/.test(line))).toEqual([]);
  const [error = "", hint = ""] = [errors[0], hints[0]];
  for (const mention of mentions) expect(error).toContain(mention);
  expect(hint.length).toBeGreaterThan("joblet-certs: hint: ".length + 5);
  return { error, hint };
}

/** Runs it, expects the failure, and that everything below `directory` is as it was. */
export async function failsUnchanged(
  directory: string,
  code: number,
  args: readonly string[],
  options: RunOptions,
  ...mentions: string[]
): Promise<{ error: string; hint: string }> {
  const before = tree(directory);
  const result = await run(args, { timeout: 10_000, ...options });
  const failure = expectFailure(result, code, ...mentions);
  expect(tree(directory)).toEqual(before);
  return failure;
}
