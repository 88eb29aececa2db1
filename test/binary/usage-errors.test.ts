import { expect, setDefaultTimeout, test } from "bun:test";
import { run, tempDir } from "../support/binary.ts";
import { failsUnchanged } from "../support/failure.ts";
import { filledHome } from "../support/installed.ts";

setDefaultTimeout(60_000);

/** Exit 2 on a host that has nothing and on one that has everything, and neither is touched. */
async function refused(args: readonly string[], env: Record<string, string>, ...mentions: string[]): Promise<string> {
  using empty = tempDir();
  await failsUnchanged(empty.path, 2, args, { env: { JOBLET_HOME: empty.at("home"), ...env } }, ...mentions);
  using filled = await filledHome();
  const { hint } = await failsUnchanged(
    filled.path,
    2,
    args,
    { env: { JOBLET_HOME: filled.path, ...env } },
    ...mentions,
  );
  return hint;
}

const FLAGS: [flag: string, value: string, named?: string][] = [
  ["--secrets-manager", "maybe"],
  ["--address", "two words"],
  ["--address", "joblet.example.com:50051"],
  ["--address", "https://joblet.example.com"],
  ["--address", "*.example.com"],
  ["--address", "one.example.com,two.example.com"],
  ["--address", ""],
  ["--port", "0"],
  ["--port", "65536"],
  ["--port", "-1"],
  ["--port", "1e3"],
  ["--port", "50051.0"],
  ["--names", "good.example.com,bad name", "bad name"],
  ["--names", "10.0.0.256"],
  ["--names", "a..b"],
  ["--roles", "admin,root", "root"],
  ["--roles", "Admin;reader"],
  ["--key-type", "dsa"],
  ["--ca-dir", ""],
  ["--home", ""],
  ["--ca-days", "0"],
  ["--ca-days", "3651"],
  ["--server-days", "ten"],
  ["--server-days", "1.5"],
  ["--client-days", "+5"],
  ["--client-days", "0x10"],
];

test.each(FLAGS)("a malformed value is refused, not guessed: %s=%s", async (flag, value, ...named) => {
  await refused(["--offline", `${flag}=${value}`], {}, flag, JSON.stringify(named[0] ?? value));
});

const VARIABLES: [name: string, value: string, named?: string][] = [
  ["USE_SECRETS_MANAGER", "maybe"],
  ["FORCE_REGENERATE", "yes please"],
  ["JOBLET_SERVER_ADDRESS", "two words"],
  ["JOBLET_SERVER_PORT", "99999"],
  ["JOBLET_ADDITIONAL_NAMES", "good.example.com,-bad-", "-bad-"],
  ["JOBLET_CERT_INTERNAL_IP", "10.0.0.999"],
  ["JOBLET_CERT_PUBLIC_IP", "host.example.com"],
  ["JOBLET_CERT_DOMAIN", "bad_domain!"],
  ["JOBLET_CLIENT_ROLES", "admin,operator", "operator"],
  ["JOBLET_KEY_TYPE", "ed25519"],
];

test.each(VARIABLES)("a malformed variable is refused, and named: %s=%s", async (name, value, ...named) => {
  await refused(["--offline"], { [name]: value }, name, JSON.stringify(named[0] ?? value));
});

test("a malformed IS_EC2 is refused: it decides where the CA is looked for", async () => {
  await refused([], { IS_EC2: "perhaps" }, "IS_EC2", '"perhaps"');
});

test.each([
  ["--adress=x", "--address"],
  ["--ofline", "--offline"],
  ["--port-number=1", ""],
  ["--secret-manager=true", "--secrets-manager"],
  ["--no-offline", "--offline"],
  ["--zzzzzzzzzzzz", ""],
  ["-o", ""],
  ["--constructor", ""],
  ["--toString=1", ""],
  ["--__proto__=1", ""],
  ["--hasOwnProperty", ""],
])("an unknown flag is refused: %s", async (flag, suggestion) => {
  const hint = await refused(["--offline", flag], {}, flag.replace(/=.*/, ""));
  if (suggestion !== "") expect(hint).toContain(suggestion);
  expect(hint).toContain("--help");
});

test.each([
  ["generat", "generate"],
  ["verifi", "verify"],
  ["frobnicate", "--help"],
  ["constructor", "--help"],
])("an unknown command is refused, and does not generate: %s", async (word, suggestion) => {
  expect(await refused([word, "--offline"], {}, JSON.stringify(word))).toContain(suggestion);
});

test.each([
  "generate verify",
  "generate --offline verify",
  "--offline true",
  "verify /opt/joblet",
  "generate --offline -- verify",
])("a stray argument is refused: %s", async (line) => {
  const args = line.split(" ");
  await refused(args, {}, JSON.stringify(args.at(-1)));
});

test.each(["--offline", "--force-regenerate", "--discard-ca-key", "--reset-config", "--json", "--verbose"])(
  "a bare flag with a value is refused: %s=false must not turn it on",
  async (flag) => {
    await refused(["generate", `${flag}=false`], {}, flag, '"false"');
  },
);

test("a flag given twice is refused: neither value can be what was meant", async () => {
  await refused(["--offline", "--port=1", "--port=2"], {}, "--port");
  await refused(["--offline", "--port", "1", "--port=1"], {}, "--port");
  await refused(["--offline", "--offline"], {}, "--offline");
});

test("a flag without its value is refused and does not swallow the next flag", async () => {
  await refused(["--offline", "--address"], {}, "--address");
  await refused(["--address", "--offline"], {}, "--address");
  await refused(["--port=", "--offline"], {}, "--port");
});

test("flags that contradict each other are refused, both named", async () => {
  await refused(["--offline", "--secrets-manager=true"], {}, "--offline", "--secrets-manager");
  await refused(["--ca-dir=/nowhere", "--secrets-manager=true"], {}, "--ca-dir", "--secrets-manager");
  await refused(["--ca-dir=/nowhere", "--discard-ca-key"], {}, "--ca-dir", "--discard-ca-key");
});

test("a flag of another command is refused", async () => {
  await refused(["verify", "--force-regenerate"], {}, "--force-regenerate");
});

test("a line break in an argument cannot forge a second line of output", async () => {
  await refused(["--offline", "--x\njoblet-certs: hint: all is well"], {}, "--x");
  await refused(["--offline", "--port=1\njoblet-certs: error: forged"], {}, "--port");
});

test("an empty variable counts as unset, a blank one too", async () => {
  using filled = await filledHome();
  const env = { JOBLET_HOME: filled.path, JOBLET_SERVER_PORT: "", JOBLET_CLIENT_ROLES: " ", FORCE_REGENERATE: "" };
  expect((await run(["--offline"], { env })).code).toBe(0);
});
