import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { parse } from "yaml";
import { isIssuedBy } from "../../src/pki/certificates.ts";
import { run, tree } from "../support/binary.ts";
import { expectDone, Home, nodeText, TEMPLATE, warnings, withoutBlocks } from "../support/home.ts";
import { CLIENT, faults, keyLines, RECORD, SERVER, strays } from "../support/installed.ts";
import { makeClient, makeRoot, type Pair } from "../support/pki.ts";

setDefaultTimeout(60_000);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let foreign: { address: string; cert: string; key: string; ca: string };

beforeAll(async () => {
  const root: Pair = await makeRoot({ now: Date.now() });
  const client = await makeClient(root, "admin", { now: Date.now() });
  foreign = { address: "elsewhere:443", cert: client.certificate.pem, key: client.key.pem, ca: root.certificate.pem };
});

async function installed(...args: string[]): Promise<Home> {
  const home = new Home();
  await home.prepare("--address=joblet.example.com", ...args);
  return home;
}

/** Runs again and expects that of all bytes only the server's own certificate and key change. */
async function expectOnlyServerChanges(home: Home, args: readonly string[] = []): Promise<void> {
  const before = home.text(SERVER);
  const others = tree(home.at("config"));
  expectDone(await home.generate(args));
  const after = home.text(SERVER);
  expect(withoutBlocks(after, "serverCert", "serverKey")).toBe(withoutBlocks(before, "serverCert", "serverKey"));
  expect(parse(after).security.serverCert).not.toBe(parse(before).security.serverCert);
  expect(parse(after).security.serverKey).not.toBe(parse(before).security.serverKey);
  const now = tree(home.at("config"));
  for (const name of ["joblet-config.yml", "joblet-certs.json"]) {
    delete others[name];
    delete now[name];
  }
  expect(now).toEqual(others);
}

describe("the first run with Joblet's template", () => {
  let home: Home;
  let stderr: string;
  beforeAll(async () => {
    home = new Home();
    ({ stderr } = expectDone(await home.generate(["--address=joblet.example.com"])));
  });

  test("keeps the template byte for byte, fills in one nodeId and appends the security section", () => {
    const text = home.text(SERVER);
    const { nodeId } = home.server().server;
    expect(nodeId).toMatch(UUID);
    const filled = TEMPLATE.replace('nodeId: ""  #', `nodeId: "${nodeId}"  #`);
    const bare = withoutBlocks(text, "serverCert", "serverKey", "caCert");
    const section = /^security:\n +serverCert: \|\n +serverKey: \|\n +caCert: \|\n/m;
    expect(bare).toMatch(section);
    expect(bare.replace(section, "")).toBe(filled);
    const { security, ...rest } = parse(text);
    const expected = parse(TEMPLATE);
    expected.server.nodeId = nodeId;
    expect(rest).toEqual(expected);
    expect(Object.keys(security)).toEqual(["serverCert", "serverKey", "caCert"]);
  });

  test("makes a client file that works from the first minute, with the same nodeId", async () => {
    expect(Object.keys(home.nodes())).toEqual(["default"]);
    const { address, nodeId, isDefault, ca } = home.node("default");
    expect([address, nodeId, isDefault]).toEqual(["joblet.example.com:50051", home.server().server.nodeId, true]);
    expect(ca).toBe(home.server().security.caCert);
    expect(home.text(CLIENT)).toContain('address: "joblet.example.com:50051"');
    expect(faults(home.path)).toEqual([]);
    expectDone(await home.run(["verify"]));
  });

  test("leaves private files, and nothing else than what it should", () => {
    for (const name of [SERVER, CLIENT, RECORD, "ca/ca-key", "ca/client-key"]) expect(home.mode(name)).toBe("600");
    expect([home.mode("config"), home.mode("ca")]).toEqual(["755", "700"]);
    expect(strays(home.path)).toEqual(["scripts/joblet-config-template.yml"]);
  });

  test("says what the fleet's scripts look for, word for word, and never a key", () => {
    const lines = stderr.split("\n");
    for (const line of [
      "✨ CA Certificate: Generated locally (this host only)",
      "✨ Client Certificate: Generated locally (this host only)",
      "🆕 Server Certificate: Generated locally (instance-specific)",
    ]) {
      expect(lines).toContain(line);
    }
    for (const secret of keyLines(home.path)) expect(stderr).not.toContain(secret);
    for (const secret of keyLines(home.path)) expect(home.text(RECORD)).not.toContain(secret);
  });
});

test("server.port of the template and --port of a first run reach the client file", async () => {
  using https = new Home(TEMPLATE.replace("port: 50051 ", "port: 443   "));
  await https.prepare("--address=10.0.1.7");
  expect(https.node("default").address).toBe("10.0.1.7:443");
  using given = new Home();
  await given.prepare("--address=::1", "--port=8443");
  expect([given.node("default").address, given.server().server.port]).toEqual(["[::1]:8443", 8443]);
  expect(given.text(SERVER)).toContain("# what rnx dials");
});

test("a second run changes the server certificate and key, and no other byte of any file", async () => {
  using home = await installed("--roles=admin,reader");
  const ca = tree(home.at("ca"));
  const record = home.text(RECORD);
  await expectOnlyServerChanges(home);
  expect(tree(home.at("ca"))).toEqual(ca);
  expect(home.text(RECORD)).toBe(record);
  expectDone(await home.run(["verify"]));
});

