import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  ADDRESS,
  clientFileOf,
  fileOf,
  goHandshake,
  homeWith,
  KEY_TYPES,
  type Node,
  readNodes,
  type Side,
  serverFileOf,
} from "../support/interop.ts";
import { CLIENT_LEAF, SERVER_LEAF, signClient, signLeaf } from "../support/openssl.ts";

setDefaultTimeout(60_000);

const EC = "ec-p256";

/** Credentials as the only node of a client file. */
function onlyNode(side: Side): string {
  return clientFileOf({ default: { ...side, address: `${ADDRESS}:50051`, isDefault: true } });
}

function refused(by: "server" | "client", why: RegExp) {
  return expect.objectContaining({ ok: false, role: "", refusedBy: by, error: expect.stringMatching(why) });
}

test.each(KEY_TYPES)(
  "%s: Go completes the handshake as every node of every client file, with that node's role",
  async (type) => {
    const home = await homeWith(type);
    const admitted = { ok: true, error: "", refusedBy: "", address: `${ADDRESS}:50051` };
    for (const name of Object.keys(home.nodes())) {
      const result = await goHandshake(home.serverFile, home.clientFile, "--node", name);
      expect(result).toEqual({ ...admitted, node: name, role: name === "default" ? "admin" : name });
    }
    // What is handed out: one node, named default. Older releases and the Python client know no other name.
    for (const role of home.roles) {
      const file = home.at(`config/rnx-config-${role}.yml`);
      expect(Object.keys(readNodes(file))).toEqual(["default"]);
      expect(await goHandshake(home.serverFile, file)).toEqual({ ...admitted, node: "default", role });
    }
  },
);

test("rnx takes the node default of the generated file when it is told none", async () => {
  const home = await homeWith(EC);
  const marked = Object.entries(home.nodes()).filter(([, node]) => node.isDefault);
  expect(marked.map(([name]) => name)).toEqual(["default"]);
  expect(await goHandshake(home.serverFile, home.clientFile)).toMatchObject({
    ok: true,
    node: "default",
    role: "admin",
  });
});

test("the peer chooses the default node as rnx does, or the tests that rely on it prove nothing", async () => {
  const home = await homeWith(EC);
  const { admin, reader } = home.nodes() as { admin: Node; reader: Node };
  const choose = (nodes: Record<string, Node>) => goHandshake(home.serverFile, clientFileOf(nodes));
  expect(await choose({ default: admin, other: { ...reader, isDefault: true } })).toMatchObject({ node: "other" });
  expect(await choose({ default: reader, other: admin })).toMatchObject({ node: "default", role: "reader" });
  expect(await choose({ lonely: reader })).toMatchObject({ node: "lonely", role: "reader" });
  expect(await choose({ one: admin, two: reader })).toMatchObject({
    ok: false,
    error: expect.stringContaining("one, two"),
  });
  const twice = { one: { ...admin, isDefault: true }, two: { ...reader, isDefault: true } };
  expect(await choose(twice)).toMatchObject({ ok: false, error: expect.stringContaining("several nodes") });
});

test("the Python client, which checks the host that it dials, is let in by every advertised name and no other", async () => {
  const home = await homeWith(EC);
  const asPython = (...args: string[]) => goHandshake(home.serverFile, home.clientFile, "--python-like", ...args);
  expect(await asPython()).toMatchObject({ ok: true, role: "admin", node: "default" });
  const names = ["localhost", "127.0.0.1", "::1", ADDRESS, "host7.fleet.example.com", "192.0.2.7", "[2001:db8::7]"];
  for (const host of names) expect([host, await asPython("--host", host)]).toMatchObject([host, { ok: true }]);
  const notIssued = /^tls: failed to verify certificate: x509: certificate is valid for .*, not /;
  for (const host of ["example.com", "a.b.fleet.example.com", "192.0.2.8", "2001:db8::8"]) {
    expect([host, await asPython("--host", host)]).toEqual([host, refused("client", notIssued)]);
  }
});

test("a client that expects another server name turns the server away", async () => {
  const home = await homeWith(EC);
  const result = await goHandshake(home.serverFile, home.clientFile, "--server-name", "other");
  expect(result).toEqual(
    refused("client", /^tls: failed to verify certificate: x509: certificate is valid for joblet, .*, not other$/),
  );
});

