import { defineCommand, runCommand } from "citty";
import { checkArguments } from "./arguments.ts";
import { type CommandInfo, declaredFlags, type Invocation } from "./commands.ts";
import type { Flags } from "./resolve-settings.ts";

/** Runs a command through citty. Its arguments are checked first: citty itself takes anything. Returns the exit code. */
export async function run(
  command: CommandInfo,
  args: readonly string[],
  invocation: Omit<Invocation, "flags">,
): Promise<number> {
  checkArguments(command.name, args, declaredFlags(command));
  const definition = defineCommand({
    meta: { name: command.name, description: command.summary },
    args: declaredFlags(command),
    async run({ args: flags }) {
      const handler = await command.load();
      return handler({ ...invocation, flags: flags as unknown as Flags });
    },
  });
  const { result } = await runCommand(definition, { rawArgs: [...args] });
  return result as number;
}
