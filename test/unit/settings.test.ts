import { describe, expect, test } from "bun:test";
import { decideMode, recordedMode } from "../../src/cli/mode.ts";
import { type Environment, type Flags, resolveSettings, settingsToRecord } from "../../src/cli/resolve-settings.ts";
import { SETTINGS, type SettingName, type Settings } from "../../src/cli/settings.ts";
import { ExitCode, Failure } from "../../src/errors.ts";

const ALL = Object.keys(SETTINGS) as SettingName[];

function resolve(flags: Flags = {}, environment: Environment = {}, recorded: Record<string, string> = {}): Settings {
  return resolveSettings(ALL, flags, environment, recorded);
}

function usageError(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).exitCode).toBe(ExitCode.usage);
    return error as Failure;
  }
  throw new Error("expected a usage error");
}

/** A sample of each setting in three different texts: of a flag, a variable and the record. */
const SAMPLES: Partial<Record<SettingName, readonly [string, string, string]>> = {
  mode: ["true", "false", "auto"],
  address: ["a.example.com", "b.example.com", "c.example.com"],
  port: ["1", "2", "3"],
  names: ["a,b", "c", "d"],
  roles: ["reader", "admin", "developer"],
  keyType: ["ec-p384", "rsa-2048", "rsa-4096"],
  caDir: ["/a", "/b", "/c"],
  caDays: ["1", "2", "3"],
  serverDays: ["1", "2", "3"],
  clientDays: ["1", "2", "3"],
};

describe("a flag beats its variable, which beats the record", () => {
  for (const [name, [flag, variable, recorded]] of Object.entries(SAMPLES) as [
    SettingName,
    [string, string, string],
  ][]) {
    test(name, () => {
      const setting: { flag?: string; variables: readonly string[]; remembered?: boolean } = SETTINGS[name];
      const flags = { [setting.flag ?? ""]: flag };
      const environment = Object.fromEntries(setting.variables.slice(0, 1).map((key) => [key, variable]));
      const record = { [name]: recorded };
      const source = (settings: Settings) => [settings[name]?.origin, settings[name]?.text];
      expect(source(resolve(flags, environment, record))).toEqual(["flag", flag]);
      if (setting.variables.length > 0)
        expect(source(resolve({}, environment, record))).toEqual(["variable", variable]);
      expect(source(resolve({}, {}, record))).toEqual(
        setting.remembered ? ["record", recorded] : [undefined, undefined],
      );
      expect(resolve()[name]).toBeUndefined();
    });
  }
  test("an empty variable counts as not set: installers export what they do not know", () => {
    expect(resolve({}, { JOBLET_SERVER_ADDRESS: " ", JOBLET_CA_DIR: "" }, { address: "kept" }).address?.text).toBe(
      "kept",
    );
  });
  test("what must not be remembered is not read from a record either", () => {
    expect(resolve({}, {}, { home: "/x", forceRegenerate: "true", resetConfig: "true", offline: "true" })).toEqual({});
  });
});

describe("a malformed value names its flag or variable, itself, and what is accepted", () => {
  const cases: readonly [Flags, Environment, RegExp][] = [
    [{ port: "0" }, {}, /--port: "0".*acceptable/],
    [{ port: "70000" }, {}, /--port/],
    [{}, { JOBLET_SERVER_PORT: "5e4" }, /JOBLET_SERVER_PORT: "5e4"/],
    [{ "ca-days": "3651" }, {}, /--ca-days: "3651"/],
    [{ "server-days": "-1" }, {}, /--server-days: "-1"/],
    [{}, { JOBLET_ADDITIONAL_NAMES: "a.example.com, b_c ,d" }, /JOBLET_ADDITIONAL_NAMES: "b_c"/],
    [{}, { JOBLET_CERT_INTERNAL_IP: "host" }, /JOBLET_CERT_INTERNAL_IP: "host"/],
    [{ address: "a:1" }, {}, /--address: "a:1"/],
    [{ address: "*.example.com" }, {}, /--address/],
    [{ roles: "admin,root" }, {}, /--roles: "root"/],
    [{ "key-type": "rsa-1024" }, {}, /--key-type: "rsa-1024"/],
    [{}, { USE_SECRETS_MANAGER: "maybe" }, /USE_SECRETS_MANAGER: "maybe"/],
    [{}, { FORCE_REGENERATE: "yes please" }, /FORCE_REGENERATE: "yes please"/],
  ];
  for (const [flags, environment, message] of cases) {
    test(JSON.stringify({ ...flags, ...environment }), () => {
      const failure = usageError(() => resolve(flags, environment));
      expect(failure.message).toMatch(message);
      expect(failure.hint).toStartWith("give ");
    });
  }
  test("a value in a record that is no longer acceptable says that it comes from there", () => {
    expect(usageError(() => resolve({}, {}, { keyType: "dsa" })).message).toContain("record");
  });
  test("a bind address means that the address is detected", () => {
    for (const text of ["0.0.0.0", "::", "[::]"]) expect(resolve({ address: text }).address?.value).toBe("detect");
  });
});