test.each(KEY_TYPES)("%s: a client without a certificate is turned away", async (type) => {
  const home = await homeWith(type);
  const result = await goHandshake(home.serverFile, home.clientFile, "--no-client-cert");
  expect(result).toEqual(refused("server", /^tls: client didn't provide a certificate$/));
});

test.each(KEY_TYPES)("%s: a client certificate of another CA of the same kind is turned away", async (type) => {
  // With RSA-4096 the other one is EC: a second such home costs seconds and shows nothing more.
  const [home, other] = [await homeWith(type), await homeWith(type === "rsa-4096" ? EC : type, "second")];
  const stranger = onlyNode({ ...other.node("admin"), ca: home.server().ca });
  // Go's own client does not even send a certificate that the server did not ask for; an attacker's does.
  expect(await goHandshake(home.serverFile, stranger)).toEqual(
    refused("server", /^tls: client didn't provide a certificate$/),
  );
  expect(await goHandshake(home.serverFile, stranger, "--force-client-cert")).toEqual(
    refused("server", /x509: certificate signed by unknown authority/),
  );
});

test.each(KEY_TYPES)("%s: a server of another CA is turned away", async (type) => {
  const [home, other] = [await homeWith(type), await homeWith(type === "rsa-4096" ? EC : type, "second")];
  const result = await goHandshake(other.serverFile, home.clientFile);
  expect(result).toEqual(refused("client", /x509: certificate signed by unknown authority/));
});

test.each(KEY_TYPES)("%s: a stolen server certificate makes no client, a client's makes no server", async (type) => {
  const home = await homeWith(type);
  const wrongUsage = /x509: certificate specifies an incompatible key usage/;
  const serverAsClient = onlyNode(home.server());
  expect(await goHandshake(home.serverFile, serverAsClient)).toEqual(refused("server", wrongUsage));

  const clientAsServer = serverFileOf(home.node("reader"));
  // The name of a client is no server name, which Go checks first: with any, it still must not pass.
  expect(await goHandshake(clientAsServer, home.clientFile)).toEqual(refused("client", /x509: /));
  const named = signLeaf(
    { ...CLIENT_LEAF, extensions: `${CLIENT_LEAF.extensions}subjectAltName=DNS:joblet\n` },
    { key: home.stored("ca-key"), cert: home.stored("ca-cert") },
    home.node("reader").key,
    [-1, 1],
  );
  const namedAsServer = serverFileOf({ ...home.node("reader"), cert: named });
  expect(await goHandshake(namedAsServer, home.clientFile)).toEqual(refused("client", wrongUsage));
});

test("an expired client is turned away, and for no other reason", async () => {
  const home = await homeWith(EC);
  const ca = { key: home.stored("ca-key"), cert: home.stored("ca-cert") };
  const { key } = home.node("admin");
  const clientValid = (days: readonly [number, number]) =>
    onlyNode({ cert: signClient(ca, key, days), key, ca: ca.cert });
  expect(await goHandshake(home.serverFile, clientValid([-9, 1]))).toMatchObject({ ok: true, role: "admin" });
  expect(await goHandshake(home.serverFile, clientValid([-9, -1]))).toEqual(
    refused("server", /x509: certificate has expired or is not yet valid: current time \S+ is after/),
  );
  expect(await goHandshake(home.serverFile, clientValid([1, 9]))).toEqual(
    refused("server", /x509: certificate has expired or is not yet valid: current time \S+ is before/),
  );
});

test("an expired server is turned away, and for no other reason", async () => {
  const home = await homeWith(EC);
  const ca = { key: home.stored("ca-key"), cert: home.stored("ca-cert") };
  const { key } = home.server();
  const serverValid = (days: readonly [number, number]) =>
    serverFileOf({ cert: signLeaf(SERVER_LEAF, ca, key, days), key, ca: ca.cert });
  expect(await goHandshake(serverValid([-9, 1]), home.clientFile)).toMatchObject({ ok: true, role: "admin" });
  expect(await goHandshake(serverValid([-9, -1]), home.clientFile)).toEqual(
    refused("client", /x509: certificate has expired or is not yet valid: current time \S+ is after/),
  );
});

test("a server file with a key of another certificate, or with a key twice, does not load: Joblet would not start", async () => {
  const home = await homeWith(EC);
  const mixed = serverFileOf({ ...home.server(), key: home.node("admin").key });
  expect(await goHandshake(mixed, home.clientFile)).toMatchObject({
    ok: false,
    error: "server file: tls: private key does not match public key",
  });
  const doubled = fileOf(`${readFileSync(home.serverFile, "utf8")}\nsecurity: {}\n`, "joblet-config.yml");
  expect(await goHandshake(doubled, home.clientFile)).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^server file: yaml: .*mapping key "security" already defined/s),
  });
});
