import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needRoot, needTool, type RunOptions, run, succeed, type TempDir, tempDir, tree } from "../support/binary.ts";
import { CLIENT, faults, filledHome, RECORD, SERVER, strays } from "../support/installed.ts";

setDefaultTimeout(60_000);

/** Founds, runs again, and proves; every file is then whole. */
async function works(home: string, options: RunOptions): Promise<void> {
  const all = { ...options, env: { JOBLET_HOME: home, ...options.env } };
  for (const args of [["--offline"], ["--offline"], ["verify"]]) {
    const { code, stderr } = await run(args, all);
    expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
  }
  expect(faults(home)).toEqual([]);
  expect(strays(home)).toEqual([]);
  for (const file of [SERVER, CLIENT, RECORD, "ca/ca-key"]) expect(existsSync(join(home, file))).toBe(true);
  // With nothing in its way: a run that was stopped from looking proves nothing.
  await succeed(["verify"], { env: { JOBLET_HOME: home } });
}

function inShell(script: string): readonly string[] {
  return ["sh", "-c", script, "sh"];
}

test("user data has no HOME, no USER, no PATH, no locale", async () => {
  using home = tempDir();
  await works(home.at("home"), { wrapper: ["env", "-i", `JOBLET_HOME=${home.at("home")}`] });
});

test("a working directory that has gone is no obstacle", async () => {
  using home = tempDir();
  const script = `mkdir -p ${home.at("gone")}; cd ${home.at("gone")}; rmdir ${home.at("gone")}; exec "$@"`;
  await works(home.at("home"), { wrapper: inShell(script) });
});

test.each(["000", "022", "077", "0777"])("modes do not depend on the umask (%s)", async (umask) => {
  using home = tempDir();
  const options = { env: { JOBLET_HOME: home.at("home") }, wrapper: inShell(`umask ${umask}; exec "$@"`) };
  for (const args of [["--offline"], ["--offline", "--force-regenerate", "--roles=admin,reader"]])
    await succeed(args, options);
  for (const [path, { mode, content }] of Object.entries(tree(home.at("home")))) {
    const expected = content !== "directory" ? "600" : path.startsWith("ca") ? "700" : "755";
    expect({ path, mode }).toEqual({ path, mode: expected });
  }
});

test("no terminal and no session", async () => {
  needTool("setsid", "util-linux");
  using home = tempDir();
  await works(home.at("home"), { wrapper: ["setsid", "--wait"] });
});

