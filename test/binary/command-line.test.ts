import { expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { binaryPath, run, succeed, tempDir, tree } from "../support/binary.ts";
import { expectFailure } from "../support/failure.ts";
import { filledHome } from "../support/installed.ts";

setDefaultTimeout(60_000);

const COMMANDS = ["generate", "verify"];
const GENERATED = [
  "✨ CA Certificate: Generated locally (this host only)",
  "✨ Client Certificate: Generated locally (this host only)",
  "🆕 Server Certificate: Generated locally (instance-specific)",
];
const REUSED = [
  "✅ CA Certificate: Reused (this host only)",
  "✅ Client Certificate: Reused (this host only)",
  "🆕 Server Certificate: Generated locally (instance-specific)",
];

function summary(stderr: string): string[] {
  return stderr.split("\n").filter((line) => /^\S+ (?:CA|Client|Server) Certificate: /.test(line));
}

test("the program's help names every command and goes to standard output", async () => {
  for (const flag of ["--help", "-h"]) {
    const { code, stdout, stderr } = await run([flag]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ +${command} +\\S`, "m"));
  }
});

test.each(COMMANDS)("help of %s has examples, variables and exit codes, and does nothing", async (command) => {
  using home = tempDir();
  for (const args of [
    [command, "--help"],
    [command, "-h"],
    [command, "--json", "--help"],
  ]) {
    const { code, stdout, stderr } = await run(args, { env: { JOBLET_HOME: home.at("new") } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const title of ["USAGE", "EXAMPLES", "ENVIRONMENT", "EXIT CODES"]) expect(stdout.split("\n")).toContain(title);
    expect(stdout).toContain(`joblet-certs ${command}`);
    expect(stdout).toContain("JOBLET_HOME");
    expect(stdout).toMatch(/^ +0 +\S/m);
    expect(stdout).toMatch(/^ +2 +\S/m);
  }
  expect(Object.keys(tree(home.path))).toEqual(["."]);
});

test("version says version, commit and target on one line", async () => {
  const { code, stdout, stderr } = await run(["--version"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^joblet-certs \d+\.\d+\.\d+\S* \(commit [0-9a-f]{7,}\S*, linux-(?:x64|aarch64)(?:-musl)?\)\n$/,
  );
});

test("without a command it generates, in the words of the contract", async () => {
  using home = tempDir();
  const first = await run([], { env: { JOBLET_HOME: home.path, IS_EC2: "false" } });
  expect({ code: first.code, stdout: first.stdout }).toEqual({ code: 0, stdout: "" });
  expect(summary(first.stderr)).toEqual(GENERATED);
  const second = await run(["generate", "--offline"], { env: { JOBLET_HOME: home.path } });
  expect(summary(second.stderr)).toEqual(REUSED);
  const forced = await run(["--offline", "--force-regenerate"], { env: { JOBLET_HOME: home.path } });
  expect(summary(forced.stderr)).toEqual(GENERATED);
  await succeed(["verify"], { env: { JOBLET_HOME: home.path } });
});

test("every issued certificate is logged with serial, fingerprint, issuer and expiry, and the next step is told", async () => {
  using home = tempDir();
  const { stderr } = await succeed(["--offline"], { env: { JOBLET_HOME: home.path } });
  for (const role of ["ca", "admin", "server"]) {
    const form = `^issued: ${role}, serial [0-9a-f]+, SHA-256 [0-9a-f]{64}, issuer .+, expires \\d{4}-\\d\\d-\\d\\d$`;
    expect(stderr).toMatch(new RegExp(form, "m"));
  }
  expect(stderr).toContain("systemctl restart joblet");
  expect(stderr).toContain(home.at("config", "rnx-config.yml"));
});

test("flags work bare, with = and with a space", async () => {
  using home = tempDir();
  await succeed(["--offline", "--home", home.path, "--address=one.example.com", "--discard-ca-key"]);
  expect(Object.keys(tree(home.path))).not.toContain("ca");
  const { stderr, stdout } = await succeed(["--force-regenerate", "--offline", "--json", `--home=${home.path}`]);
  expect(JSON.parse(stdout).address).toBe("one.example.com");
  expect(stderr).toContain(GENERATED[0] ?? "");
});

test.each(["link", "argv0"])("the embedded script's name means generate --offline (%s)", async (how) => {
  using home = tempDir();
  using links = tempDir();
  const name = "certs_gen_embedded.sh";
  symlinkSync(binaryPath(), links.at(name));
  const calling = how === "link" ? { program: links.at(name) } : { argv0: `/opt/joblet/scripts/${name}` };
  // On EC2, plain `generate` would look for the fleet's store.
  const { code, stderr } = await run([], { ...calling, env: { JOBLET_HOME: home.path, IS_EC2: "true" } });
  expect({ code, lines: summary(stderr) }).toEqual({ code: 0, lines: GENERATED });
});

test("an unknown name of the link changes nothing", async () => {
  using home = tempDir();
  using links = tempDir();
  symlinkSync(binaryPath(), links.at("constructor"));
  const { code } = await run(["--offline"], { program: links.at("constructor"), env: { JOBLET_HOME: home.path } });
  expect(code).toBe(0);
});

test("--json prints one document on standard output, and text for people only on standard error", async () => {
  using home = tempDir();
  const env = { JOBLET_HOME: home.path };
  for (const args of [["--offline"], ["--offline", "--force-regenerate"], ["verify"]]) {
    const { code, stdout, stderr } = await run([...args, "--json"], { env });
    expect(code).toBe(0);
    expect(stdout.endsWith("}\n")).toBe(true);
    const document = JSON.parse(stdout);
    expect(document.command).toBe(args[0] === "verify" ? "verify" : "generate");
    expect(document.warnings).toBeInstanceOf(Array);
    expect(stderr).not.toMatch(/^[{}]/m);
    expect(stderr.length).toBeGreaterThan(0);
  }
});

test("--json prints one document for a failure too, with the same words", async () => {
  using home = await filledHome();
  const env = { JOBLET_HOME: home.path };
  const cases: [number, string[], Record<string, string>][] = [
    [2, ["--port=x", "--json"], env],
    [2, ["--json", "--unknown"], env],
    [2, ["nonsense", "--json"], env],
    [2, ["--json", "--json"], env],
    [7, ["verify", "--json"], { JOBLET_HOME: home.at("none") }],
    [7, ["--offline", "--json"], { JOBLET_HOME: home.at("config", "rnx-config.yml") }],
  ];
  for (const [code, args, environment] of cases) {
    const result = await run(args, { env: environment });
    const { error, hint } = expectFailure(result, code);
    const document = JSON.parse(result.stdout);
    expect(document.error).toEqual({
      message: error.replace("joblet-certs: error: ", ""),
      hint: hint.replace("joblet-certs: hint: ", ""),
      exitCode: code,
    });
  }
});
