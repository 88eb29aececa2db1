import { parseArgs } from "node:util";
import { ExitCode, Failure } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { quote } from "./quote.ts";

/** Flags that a command declares: whether each takes a value. */
export type DeclaredFlags = Readonly<Record<string, { type: "string" | "boolean" }>>;

/**
 * Checks a command line against the declared flags before citty sees it: citty accepts anything.
 * @throws Failure 2 naming the argument, with the nearest flag as a suggestion
 */
export function checkArguments(command: string, args: readonly string[], declared: DeclaredFlags): void {
  const { tokens } = parseArgs({
    args: [...args],
    options: declared,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const help = `see joblet-certs ${command} --help`;
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind === "positional") {
      throw new Failure(
        ExitCode.usage,
        `unexpected argument ${quote(String(token.value))}`,
        `${command} takes flags only; ${help}`,
      );
    }
    if (token.kind === "option-terminator") continue;
    const flag = Object.hasOwn(declared, token.name) ? declared[token.name] : undefined;
    if (!flag || !token.rawName.startsWith("--")) {
      const near = nearest(token.name, Object.keys(declared));
      throw new Failure(
        ExitCode.usage,
        `unknown flag ${shown(token.rawName)}`,
        near ? `did you mean --${near}? ${help}` : help,
      );
    }
    if (seen.has(token.name)) throw new Failure(ExitCode.usage, `--${token.name} is given twice`, "give it once");
    seen.add(token.name);
    if (flag.type === "string" && token.value === undefined) {
      throw new Failure(ExitCode.usage, `--${token.name} needs a value`, `--${token.name}=VALUE; ${help}`);
    }
    if (flag.type === "string" && !token.inlineValue && token.value?.startsWith("--")) {
      throw new Failure(
        ExitCode.usage,
        `--${token.name} needs a value, not ${shown(token.value)}`,
        `--${token.name}=VALUE; ${help}`,
      );
    }
    if (flag.type === "boolean" && token.value !== undefined) {
      throw new Failure(
        ExitCode.usage,
        `--${token.name} takes no value, but has ${quote(String(token.value))}`,
        `leave it away; ${help}`,
      );
    }
  }
}

/** A flag as it was written; without quotes, unless it cannot be one. */
function shown(flag: string): string {
  return /^-{1,2}[\w.-]{1,64}$/.test(flag) ? flag : quote(flag);
}
