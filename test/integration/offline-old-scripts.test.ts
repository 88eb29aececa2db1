import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { tree } from "../support/binary.ts";
import { blockOf, expectDone, Home, TEMPLATE, warnings } from "../support/home.ts";
import { CLIENT, faults, RECORD, SERVER } from "../support/installed.ts";
import { makeOldSet, type OldSet } from "../support/openssl.ts";

setDefaultTimeout(120_000);

const NODE_ID = "8f94c5b2-1234-4678-9abc-def012345678";

let valid: OldSet;
let expired: OldSet;

beforeAll(() => {
  valid = makeOldSet();
  expired = makeOldSet({ expiredServer: true, caBits: 2048 });
});

/** A host as the scripts left it that this program replaces: both files, and no CA key anywhere. */
function oldHost({ caCert, serverCert, serverKey, clientCert, clientKey }: OldSet): Home {
  const home = new Home();
  const block = (label: string, pem: string, indent: number) =>
    `${" ".repeat(indent)}${label}: |\n${blockOf(pem, indent + 2)}\n`;
  const security = [block("serverCert", serverCert, 2), block("serverKey", serverKey, 2), block("caCert", caCert, 2)];
  const template = TEMPLATE.replace('nodeId: ""', `nodeId: "${NODE_ID}"`);
  home.write(SERVER, `${template}\nsecurity:\n${security.join("")}`);
  const node = [block("cert", clientCert, 4), block("key", clientKey, 4), block("ca", caCert, 4)];
  home.write(
    CLIENT,
    `version: "3.0"\n\nnodes:\n  default:\n    address: "10.0.1.7:443"\n    nodeId: "${NODE_ID}"\n${node.join("")}`,
    0o644,
  );
  return home;
}

/** File by file what a run must not have changed. */
const filesOf = (home: Home) => [SERVER, CLIENT].map((name) => [home.text(name), home.mode(name)]);

describe("an installation by the old scripts that is still valid", () => {
  test("is kept byte for byte with exit 0: a package upgrade must not cut clients off", async () => {
    using home = oldHost(valid);
    const before = tree(home.at("config"));
    const result = expectDone(await home.run([], { argv0: "certs_gen_embedded.sh" }));
    expect(warnings(result).join("\n")).toContain("kept");
    const after = tree(home.at("config"));
    for (const name of ["joblet-config.yml", "rnx-config.yml"]) expect(after[name]).toEqual(before[name] as never);
    expect(existsSync(home.at("ca"))).toBe(false);
    expectDone(await home.run(["verify"]));
  });
  test("says which name and which role it cannot add, and keeps the files all the same", async () => {
    using home = oldHost(valid);
    const before = filesOf(home);
    const result = expectDone(await home.generate(["--names=extra.example.com", "--roles=admin,reader"]));
    const said = warnings(result).join("\n");
    expect(said).toContain("extra.example.com");
    expect(said).toContain("reader");
    expect(filesOf(home)).toEqual(before);
  });
  test("says nothing of names and roles that are there", async () => {
    using home = oldHost(valid);
    const result = expectDone(await home.generate(["--names=localhost", "--roles=admin"]));
    expect(warnings(result).length).toBe(1);
  });
  test("--json tells a program that it was kept", async () => {
    using home = oldHost(valid);
    const { stdout } = expectDone(await home.generate(["--json"]));
    expect(JSON.parse(stdout).result).toBe("kept");
  });
});

describe("FORCE_REGENERATE=true over an installation by the old scripts", () => {
  test("replaces it, and keeps what was there as .previous, for the owner alone", async () => {
    using home = oldHost(valid);
    const before = { [SERVER]: home.text(SERVER), [CLIENT]: home.text(CLIENT) };
    const result = expectDone(await home.generate([], { env: { FORCE_REGENERATE: "true" } }));
    for (const [name, text] of Object.entries(before)) {
      expect(home.text(`${name}.previous`)).toBe(text);
      expect(home.mode(`${name}.previous`)).toBe("600");
    }
    expect(warnings(result).join("\n")).toMatch(/client files/);
    expect([home.server().server.nodeId, home.node("default").address]).toEqual([NODE_ID, "10.0.1.7:443"]);
    expect(home.roots().map(({ subject }) => subject)).toEqual([
      expect.stringMatching(/^O=Joblet, OU=CA, CN=Joblet-CA /),
    ]);
    expect(faults(home.path)).toEqual([]);
    expectDone(await home.run(["verify"]));
  });
  test("again: the record is kept too, and of everything the generation before", async () => {
    using home = oldHost(valid);
    await home.prepare("--force-regenerate", "--roles=admin,reader");
    const names = [SERVER, CLIENT, RECORD, "config/rnx-config-admin.yml", "config/rnx-config-reader.yml"];
    const before = names.map((name) => home.text(name));
    await home.prepare("--force-regenerate");
    expect(names.map((name) => home.text(`${name}.previous`))).toEqual(before);
    expect(names.map((name) => home.mode(`${name}.previous`))).toEqual(names.map(() => "600"));
  });
});

describe("an installation by the old scripts that no longer works", () => {
  test("an expired server certificate: everything is made anew, and it says that client files change", async () => {
    using home = oldHost(expired);
    const before = home.text(SERVER);
    const result = expectDone(await home.generate());
    expect(warnings(result).join("\n")).toMatch(/expired[\s\S]*client files/);
    expect(home.text(`${SERVER}.previous`)).toBe(before);
    expect(home.text(SERVER)).not.toContain(blockOf(expired.serverCert, 4));
    expectDone(await home.run(["verify"]));
  });
  test("a key of another certificate", async () => {
    using home = oldHost({ ...valid, serverKey: expired.serverKey });
    expect((await home.run(["verify"])).code).toBe(3);
    const result = expectDone(await home.generate());
    expect(warnings(result).join("\n")).toMatch(/does not fit/);
    expectDone(await home.run(["verify"]));
  });
  test("a client certificate of another CA", async () => {
    using home = oldHost({ ...valid, clientCert: expired.clientCert, clientKey: expired.clientKey });
    expectDone(await home.generate());
    expectDone(await home.run(["verify"]));
  });
});

test("the old scripts' CA key, put into ca/ as they wrote it, goes on issuing: no client file changes", async () => {
  using home = oldHost(valid);
  home.write("ca/ca-key", valid.caKey);
  home.write("ca/ca-cert", valid.caCert);
  home.write("ca/client-key", valid.clientKey);
  home.write("ca/client-cert", valid.clientCert);
  const before = home.clientLeaf();
  expectDone(await home.generate(["--names=extra.example.com"], { env: { PATH: "/usr/bin:/bin" } }));
  expect(home.clientLeaf().fingerprint).toBe(before.fingerprint);
  expect(home.serverLeaf().dnsNames).toContain("extra.example.com");
  expect(home.text("ca/ca-key")).toBe(valid.caKey);
  expectDone(await home.run(["verify"]));
});
