import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import {
  type NodeUpdate,
  newClientConfig,
  readClientConfig,
  updateClientConfig,
} from "../../src/config/client-config.ts";
import { ExitCode, Failure } from "../../src/errors.ts";

const PATH = "/opt/joblet/config/rnx-config.yml";
const pem = (mark: string) => `-----BEGIN CERTIFICATE-----\n${mark}\n-----END CERTIFICATE-----\n`;
const NEW = { cert: pem("NEWCERT"), key: pem("NEWKEY"), ca: pem("NEWCA") };

function update(name: string, more: Partial<NodeUpdate> = {}): NodeUpdate {
  const base = { credentials: NEW, address: "10.0.0.1:50051", nodeId: "new-id", host: undefined, port: undefined };
  return { name, ...base, ...more };
}

function node(name: string, lines: readonly string[] = [], address = '"old:50051"'): string {
  const block = (key: string) => `    ${key}: |\n      OLD-${name}-${key}\n`;
  const extra = lines.map((line) => `    ${line}\n`).join("");
  return `  ${name}:\n    address: ${address}\n${extra}${block("cert")}${block("key")}${block("ca")}`;
}

const file = (...nodes: string[]) => `version: "3.0"\nnodes:\n${nodes.join("")}`;
const read = (text: string) => readClientConfig(PATH, text);
const apply = (text: string, ...updates: NodeUpdate[]) => updateClientConfig(read(text), updates).file.text;

/** Who is the default by yaml.v3's and rnx's rules, from plain data. */
function marked(text: string): string[] {
  const { nodes } = parse(text, { version: "1.1" }) as { nodes: Record<string, { isDefault?: unknown }> };
  return Object.entries(nodes).flatMap(([name, value]) => (value.isDefault === true ? [name] : []));
}

describe("the node that rnx would pick", () => {
  const cases: readonly [string, string[], string | undefined][] = [
    ["the one that is marked, before one named default", [node("default"), node("b", ["isDefault: true"])], "b"],
    ["the one named default", [node("a"), node("default"), node("b")], "default"],
    ["the only one", [node("a")], "a"],
    ["none of two others", [node("a"), node("b")], undefined],
    ["a mark that says false is none", [node("a", ["isDefault: false"]), node("default")], "default"],
    ["a mark in quotes counts too: it says true", [node("a", ['isDefault: "true"']), node("default")], "a"],
    ["no node at all", [], undefined],
  ];
  for (const [what, nodes, expected] of cases) {
    const text = nodes.length === 0 ? 'version: "3.0"\n' : file(...nodes);
    test(what, () => expect(read(text).defaultNode).toBe(expected as string));
  }
  for (const word of ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"]) {
    test(`isDefault: ${word} is true in the YAML that Joblet reads`, () => {
      expect(read(file(node("default"), node("b", [`isDefault: ${word}`]))).defaultNode).toBe("b");
    });
  }
  for (const word of ["false", "no", "off", "n", "0", "~", '""']) {
    test(`isDefault: ${word} is not`, () => {
      expect(read(file(node("default"), node("b", [`isDefault: ${word}`]))).defaultNode).toBe("default");
    });
  }
});

describe("a second default node is never made: rnx refuses such a file", () => {
  test("a choice that somebody made stays when nodes are added", () => {
    const text = apply(file(node("prod", ["isDefault: yes"]), node("x")), update("prod"), update("reader"));
    expect(marked(text)).toEqual(["prod"]);
    expect(text.match(/isDefault/g)?.length).toBe(1);
  });
  test("the only node is marked when another is added, or it would no longer be the default", () => {
    expect(marked(apply(file(node("prod")), update("prod"), update("reader")))).toEqual(["prod"]);
  });
  test("the only node is left unmarked when nothing is added", () => {
    expect(apply(file(node("prod")), update("prod"))).not.toContain("isDefault");
  });
  test("a node named default needs no mark", () => {
    expect(read(apply(file(node("default")), update("default"), update("reader"))).defaultNode).toBe("default");
  });
  test("where there is none, default is added and marked", () => {
    const text = apply(file(node("a"), node("b")), update("default"));
    expect(marked(text)).toEqual(["default"]);
    expect(read(text).defaultNode).toBe("default");
  });
  test("a new file has exactly one, named default", () => {
    const made = newClientConfig(PATH, { address: "[::1]:50051", nodeId: "id", credentials: NEW });
    expect(parse(made.file.text)).toEqual({
      version: "3.0",
      nodes: { default: { address: "[::1]:50051", nodeId: "id", isDefault: true, ...NEW } },
    });
    expect(made.file.text).toContain('    address: "[::1]:50051"\n');
    expect([made.defaultNode, marked(made.file.text)]).toEqual(["default", ["default"]]);
  });
});