describe("where the set is looked for", () => {
  const mode = (
    flags: Flags,
    environment: Environment = {},
    record: Record<string, string> = {},
    calledAs?: string,
  ) => {
    const decided = decideMode(resolve(flags, environment, record), calledAs);
    return [decided.mode, decided.explicit];
  };
  test("flags, then variables, then the script's name, then the record, then auto", () => {
    const record = { mode: "true" };
    expect(mode({ "secrets-manager": "auto" }, { USE_SECRETS_MANAGER: "false" }, record)).toEqual(["auto", true]);
    expect(mode({ offline: true }, { USE_SECRETS_MANAGER: "true" }, record)).toEqual(["false", true]);
    expect(mode({}, { USE_SECRETS_MANAGER: "false" }, record)).toEqual(["false", true]);
    expect(mode({}, { USE_SECRETS_MANAGER: "true" }, {}, "certs_gen_embedded.sh")).toEqual(["true", true]);
    expect(mode({}, {}, record, "certs_gen_embedded.sh")).toEqual(["false", false]);
    expect(mode({}, {}, { mode: "false" }, "certs_gen_with_secretsmanager.sh")).toEqual(["false", false]);
    expect(mode({}, {}, record)).toEqual(["true", false]);
    expect(mode({})).toEqual(["auto", false]);
  });
  test("a directory for the set implies offline, wherever it was given", () => {
    expect(mode({ "ca-dir": "/x" }, { USE_SECRETS_MANAGER: "true" })).toEqual(["false", true]);
    expect(mode({}, { JOBLET_CA_DIR: "/x" })).toEqual(["false", true]);
    expect(mode({}, {}, { caDir: "/x" })).toEqual(["false", false]);
    expect(mode({ "secrets-manager": "true" }, { JOBLET_CA_DIR: "/x" })).toEqual(["true", true]);
  });
  for (const [flags, environment, names] of [
    [{ offline: true, "secrets-manager": "true" }, {}, ["--offline", "--secrets-manager"]],
    [{ "ca-dir": "/x", "secrets-manager": "true" }, {}, ["--ca-dir", "--secrets-manager"]],
    [{}, { JOBLET_CA_DIR: "/x", USE_SECRETS_MANAGER: "true" }, ["JOBLET_CA_DIR", "USE_SECRETS_MANAGER"]],
  ] as [Flags, Environment, string[]][]) {
    test(`${names.join(" and ")} contradict each other: exit 2 that names both`, () => {
      const { message } = usageError(() => decideMode(resolve(flags, environment), undefined));
      for (const name of names) expect(message).toContain(name);
    });
  }
  test("what says the same is no contradiction", () => {
    expect(mode({ offline: true, "secrets-manager": "false" })).toEqual(["false", true]);
    expect(mode({ "ca-dir": "/x", "secrets-manager": "auto" })).toEqual(["false", true]);
  });
});

describe("what a host remembers", () => {
  const remember = (flags: Flags, environment: Environment = {}, record: Record<string, string> = {}) => {
    const settings = resolve(flags, environment, record);
    return recordedMode(settings, settingsToRecord(settings, record));
  };
  test("what was given in this run over what was there; nothing that was not given", () => {
    const record = { names: "old", roles: "admin,reader" };
    expect(remember({ names: "new" }, { JOBLET_KEY_TYPE: "ec-p384" }, record)).toEqual({
      names: "new",
      roles: "admin,reader",
      keyType: "ec-p384",
    });
    expect(remember({})).toEqual({});
  });
  test("never what counts for one run only", () => {
    expect(remember({ home: "/x", "force-regenerate": true, "reset-config": true, port: "443" })).toEqual({});
  });
  test("--offline is remembered as the mode, so that a timer does not go to AWS", () => {
    expect(remember({ offline: true })).toEqual({ mode: "false" });
    expect(remember({ offline: true }, {}, { mode: "true" })).toEqual({ mode: "false" });
  });
  test("a later word for the one place takes the other out of the record: it must not contradict itself", () => {
    for (const record of [
      remember({ "secrets-manager": "true" }, {}, { caDir: "/x" }),
      remember({ "ca-dir": "/x" }, {}, { mode: "true" }),
      remember({}, { USE_SECRETS_MANAGER: "auto" }, { caDir: "/x" }),
    ]) {
      expect(Object.keys(record).length).toBe(1);
      expect(() => decideMode(resolve({}, {}, record), undefined)).not.toThrow();
    }
  });
  test("whatever is given once, a later run without it finds the set in the same place", () => {
    const modes: Flags[] = [{}, { "secrets-manager": "true" }, { "secrets-manager": "false" }, { offline: true }];
    for (const first of modes) {
      for (const second of [...modes, { "ca-dir": "/x" }]) {
        const record = remember(second, {}, remember(first));
        const decided = decideMode(resolve(second, {}, remember(first)), undefined);
        const later = resolve({}, {}, record);
        expect([decideMode(later, undefined).mode, later.caDir?.value]).toEqual([
          decided.mode,
          resolve(second, {}, remember(first)).caDir?.value,
        ]);
      }
    }
  });
  test("a relative directory is remembered as an absolute one: a timer starts elsewhere", () => {
    expect(remember({ "ca-dir": "set" }).caDir).toMatch(/^\/.*\/set$/);
  });
});
