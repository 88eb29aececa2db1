import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectDone, Home, nodeText } from "../support/home.ts";
import { CLIENT, RECORD } from "../support/installed.ts";
import { makeClient, makeKey, makeRoot } from "../support/pki.ts";

setDefaultTimeout(60_000);

const units = (home: Home, file = CLIENT) =>
  Object.fromEntries(Object.keys(home.nodes(file)).map((name) => [name, home.clientLeaf(name, file).units[0]]));

const defaults = (home: Home, file = CLIENT) =>
  Object.entries(home.nodes(file)).flatMap(([name, node]) => (node.isDefault ? [name] : []));

async function foreignNode() {
  const root = await makeRoot({ now: Date.now() });
  const client = await makeClient(root, "admin", { now: Date.now() });
  return { address: "elsewhere:443", cert: client.certificate.pem, key: client.key.pem, ca: root.certificate.pem };
}

describe("several roles", () => {
  test("a node each beside default, and a file each that holds only its own", async () => {
    using home = new Home();
    await home.prepare("--roles=admin,reader,developer");
    expect(units(home)).toEqual({ default: "admin", admin: "admin", reader: "reader", developer: "developer" });
    expect(defaults(home)).toEqual(["default"]);
    for (const role of ["admin", "reader", "developer"]) {
      const file = `config/rnx-config-${role}.yml`;
      expect(units(home, file)).toEqual({ default: role });
      expect([defaults(home, file), home.mode(file)]).toEqual([["default"], "600"]);
    }
    expectDone(await home.run(["verify"]));
  });
  test("are remembered: a later run without the flag keeps every file", async () => {
    using home = new Home();
    await home.prepare("--roles=admin,reader");
    const files = [CLIENT, "config/rnx-config-admin.yml", "config/rnx-config-reader.yml"];
    const before = files.map((file) => home.text(file));
    await home.prepare();
    expect(files.map((file) => home.text(file))).toEqual(before);
  });
  test("are found in the file where there is no record: nobody is cut off", async () => {
    using home = new Home();
    await home.prepare("--roles=admin,viewer");
    const record = JSON.parse(home.text(RECORD));
    delete record.settings.roles;
    home.write(RECORD, JSON.stringify(record));
    await home.prepare("--force-regenerate");
    expect(units(home)).toEqual({ default: "admin", admin: "admin", viewer: "viewer" });
    expect(home.clientLeaf("viewer").issuer).toBe(home.roots()[0]?.subject ?? "");
  });
  test("one that is added later leaves what was handed out as it is", async () => {
    using home = new Home();
    await home.prepare();
    const before = home.node("default");
    await home.prepare("--roles=admin,maintainer");
    expect(home.node("default")).toEqual(before);
    expect(units(home)).toEqual({ default: "admin", admin: "admin", maintainer: "maintainer" });
  });
  test("a role without admin is the default of its host, and only its own", async () => {
    using home = new Home();
    await home.prepare("--roles=reader");
    expect(units(home)).toEqual({ default: "reader" });
  });
  test("an unknown role is refused before anything is made", async () => {
    using home = new Home();
    const { code, stderr } = await home.generate(["--roles=admin,root"]);
    expect(code).toBe(2);
    expect(stderr).toContain('"root"');
    expect(() => home.text(CLIENT)).toThrow();
  });
});

test("verify blames the node whose key does not fit, and no other, and shows no source", async () => {
  using home = new Home();
  await home.prepare("--roles=admin,reader");
  const other = await makeKey();
  const block = (pem: string) => pem.trimEnd().replace(/^/gm, "      ");
  home.edit(CLIENT, block(home.node("reader").key), block(other.pem));
  const { code, stdout, stderr } = await home.run(["verify", "--json"]);
  const { checks } = JSON.parse(stdout) as { checks: { what: string; ok: boolean }[] };
  expect(code).toBe(3);
  expect(checks.filter(({ ok }) => !ok).map(({ what }) => what)).toEqual([expect.stringContaining("node reader of")]);
  expect(stderr.split("\n").filter((line) => !/^(?:✅|❌|\d+ of \d+|$)/.test(line))).toEqual([]);
});

describe("the node that rnx picks by default", () => {
  test("stays the one that somebody marked, and there is never a second", async () => {
    using home = new Home();
    await home.prepare();
    home.edit(CLIENT, "  default:\n", "  production:\n");
    home.edit(CLIENT, "isDefault: true", "isDefault: yes # by hand");
    await home.prepare("--roles=admin,reader");
    expect(home.text(CLIENT)).toContain("isDefault: yes # by hand");
    expect(home.text(CLIENT).match(/isDefault/g)?.length).toBe(1);
    expect(units(home)).toMatchObject({ production: "admin", reader: "reader" });
  });
  test("stays the only one, also when nodes come beside it", async () => {
    using home = new Home();
    await home.prepare();
    home.edit(CLIENT, "  default:\n", "  build:\n");
    home.edit(CLIENT, /^ *isDefault: true\n/m, "");
    await home.prepare("--roles=admin,reader");
    expect(defaults(home)).toEqual(["build"]);
    expect(home.clientLeaf("build").issuer).toBe(home.roots()[0]?.subject ?? "");
  });
  test("is added where a file has only nodes of others and no default", async () => {
    using home = new Home();
    const theirs = await foreignNode();
    const text = `version: "3.0"\nnodes:\n${nodeText("one", theirs)}${nodeText("two", theirs)}`;
    home.write(CLIENT, text);
    await home.prepare("--address=10.1.1.1");
    expect(home.text(CLIENT).startsWith(text)).toBe(true);
    expect(defaults(home)).toEqual(["default"]);
    expect([home.clientLeaf().units[0], home.node("default").address]).toEqual(["admin", "10.1.1.1:50051"]);
  });
  test("gets our credentials even when another CA issued the old ones", async () => {
    using home = new Home();
    const theirs = await foreignNode();
    home.write(CLIENT, `version: "3.0"\nnodes:\n${nodeText("default", theirs)}${nodeText("other", theirs)}`);
    await home.prepare();
    expect(home.clientLeaf().issuer).toBe(home.roots()[0]?.subject ?? "");
    expect(home.node("other").cert).toBe(theirs.cert);
    expect(home.node("default").address).toBe("elsewhere:443");
  });
  test("a node of our CA that is not the default gets new credentials too, for its own role", async () => {
    using home = new Home();
    await home.prepare("--roles=admin,reader");
    home.edit(CLIENT, "  reader:\n", "  dashboards:\n");
    await home.prepare("--force-regenerate");
    expect(units(home)).toMatchObject({ default: "admin", dashboards: "reader" });
    expect(home.clientLeaf("dashboards").issuer).toBe(home.roots()[0]?.subject ?? "");
  });
});
