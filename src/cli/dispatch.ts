import { runCommand } from "citty";
import { ExitCode, Failure } from "../errors.ts";
import { checkArguments, nearest } from "./arguments.ts";
import { COMMANDS, type CommandInfo, declaredFlags, SCRIPT_NAMES, toCitty } from "./commands.ts";
import { commandHelp, programHelp } from "./help.ts";
import { type Output, print } from "./output.ts";
import { quote } from "./quote.ts";
import type { Environment } from "./resolve-settings.ts";
import { versionLine } from "./version.ts";

/**
 * Picks the command, checks its arguments and runs it.
 * @param name the name that the program was called by
 * @returns the exit code
 */
export async function dispatch(
  name: string,
  args: readonly string[],
  environment: Environment,
  output: Output,
): Promise<number> {
  const calledAs = Object.hasOwn(SCRIPT_NAMES, name) ? name : undefined;
  const words = [...(calledAs === undefined ? [] : (SCRIPT_NAMES[calledAs] ?? [])), ...args];
  const [first = ""] = words;
  if (first === "--version") {
    print(`${versionLine()}\n`);
    return ExitCode.done;
  }
  if (first === "--help" || first === "-h" || first === "help") {
    print(programHelp());
    return ExitCode.done;
  }
  const named = first !== "" && !first.startsWith("-");
  const command = named ? findCommand(first) : (COMMANDS[0] as CommandInfo);
  const rest = withBareMode(named ? words.slice(1) : words);
  if (rest.includes("--help") || rest.includes("-h")) {
    print(commandHelp(command));
    return ExitCode.done;
  }
  checkArguments(command.name, rest, declaredFlags(command));
  const { result } = await runCommand(toCitty(command, { environment, calledAs, output }), { rawArgs: rest });
  return result as number;
}

function findCommand(word: string): CommandInfo {
  const command = COMMANDS.find(({ name }) => name === word);
  if (command) return command;
  const near = nearest(
    word,
    COMMANDS.map(({ name }) => name),
  );
  const known = `commands are ${COMMANDS.map(({ name }) => name).join(", ")}; see joblet-certs --help`;
  throw new Failure(ExitCode.usage, `unknown command ${quote(word)}`, near ? `did you mean ${near}? ${known}` : known);
}

/** `--secrets-manager` alone means true. */
function withBareMode(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const next = args[index + 1];
    const bare = arg === "--secrets-manager" && (next === undefined || next.startsWith("-"));
    return bare ? "--secrets-manager=true" : arg;
  });
}