describe("nodes of others stay byte for byte", () => {
  const theirs = [
    `${node("staging", ["color: blue   # theirs"], "'x:1'")}    # between\n\n`,
    '  "quoted name": { address: "y:2", isDefault: no }\n',
  ].join("");
  for (const [where, text] of [
    ["before ours", file(theirs, node("default"))],
    ["behind ours", file(node("default"), theirs)],
  ] as const) {
    test(where, () => {
      const after = apply(text, update("default"), update("reader"));
      expect(after).toContain(theirs);
      expect(parse(after).nodes.default).toMatchObject({ address: "old:50051", ...NEW });
      expect(parse(after).nodes.reader).toEqual({ address: "10.0.0.1:50051", nodeId: "new-id", ...NEW });
    });
  }
  test("no update, no change: not even of the spelling", () => {
    const text = `# mine\r\n${file(node("default")).replaceAll("\n", "\r\n")}`;
    expect(apply(text)).toBe(text);
  });
  test("keys of ours that this program does not know, and comments, stay", () => {
    const text = apply(file(node("default", ["nodeId: mine # keep", "timeout: 5s"])), update("default"));
    expect(text).toContain("    nodeId: mine # keep\n    timeout: 5s\n");
  });
  test("the same update again changes nothing", () => {
    const once = apply(file(node("a")), update("a"), update("reader"));
    expect(apply(once, update("a"), update("reader"))).toBe(once);
  });
});

describe("an address that is there stays unless host or port is given", () => {
  const cases: readonly [old: string, Partial<NodeUpdate>, string][] = [
    ['"old:50051"', {}, "old:50051"],
    ["'old:443' # balancer", {}, "old:443"],
    ['"old:50051"', { host: "new" }, "new:50051"],
    ['"old:50051"', { port: 443 }, "old:443"],
    ['"old:50051"', { host: "new", port: 443 }, "new:443"],
    ['"[2001:db8::1]:50051"', { port: 443 }, "[2001:db8::1]:443"],
    ['"old:50051"', { host: "2001:db8::1" }, "[2001:db8::1]:50051"],
    ['"2001:db8::1"', { port: 443 }, "[2001:db8::1]:443"],
    ['"old"', { host: "new" }, "new:50051"],
    ["old:443", { port: 8443 }, "old:8443"],
    ['""', {}, "10.0.0.1:50051"],
    ["~", {}, "10.0.0.1:50051"],
  ];
  for (const [old, given, expected] of cases) {
    test(`${old}, given ${JSON.stringify(given)}: ${expected}`, () => {
      const text = apply(file(node("default", [], old)), update("default", given));
      expect(parse(text).nodes.default.address).toBe(expected);
      if (Object.keys(given).length === 0 && expected !== "10.0.0.1:50051") expect(text).toContain(`address: ${old}\n`);
      else expect(text).toContain(`address: "${expected}"`);
    });
  }
  test("a node without an address gets one", () => {
    const text = apply("nodes:\n  default:\n    nodeId: x\n", update("default"));
    expect(parse(text).nodes.default).toEqual({ nodeId: "x", address: "10.0.0.1:50051", ...NEW });
  });
});

test("a file without nodes gets them; a broken one is refused and named", () => {
  for (const text of ['version: "3.0"\n', "version: '3.0'\nnodes:\n", "nodes: {}\n", "nodes: ~ # none\n"]) {
    expect(Object.keys(parse(apply(text, update("default"))).nodes)).toEqual(["default"]);
  }
  for (const text of ["", "- a\n", "just text\n", "nodes: [\n", "a: 1\n---\nb: 2\n", "nodes:\n  a: {}\n  a: {}\n"]) {
    try {
      read(text);
      throw new Error(`accepted: ${text}`);
    } catch (error) {
      expect(error).toBeInstanceOf(Failure);
      expect([(error as Failure).exitCode, (error as Failure).message.includes(PATH)]).toEqual([ExitCode.files, true]);
    }
  }
});