test.each([
  ["standard input", "<&-"],
  ["standard output", ">&-"],
  ["standard error", "2>&-"],
  ["all three", "<&- >&- 2>&-"],
])("closed %s: no file of ours takes its number and receives the messages", async (_what, redirection) => {
  using home = tempDir();
  await works(home.at("home"), { wrapper: inShell(`exec "$@" --verbose --json ${redirection}`) });
  // With the number of standard error, a file would hold the summary.
  for (const file of readdirSync(home.at("home"), { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const text = await Bun.file(`${file.parentPath}/${file.name}`).text();
    expect(text).not.toContain("issued: ");
    expect(text).not.toContain("handshakes");
  }
});

test("a reader of the output that has gone away costs no certificates", async () => {
  using home = tempDir();
  const script = 'code=$( { { "$@" --json --verbose 2>&1; echo $? >&4; } | true; } 4>&1 ); exit "$code"';
  await works(home.at("home"), { wrapper: inShell(script) });
});

test("a full standard output, as of a log on a full disk, costs no certificates", async () => {
  using home = tempDir();
  await works(home.at("home"), { wrapper: inShell('exec "$@" --json --verbose >/dev/full 2>&1') });
});

test("no network at all, not even lo", async () => {
  needRoot("network namespace");
  needTool("unshare", "util-linux");
  using home = tempDir();
  await works(home.at("home"), { wrapper: ["unshare", "--net"] });
});

test("not one network socket is opened", async () => {
  needTool("strace", "strace");
  using home = tempDir();
  const log = home.at("log");
  await works(home.at("home"), {
    wrapper: ["strace", "-f", "-qq", "-A", "-o", log, "-e", "trace=connect,bind,listen,sendto,sendmsg,sendmmsg"],
  });
  const lines = (await Bun.file(log).text()).split("\n").filter((line) => /AF_INET|sin6?_/.test(line));
  expect(lines).toEqual([]);
});

/** Leaves a mark that it was run; nothing that is found lying around may. */
function writeMarker(directory: TempDir): string {
  const marker = directory.at("was-run");
  const call = `writeFileSync(${JSON.stringify(marker)}, "");\n`;
  for (const name of ["evil.js", "evil.cjs"]) writeFileSync(directory.at(name), `require("node:fs").${call}`);
  const imported = `import { writeFileSync } from "node:fs";\n${call}`;
  for (const name of ["evil.mjs", "evil.ts", "index.ts"]) writeFileSync(directory.at(name), imported);
  return marker;
}

test("what lies in the working directory is neither read nor run", async () => {
  using home = tempDir();
  using trap = tempDir();
  const marker = writeMarker(trap);
  const evil = trap.at("evil-home");
  for (const name of [".env", ".env.local", ".env.production", ".env.development", ".env.test"]) {
    writeFileSync(
      trap.at(name),
      `JOBLET_HOME=${evil}\nJOBLET_SERVER_PORT=nonsense\nBUN_OPTIONS=--preload=${trap.at("evil.js")}\n`,
    );
  }
  writeFileSync(trap.at("bunfig.toml"), 'preload = ["./evil.ts"]\nsmol = true\n[run]\npreload = ["./evil.ts"]\n');
  writeFileSync(
    trap.at("tsconfig.json"),
    '{"compilerOptions":{"paths":{"*":["./evil.ts"]},"baseUrl":"."},"extends":"./none"}',
  );
  writeFileSync(
    trap.at("package.json"),
    '{"name":"x","type":"commonjs","imports":{"#x":"./evil.js"},"main":"evil.js","exports":',
  );
  mkdirSync(trap.at("node_modules", "citty"), { recursive: true });
  writeFileSync(trap.at("node_modules", "citty", "index.js"), `require(${JSON.stringify(trap.at("evil.js"))});`);
  const before = tree(trap.path);
  await works(home.at("home"), { cwd: trap.path });
  // Without a variable of our own that would win over a file's.
  expect((await run(["verify", `--home=${home.at("home")}`], { cwd: trap.path })).code).toBe(0);
  expect(existsSync(marker)).toBe(false);
  expect(tree(trap.path)).toEqual(before);
});

test.each([
  ["BUN_OPTIONS", "--preload="],
  ["BUN_OPTIONS", "--require "],
  ["BUN_OPTIONS", "--import="],
  ["NODE_OPTIONS", "--require="],
  ["NODE_OPTIONS", "--import="],
])("%s with %s does not run a file", async (variable, option) => {
  using home = await filledHome();
  using trap = tempDir();
  const marker = writeMarker(trap);
  for (const name of ["evil.js", "evil.cjs", "evil.mjs", "evil.ts"]) {
    const env = { [variable]: `${option}${trap.at(name)}`, JOBLET_HOME: home.path };
    for (const args of [["--offline"], ["verify"], ["--help"]]) await run(args, { cwd: trap.path, env });
    expect({ name, ran: existsSync(marker) }).toEqual({ name, ran: false });
  }
  await succeed(["verify"], { env: { JOBLET_HOME: home.path } });
});

test("BUN_OPTIONS with --config, --eval or --env-file does not run anything", async () => {
  using home = await filledHome();
  using trap = tempDir();
  const marker = writeMarker(trap);
  writeFileSync(trap.at("other.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(trap.at("env"), `JOBLET_SERVER_PORT=nonsense\nBUN_OPTIONS=--preload=${trap.at("evil.js")}\n`);
  const code = `require("fs").writeFileSync("${marker}","")`;
  for (const options of [
    `--config=${trap.at("other.toml")}`,
    `--eval=${code}`,
    `-e ${code}`,
    `--env-file=${trap.at("env")}`,
  ]) {
    await run(["--offline"], { cwd: trap.path, env: { BUN_OPTIONS: options, JOBLET_HOME: home.path } });
    expect({ options, ran: existsSync(marker) }).toEqual({ options, ran: false });
  }
});

test("JOBLET_HOME may be a symbolic link, and relative", async () => {
  using home = tempDir();
  mkdirSync(home.at("real"));
  symlinkSync("real", home.at("home"));
  await works(home.at("home"), {});
  expect(existsSync(home.at("real", SERVER))).toBe(true);
  await works(home.at("home"), { cwd: home.path, env: { JOBLET_HOME: "home" } });
  await works(home.at("home"), { cwd: home.at("real"), env: { JOBLET_HOME: "." } });
  await works(home.at("home"), { env: { JOBLET_HOME: `${home.at("home")}/` } });
});

test("a home whose link leads nowhere is an error, and nothing is made behind it", async () => {
  using home = tempDir();
  symlinkSync(home.at("nothing"), home.at("home"));
  const before = tree(home.path);
  const { code, stderr } = await run(["--offline"], { env: { JOBLET_HOME: home.at("home") } });
  expect({ code, errors: stderr.match(/^joblet-certs: error: /gm)?.length }).toEqual({ code: 7, errors: 1 });
  expect(tree(home.path)).toEqual(before);
});

test.each(["with space", "with'quote\"s", "ü-umlaut-✨", "new\nline", "-dash", "%d$x"])(
  "a home with a strange name works: %j",
  async (name) => {
    using home = tempDir();
    await works(home.at(name), {});
  },
);

test("a file that was made by a run is not needed by the next: record and client file are made anew", async () => {
  using home = await filledHome();
  const env = { JOBLET_HOME: home.path };
  for (const file of [RECORD, CLIENT, SERVER]) {
    rmSync(home.at(file));
    await succeed(["--offline"], { env });
    await succeed(["verify"], { env });
    expect(existsSync(home.at(file))).toBe(true);
  }
});
