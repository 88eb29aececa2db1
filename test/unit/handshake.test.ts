import { beforeAll, expect, test } from "bun:test";
import { handshakes } from "../../src/tls/handshake.ts";
import { makeClient, makeCross, makeRoot, makeServer, type Pair } from "../support/pki.ts";

const now = Date.now();
let root: Pair;
let server: { cert: string; key: string; ca: string };
let good: { cert: string; key: string; ca: string };

const side = ({ key, certificate }: Pair, ca: string, chain = "") => ({
  cert: certificate.pem + chain,
  key: key.pem,
  ca,
});

beforeAll(async () => {
  root = await makeRoot({ now });
  server = side(await makeServer(root, undefined, { now }), root.certificate.pem);
  good = side(await makeClient(root, "admin", { now }), root.certificate.pem);
});

test("a client that fits is let in; nobody without a certificate, of another CA, or with a server's one is", async () => {
  const stranger = await makeRoot({ now });
  const results = await handshakes(server, [
    good,
    { ca: good.ca },
    side(await makeClient(stranger, "admin", { now }), good.ca),
    side(await makeServer(root, undefined, { now }), good.ca),
    { ...good, ca: stranger.certificate.pem },
  ]);
  expect(results.map(({ ok }) => ok)).toEqual([true, false, false, false, false]);
  for (const { ok, problem } of results) if (!ok) expect(problem?.length).toBeGreaterThan(3);
});

test("a server with the key of another certificate is a failed check, not a crash", async () => {
  const [result] = await handshakes({ ...server, key: good.key }, [good]);
  expect(result?.ok).toBe(false);
});

test("a server without the name that rnx pins is refused", async () => {
  const unnamed = side(await makeServer(root, [{ type: "dns", value: "other" }], { now }), root.certificate.pem);
  expect((await handshakes(unnamed, [good]))[0]?.ok).toBe(false);
});

test("during an overlap every old and new server works with every old and new client", async () => {
  const heir = await makeRoot({ now });
  const cross = (await makeCross(heir, root, { now })).pem;
  const both = heir.certificate.pem + root.certificate.pem;
  const fresh = side(await makeServer(heir, undefined, { now }), both, cross);
  const freshClient = side(await makeClient(heir, "admin", { now }), both, cross);
  for (const one of [server, fresh]) {
    const results = await handshakes(one, [good, freshClient]);
    expect(results.map(({ ok, problem }) => (ok ? "" : problem))).toEqual(["", ""]);
  }
});

test("text that is no PEM fails the check of that client alone", async () => {
  const results = await handshakes(server, [{ ...good, cert: "x" }, good]);
  expect(results.map(({ ok }) => ok)).toEqual([false, true]);
});

test("one client with the key of another certificate does not make the others fail", async () => {
  const results = await handshakes(server, [good, { ...good, key: server.key }, good]);
  expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
});
