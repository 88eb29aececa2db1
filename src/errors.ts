/** Exit codes of the product contract. Scripts and systemd units depend on the numbers. */
export const ExitCode = {
  done: 0,
  unexpected: 1,
  usage: 2,
  checkFailed: 3,
  storeUnavailable: 4,
  accessDenied: 5,
  storeInvalid: 6,
  files: 7,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * An expected failure: what is wrong (naming the value and its place), what to do about it, and the exit code.
 * Anything else that is thrown is a bug and leaves with exit code 1. Never put key material in either text.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    readonly hint: string,
  ) {
    super(oneLine(message));
    this.hint = oneLine(hint);
  }
}

/** The message of anything thrown, on one line. Library errors can hold line breaks or whole source excerpts. */
export function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

/** The `code` of a Node system error (`ENOENT`, …), or an empty string. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").trim();
}
