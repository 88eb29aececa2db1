import { ExitCode, Failure } from "../errors.ts";
import { quote } from "./quote.ts";
import { type Given, type Origin, SETTINGS, type Setting, type SettingName, type Settings } from "./settings.ts";

export type Flags = Readonly<Record<string, string | boolean | undefined>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A flag beats its variable, which beats what an earlier run recorded. Empty variables count as unset.
 * @throws Failure 2 naming flag or variable, the value, and what is accepted
 */
export function resolveSettings(
  names: readonly SettingName[],
  flags: Flags,
  environment: Environment,
  recorded: Readonly<Record<string, string>> = {},
): Settings {
  const settings: Record<string, Given<unknown>> = {};
  for (const name of names) {
    const given = lookUp(name, SETTINGS[name], flags, environment, recorded);
    if (given) settings[name] = given;
  }
  return settings as Settings;
}

/** The settings that go into the record: what it held, and over it what was given in this run. */
export function settingsToRecord(
  settings: Settings,
  recorded: Readonly<Record<string, string>>,
): Record<string, string> {
  const result: Record<string, string> = { ...recorded };
  for (const [name, given] of Object.entries(settings)) {
    if (SETTINGS[name as SettingName].remembered && given.origin !== "record") result[name] = given.text;
  }
  return result;
}

function lookUp(
  name: SettingName,
  setting: Setting<unknown>,
  flags: Flags,
  environment: Environment,
  recorded: Readonly<Record<string, string>>,
): Given<unknown> | undefined {
  const flag = setting.flag === undefined ? undefined : flags[setting.flag];
  if (flag !== undefined && flag !== false) return read(setting, String(flag), "flag", `--${setting.flag}`);
  for (const variable of setting.variables) {
    const text = environment[variable];
    if (text !== undefined && text.trim() !== "") return read(setting, text, "variable", variable);
  }
  const text = setting.remembered ? recorded[name] : undefined;
  return text === undefined ? undefined : read(setting, text, "record", `${name} in the record of this host`);
}

function read(setting: Setting<unknown>, text: string, origin: Origin, source: string): Given<unknown> {
  const result = setting.type.parse(text);
  if ("value" in result) return { value: result.value, origin, text };
  throw new Failure(
    ExitCode.usage,
    `${source}: ${quote(result.rejected)} is not acceptable`,
    `give ${setting.type.accepted}`,
  );
}
