import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { readRecord, writeRecord } from "../../src/config/record.ts";
import { BUILT_IN_TEMPLATE, readServerConfig, updateServerConfig } from "../../src/config/server-config.ts";
import { ExitCode } from "../../src/errors.ts";
import { failureOf } from "../support/thrown.ts";

const PATH = "/opt/joblet/config/joblet-config.yml";
const TEMPLATE = readFileSync(join(import.meta.dir, "../fixtures/joblet-config-template.yml"), "utf8");
const pem = (mark: string) => `-----BEGIN CERTIFICATE-----\n${mark}\n-----END CERTIFICATE-----\n`;
const SECURITY = { serverCert: pem("CERT"), serverKey: pem("KEY"), caCert: pem("ROOT1") + pem("ROOT2") };
const UPDATE = { ...SECURITY, nodeId: "made-for-this-host" };

const apply = (text: string, more: { port?: number } = {}) =>
  updateServerConfig(readServerConfig(PATH, text), { ...UPDATE, ...more }).file.text;

describe("Joblet's template", () => {
  const text = apply(TEMPLATE);
  test("keeps every line but the one of nodeId, and that one keeps its comment", () => {
    const line = '  nodeId: "made-for-this-host"  # Will be generated during setup';
    const lines = text.split("\n");
    let at = 0;
    for (const wanted of TEMPLATE.split("\n")) {
      const expected = wanted.includes("nodeId:") ? line : wanted;
      const found = lines.indexOf(expected, at);
      expect(found < 0 ? `lost: ${expected}` : "").toBe("");
      at = found + 1;
    }
    expect(text.split("made-for-this-host").length).toBe(2);
  });
  test("means the same as before, and the credentials", () => {
    const expected = parse(TEMPLATE);
    expected.server.nodeId = "made-for-this-host";
    expect(parse(text)).toEqual({ ...expected, security: SECURITY });
  });
  test("keeps what installers edit line by line on lines of its own, with double quotes", () => {
    for (const line of [
      '  address: "0.0.0.0"',
      "  port: 50051",
      '    type: "local"',
      '      region: ""',
      '  backend: "memory"',
    ]) {
      expect(text.split("\n").filter((other) => other.replace(/ *#.*$/, "") === line).length).toBeGreaterThan(0);
    }
  });
  test("takes a port that is given when it is first made, without losing the comment", () => {
    expect(apply(TEMPLATE, { port: 443 })).toMatch(/^ {2}port: 443 +# what rnx dials$/m);
  });
});

describe("nodeId, which jobs and logs carry for ever", () => {
  for (const [what, server, filled] of [
    ["empty", 'nodeId: ""', true],
    ["empty, in single quotes", "nodeId: ''", true],
    ["without a value", "nodeId:", true],
    ["null", "nodeId: ~", true],
    ["missing", "port: 1", true],
    ["a number", "nodeId: 17", false],
    ["zero", "nodeId: 0", false],
    ["a UUID", 'nodeId: "8f94c5b2-1234-4678-9abc-def012345678"', false],
    ["a word without quotes", "nodeId: host-17", false],
    ["false, which is somebody's word too", "nodeId: false", false],
  ] as const) {
    test(`${what} is ${filled ? "filled" : "kept"}`, () => {
      const before = `server:\n  ${server}   # note\n  mode: x\n`;
      const after = apply(before);
      const value = parse(after).server.nodeId;
      if (filled) expect(value).toBe("made-for-this-host");
      else expect(after.startsWith(before)).toBe(true);
      expect(after).toContain("# note");
    });
  }
  test("is added with its section where there is none", () => {
    expect(parse(apply("state:\n  backend: memory\n"))).toEqual({
      state: { backend: "memory" },
      server: { nodeId: "made-for-this-host" },
      security: SECURITY,
    });
  });
});

describe("what it reads of a file", () => {
  for (const [text, port] of [
    ["server: {port: 443}", 443],
    ['server:\n  port: "443"', 443],
    ["server:\n  port: 0", undefined],
    ["server:\n  port: 70000", undefined],
    ["server:\n  port: x", undefined],
    ["other: 1", undefined],
  ] as const) {
    test(`the port of ${JSON.stringify(text)}`, () =>
      expect(readServerConfig(PATH, `${text}\n`).port).toBe(port as number));
  }
  test("credentials, as they stand there", () => {
    const { serverCert, serverKey, caCert, nodeId } = readServerConfig(PATH, apply(BUILT_IN_TEMPLATE));
    expect({ serverCert, serverKey, caCert, nodeId }).toEqual(UPDATE);
  });
  test("the same credentials again change nothing", () => {
    const once = apply(TEMPLATE);
    expect(apply(once)).toBe(once);
  });
});

describe("a file that Joblet would refuse is refused, never mended by guessing", () => {
  test("duplicate keys, as the old scripts append them: names the key and both lines", () => {
    const { exitCode, message, hint } = failureOf(() =>
      readServerConfig(PATH, "state:\n  storage:\n    a: 1\n  backend: x\n  storage:\n    b: 2\n"),
    );
    expect([exitCode, hint.includes("--reset-config")]).toEqual([ExitCode.files, true]);
    expect(message).toMatch(/state\.storage.*2 and 5/);
  });
  for (const [what, text] of [
    ["not YAML", "server: [\n"],
    ["a tab as indentation", "server:\n\tport: 1\n"],
    ["a list", "- a\n"],
    ["empty", ""],
    ["two documents", "a: 1\n---\nb: 2\n"],
  ] as const) {
    test(what, () => {
      const { exitCode, message } = failureOf(() => readServerConfig(PATH, text));
      expect([exitCode, message.startsWith(PATH)]).toEqual([ExitCode.files, true]);
    });
  }
});

describe("the record of this host", () => {
  const record = {
    version: 1 as const,
    settings: { prefix: "my-app/joblet", names: "a,b" },
    outcome: { kind: "shared" as const, generation: ["ab", "cd"] },
  };
  test("is read as it was written", () => expect(readRecord(PATH, writeRecord(record))).toEqual(record));
  const garbage: readonly [string, unknown][] = [
    ["nothing", ""],
    ["text", "hello"],
    ["a truncated file", writeRecord(record).slice(0, 40)],
    ["null", null],
    ["a list", []],
    ["an empty object", {}],
    ["another version", { ...record, version: 2 }],
    ["settings that are no texts", { ...record, settings: { port: 1 } }],
    ["settings that are a list", { ...record, settings: ["mode"] }],
    ["no outcome", { version: 1, settings: {} }],
    ["an unknown outcome", { ...record, outcome: { kind: "other", generation: [] } }],
    ["a generation that is no list", { ...record, outcome: { kind: "shared", generation: "ab" } }],
    ["a generation of other things", { ...record, outcome: { kind: "shared", generation: [1] } }],
  ];
  for (const [what, value] of garbage) {
    test(`${what} is an error that names the file, or a host would forget its fleet`, () => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      const { exitCode, message } = failureOf(() => readRecord("/opt/joblet-certs.json", text));
      expect([exitCode, message.includes("/opt/joblet-certs.json")]).toEqual([ExitCode.files, true]);
    });
  }
});
