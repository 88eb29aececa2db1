import { expect, setDefaultTimeout, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { run, succeed } from "../support/binary.ts";
import { failsUnchanged } from "../support/failure.ts";
import { filledHome } from "../support/installed.ts";

setDefaultTimeout(60_000);

const INVALID = 6;
const FILES = ["ca-key", "ca-cert", "client-key", "client-cert"] as const;

/**
 * With a file of the set changed: exit 6, the file named, nothing else touched. On a host that works and on one that has
 * the set only; for a new file in the old one's place (`mv`) and for new bytes in the old file (`cp`).
 */
async function refuses(name: string, text: string): Promise<void> {
  for (const installed of [true, false]) {
    for (const how of ["mv", "cp"]) {
      using home = await filledHome();
      if (!installed) rmSync(home.at("config"), { recursive: true });
      if (how === "mv") rmSync(home.at("ca", name));
      writeFileSync(home.at("ca", name), text, { mode: 0o600 });
      await failsUnchanged(home.path, INVALID, ["--offline"], { env: { JOBLET_HOME: home.path } }, home.at("ca", name));
    }
  }
}

function freshKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

test("a CA key that does not fit its certificate is never used to sign", async () => {
  await refuses("ca-key", freshKey());
});

test.each(FILES)("garbage in %s is never overwritten on a guess", async (name) => {
  await refuses(name, "garbage\n");
  await refuses(name, "");
  await refuses(name, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  await refuses(name, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
});

test.each(FILES)("%s cut off in the middle is refused", async (name) => {
  using home = await filledHome();
  const text = readFileSync(home.at("ca", name), "utf8");
  await refuses(name, text.slice(0, text.length / 2));
});

test.each(["ca-key", "client-key"])("an encrypted %s is refused, and the reason is said", async (name) => {
  using home = await filledHome();
  const key = createPrivateKey(readFileSync(home.at("ca", name)));
  const encrypted = key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }) as string;
  writeFileSync(home.at("ca", name), encrypted, { mode: 0o600 });
  await failsUnchanged(
    home.path,
    INVALID,
    ["--offline"],
    { env: { JOBLET_HOME: home.path } },
    home.at("ca", name),
    "ncrypted",
  );
});

test.each([
  ["ca-key", "ca-cert"],
  ["ca-cert", "ca-key"],
  ["client-key", "client-cert"],
  ["client-cert", "client-key"],
  ["ca-cert", "client-cert"],
])("%s that holds what belongs into %s is refused", async (name, other) => {
  using home = await filledHome();
  await refuses(name, readFileSync(home.at("ca", other), "utf8"));
});

test.each([
  ["a client key of another pair", "client-key", "client-key"],
  ["a client certificate of another CA", "client-cert", "client-cert"],
  ["the CA's certificate as the client's", "ca-cert", "client-cert"],
])("%s costs a new client certificate, not the CA", async (_what, from, to) => {
  using home = await filledHome();
  using other = await filledHome();
  await succeed(["--offline", "--force-regenerate"], { env: { JOBLET_HOME: other.path } });
  cpSync(other.at("ca", from), home.at("ca", to));
  const ca = ["ca-key", "ca-cert"].map((name) => readFileSync(home.at("ca", name), "utf8"));
  const env = { JOBLET_HOME: home.path };
  await succeed(["--offline"], { env });
  expect(["ca-key", "ca-cert"].map((name) => readFileSync(home.at("ca", name), "utf8"))).toEqual(ca);
  await succeed(["verify"], { env });
});

test("FORCE_REGENERATE replaces a set that cannot be used, and says that client files change", async () => {
  using home = await filledHome();
  writeFileSync(home.at("ca", "ca-key"), "garbage\n", { mode: 0o600 });
  const env = { JOBLET_HOME: home.path };
  const { code, stderr } = await run(["--offline"], { env: { ...env, FORCE_REGENERATE: "true" } });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^joblet-certs: warning: .*SHA-256/m);
  await succeed(["verify"], { env });
});