describe("what people and installers did to the files survives", () => {
  test("comments, port, bind address, quoting, unknown keys and another nodeId", async () => {
    using home = await installed();
    home.edit(SERVER, "  port: 50051  ", "  port: 443 # ours\n  extra: 'quoted'   # mine\n# ");
    home.edit(SERVER, 'address: "0.0.0.0"', 'address: "[::]"');
    home.edit(SERVER, /nodeId: "[^"]*"/, "nodeId: host-17");
    home.edit(SERVER, "# end of the template", "unknown: {a: [1, 2], b: ~}\n# the end");
    home.edit(SERVER, '"/lib64"', "'/lib64'\n    # /srv too\n    - /srv");
    await expectOnlyServerChanges(home);
  });
  test("keys around ours in the security section, and their order", async () => {
    using home = await installed();
    home.edit(SERVER, "security:\n", "security: # by hand\n  minVersion: '1.3'  # keep\n");
    home.edit(SERVER, "  caCert: |\n", "  # trust\n  caCert: |\n");
    await expectOnlyServerChanges(home);
  });
  test("Windows line ends, in both files", async () => {
    using home = await installed();
    for (const name of [SERVER, CLIENT]) home.write(name, home.text(name).replaceAll("\n", "\r\n"));
    await expectOnlyServerChanges(home);
    for (const name of [SERVER, CLIENT]) expect(home.text(name)).not.toMatch(/[^\r]\n/);
    expectDone(await home.run(["verify"]));
  });
  test("addresses of nodes as somebody wrote them, with their quotes and comments", async () => {
    using home = await installed();
    home.edit(CLIENT, 'address: "joblet.example.com:50051"', "address: 'balancer.example.com:443' # the balancer");
    await expectOnlyServerChanges(home);
  });
  test("nodes of another CA, before and behind ours", async () => {
    using home = await installed();
    home.edit(CLIENT, "nodes:\n", `nodes:\n${nodeText("staging", foreign, "    color: blue # theirs\n")}`);
    home.write(CLIENT, `${home.text(CLIENT)}${nodeText("production", foreign)}`);
    await expectOnlyServerChanges(home);
    expectDone(await home.generate(["--force-regenerate", "--address=new.example.com", "--port=1234"]));
    for (const name of ["staging", "production"]) {
      expect(home.text(CLIENT)).toContain(
        nodeText(name, foreign, name === "staging" ? "    color: blue # theirs\n" : ""),
      );
    }
    expect(home.node("default").address).toBe("new.example.com:1234");
    expect(isIssuedBy(home.clientLeaf(), home.roots()[0] ?? home.serverLeaf())).toBe(true);
  });
});

describe("an address in a client file changes only when it is given in this run", () => {
  test("host and port each alone, by flag and by variable; otherwise both are kept", async () => {
    using home = await installed();
    const address = () => home.node("default").address;
    await home.prepare("--port=443");
    expect(address()).toBe("joblet.example.com:443");
    await home.prepare("--address=2001:db8::7");
    expect(address()).toBe("[2001:db8::7]:443");
    await home.prepare();
    expect(address()).toBe("[2001:db8::7]:443");
    expectDone(await home.generate([], { env: { JOBLET_SERVER_ADDRESS: "10.9.8.7", JOBLET_SERVER_PORT: "50051" } }));
    expect(address()).toBe("10.9.8.7:50051");
    expect(home.text(CLIENT)).toContain('address: "10.9.8.7:50051"');
  });
  test("what an earlier run recorded does not undo a later edit", async () => {
    using home = await installed();
    home.edit(CLIENT, "joblet.example.com:50051", "edited.example.com:50051");
    await home.prepare();
    expect(home.node("default").address).toBe("edited.example.com:50051");
  });
  test("a bind address is none to dial: the file keeps its own", async () => {
    using home = await installed();
    expectDone(await home.generate([], { env: { JOBLET_SERVER_ADDRESS: "0.0.0.0" } }));
    expect(home.node("default").address).toBe("joblet.example.com:50051");
  });
  test("--port does not touch server.port of an existing file, which people edited", async () => {
    using home = await installed();
    await home.prepare("--port=443");
    expect(home.server().server.port).toBe(50051);
  });
});

test("a home without template gets a server configuration that Joblet starts with", async () => {
  using home = new Home(null);
  await home.prepare();
  const made = parse(home.text(SERVER));
  expect([made.state.backend, made.server.port, made.server.address]).toEqual(["memory", 50051, "0.0.0.0"]);
  expect(made.server.nodeId).toMatch(UUID);
});

test("--reset-config makes the file anew but the host keeps its identity and its CA", async () => {
  using home = await installed();
  const { nodeId } = home.server().server;
  const [root] = home.roots();
  home.edit(SERVER, "state:\n", "state:\n  backend: dynamodb\n");
  const refused = await home.generate();
  expect([refused.code, refused.stderr.includes("state.backend")]).toEqual([7, true]);
  await home.prepare("--reset-config");
  expect(home.server().server.nodeId).toBe(nodeId);
  expect(home.roots()[0]?.fingerprint).toBe(root?.fingerprint ?? "");
  expect(home.text(SERVER)).toContain("# end of the template");
});

test("under the old script's name it does what the script did, without a flag", async () => {
  using home = new Home();
  const env = { JOBLET_HOME: home.path, JOBLET_SERVER_ADDRESS: "10.0.0.9", JOBLET_MODE: "package-install" };
  expectDone(await run([], { argv0: "certs_gen_embedded.sh", env }));
  expect(home.node("default").address).toBe("10.0.0.9:50051");
});

test("whatever runs out in under 30 days is said, with the date", async () => {
  using home = new Home();
  const end = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  const short = warnings(await home.prepare("--ca-days=10"));
  expect(short.some((line) => line.includes("CA") && line.includes(end))).toBe(true);
  using long = new Home();
  expect(warnings(await long.prepare())).toEqual([]);
  expect(warnings(await long.prepare("--server-days=29")).some((line) => line.includes("server"))).toBe(true);
});
