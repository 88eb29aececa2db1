import { ExitCode, Failure } from "../errors.ts";
import { COMMANDS, type CommandInfo, SCRIPT_NAMES } from "./commands.ts";
import { commandHelp, programHelp } from "./help.ts";
import { nearest } from "./nearest.ts";
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
  if (args[0] === "--version") {
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
  // Loaded here, so that help does not wait for it.
  const { run } = await import("./run-command.ts");
  return run(command, rest, { environment, calledAs, output });
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
