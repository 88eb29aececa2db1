import { COMMANDS, type CommandInfo } from "./commands.ts";
import { COMMON_FLAGS, SETTINGS, type Setting } from "./settings.ts";

/** Help of the program: what it is for, its commands, where to read on. */
export function programHelp(): string {
  return sections([
    ["joblet-certs - certificates for Joblet servers and their clients", []],
    ["USAGE", ["joblet-certs [COMMAND] [FLAGS]    without a command: generate"]],
    ["COMMANDS", columns(COMMANDS.map(({ name, summary }) => [name, summary]))],
    [
      "FLAGS",
      columns([
        ["--version", "print version, commit and target"],
        ["--help", "show this help; joblet-certs COMMAND --help shows a command's"],
      ]),
    ],
  ]);
}

/** Help of one command: usage, flags with variables and defaults, examples, exit codes. */
export function commandHelp(command: CommandInfo): string {
  const settings = command.settings.map((name) => SETTINGS[name] as Setting<unknown>);
  const flags = settings.filter((setting) => setting.flag !== undefined);
  const variablesOnly = settings.filter((setting) => setting.flag === undefined);
  return sections([
    [`joblet-certs ${command.name} - ${command.summary}`, []],
    ["", command.description.split("\n")],
    ["USAGE", [`joblet-certs ${command.name} [FLAGS]`]],
    ["EXAMPLES", command.examples.flatMap(([line, effect]) => [line, `    ${effect}`])],
    [
      "FLAGS",
      [...flags.flatMap(describe), ...columns(Object.entries(COMMON_FLAGS).map(([flag, help]) => [`--${flag}`, help]))],
    ],
    [
      "ENVIRONMENT",
      columns([
        ...flags.flatMap(({ variables, flag }) =>
          variables.map((name): [string, string] => [name, `the same as --${flag}`]),
        ),
        ...variablesOnly.flatMap(({ variables, help }) => variables.map((name): [string, string] => [name, help])),
      ]),
    ],
    ["EXIT CODES", columns(Object.entries(command.exits))],
  ]);
}

function describe(setting: Setting<unknown>): string[] {
  const value = setting.placeholder === undefined ? "" : `=${setting.placeholder}`;
  return [`--${setting.flag}${value}`, `    ${setting.help} (default: ${setting.default})`];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}

function sections(parts: readonly (readonly [title: string, lines: readonly string[]])[]): string {
  return parts
    .filter(([title, lines]) => title !== "" || lines.length > 0)
    .map(
      ([title, lines]) =>
        `${title === "" ? "" : `${title}\n`}${lines.map((line) => (title === "" ? `${line}\n` : `  ${line}\n`)).join("")}`,
    )
    .join("\n");
}
