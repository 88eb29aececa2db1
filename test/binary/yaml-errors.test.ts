import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { run, succeed } from "../support/binary.ts";
import { failsUnchanged } from "../support/failure.ts";
import { CLIENT, filledHome, SERVER } from "../support/installed.ts";

setDefaultTimeout(60_000);

const BROKEN: [what: string, text: string | Uint8Array, mention: string][] = [
  ["an unclosed bracket", "server: [\n", "line"],
  ["bad indentation", "server:\n  port: 1\n address: x\n", "line 3"],
  ["a tab as indentation", "server:\n\tport: 1\n", "line 2"],
  ["an unclosed quote", 'server: "abc\n', "line"],
  ["an unknown anchor", "version: 1\nother: *nobody\n", ""],
  ["a list", "- a\n- b\n", "mapping"],
  ["a scalar", "hello\n", "mapping"],
  ["empty", "", "mapping"],
  ["only a comment", "# nothing\n", "mapping"],
  ["null", "~\n", "mapping"],
  ["two documents", "version: 1\n---\nversion: 2\n", "document"],
  ["not UTF-8", new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]), "UTF-8"],
];

for (const file of [SERVER, CLIENT]) {
  test.each(BROKEN)(`${file} that is %s is left as it is, and the error says why`, async (_what, text, mention) => {
    using home = await filledHome();
    writeFileSync(home.at(file), text);
    const env = { JOBLET_HOME: home.path };
    for (const args of [["--offline"], ["--offline", "--force-regenerate"], ["verify"]]) {
      await failsUnchanged(home.path, 7, args, { env }, home.at(file), mention);
    }
  });
}

test.each([
  ["version: 1\nserver:\n  port: 1\nserver:\n  port: 2\n", "server", "2 and 4"],
  [
    "a: 1\nsecurity:\n  # old script\n  serverCert: x\n  serverKey: y\n  serverCert: z\n",
    "security.serverCert",
    "4 and 6",
  ],
  ['security: {}\nx: 1\n"security": {}\n', "security", "1 and 3"],
])(
  "duplicate keys, as the old scripts could write, are named with both lines and the way out",
  async (text, key, lines) => {
    using home = await filledHome();
    writeFileSync(home.at(SERVER), text);
    const env = { JOBLET_HOME: home.path };
    for (const args of [["--offline"], ["verify"]]) {
      const { hint } = await failsUnchanged(home.path, 7, args, { env }, home.at(SERVER), key, lines);
      expect(hint).toContain("--reset-config");
    }
  },
);

test.each(BROKEN)("--reset-config is a way out of a server configuration that is %s", async (_what, text) => {
  using home = await filledHome();
  writeFileSync(home.at(SERVER), text);
  const env = { JOBLET_HOME: home.path };
  const { code, stderr } = await run(["--offline", "--reset-config"], { env });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  await succeed(["verify"], { env });
});

test("duplicate keys in rnx-config.yml are refused before anything is written", async () => {
  using home = await filledHome();
  const text = readFileSync(home.at(CLIENT), "utf8");
  writeFileSync(home.at(CLIENT), `${text}nodes: {}\n`);
  const env = { JOBLET_HOME: home.path };
  await failsUnchanged(home.path, 7, ["--offline"], { env }, home.at(CLIENT), "nodes");
});

test("an alias bomb does not hang or fill the memory", async () => {
  using home = await filledHome();
  const levels = Array.from(
    { length: 30 },
    (_, at) => `a${at}: &a${at} [${Array(9).fill(at === 0 ? "x" : `*a${at - 1}`)}]\n`,
  );
  writeFileSync(home.at(SERVER), levels.join(""));
  const { code } = await run(["verify"], { env: { JOBLET_HOME: home.path }, timeout: 10_000 });
  expect(code).toBe(7);
});
