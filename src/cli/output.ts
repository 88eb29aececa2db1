/**
 * The only file that prints. Its rules:
 * - Text for people goes to standard error, results (--json, help, version) to standard output.
 * - An error is one line `joblet-certs: error: …` and one line `joblet-certs: hint: …` that says what to do.
 * - A warning says what happened, what it means and what to do, in one line.
 * - Nothing that is printed may come from a private key, a credential or a token: only facts of certificates, names,
 *   paths and numbers. Messages of foreign libraries are cut to one line.
 * - No colour and no redrawing: the reader is a boot log as often as a person.
 */
import { writeSync } from "node:fs";
import { type ConsolaInstance, createConsola, LogLevels } from "consola/core";
import { codeOf, ExitCode, Failure, messageOf } from "../errors.ts";

export interface OutputOptions {
  json: boolean;
  verbose: boolean;
}

export class Output {
  readonly warnings: string[] = [];
  readonly #log: ConsolaInstance;

  constructor(readonly options: OutputOptions) {
    this.#log = createConsola({
      level: options.verbose ? LogLevels.verbose : LogLevels.info,
      // consola folds lines that repeat; every line here counts.
      throttleMin: Number.POSITIVE_INFINITY,
      reporters: [{ log: ({ type, args }) => writeAll(2, `${PREFIXES[type] ?? ""}${args.join(" ")}\n`) }],
    });
  }

  /** A line of the summary, or progress. */
  info(text: string): void {
    this.#log.info(text);
  }

  /** Only with --verbose. */
  detail(text: string): void {
    this.#log.verbose(text);
  }

  warn(text: string): void {
    this.warnings.push(text);
    this.#log.warn(text);
  }

  /** The document of a command, with --json; the warnings are added. */
  result(document: Record<string, unknown>): void {
    if (this.options.json) writeAll(1, `${JSON.stringify({ ...document, warnings: this.warnings }, null, 2)}\n`);
  }

  /** Prints a failure and returns its exit code. What is not expected is a bug: one line, with --verbose its trace. */
  failure(error: unknown): number {
    const failure = error instanceof Failure ? error : undefined;
    const message = failure?.message ?? `unexpected failure: ${messageOf(error)}`;
    const hint = failure?.hint ?? "run again with --verbose and report what it prints";
    const exitCode = failure?.exitCode ?? ExitCode.unexpected;
    this.#log.error(message);
    this.#log.log(`joblet-certs: hint: ${hint}`);
    if (!failure && this.options.verbose) for (const line of traceOf(error)) this.detail(line);
    this.result({ error: { message, hint, exitCode } });
    return exitCode;
  }
}

const PREFIXES: Record<string, string> = {
  warn: "joblet-certs: warning: ",
  error: "joblet-certs: error: ",
};

/** Text for standard output: help, version. */
export function print(text: string): void {
  writeAll(1, text);
}

/** Function names and offsets only: the runtime's own rendering shows the bundled source. */
function traceOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return stack.split("\n").filter((line) => /^\s+at /.test(line));
}

/** Writes all of it, now: an exit must not cut it off. A reader that has gone away is no failure of ours. */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") return;
      Bun.sleepSync(1);
    }
  }
}
