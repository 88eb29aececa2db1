import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { parse } from "yaml";
import { parsePrivateKey } from "../../src/pki/keys.ts";
import { needRoot, needTool, type RunOptions, tempDir, tree } from "../support/binary.ts";
import { expectDone, firstOf, Home, nodeText, warnings } from "../support/home.ts";
import { CLIENT, fitTogether, keyLines, RECORD, SERVER } from "../support/installed.ts";
import { signClient } from "../support/openssl.ts";
import { makeClient, makeRoot } from "../support/pki.ts";

setDefaultTimeout(60_000);

describe("--discard-ca-key", () => {
  test("leaves no key of the CA on the host, and later runs keep the files", async () => {
    using home = new Home();
    await home.prepare("--discard-ca-key", "--address=10.0.0.1");
    expect(existsSync(home.at("ca"))).toBe(false);
    expectDone(await home.run(["verify"]));
    const before = tree(home.path);
    const result = expectDone(await home.generate(["--names=late.example.com"]));
    expect(tree(home.path)).toEqual(before);
    expect(warnings(result).join("\n")).toMatch(/late\.example\.com[\s\S]*kept/);
  });
  test("is refused for a directory that other hosts may use", async () => {
    using home = new Home();
    using shared = tempDir();
    expect((await home.run([`--ca-dir=${shared.path}`, "--discard-ca-key"])).code).toBe(2);
  });
});

describe("the host remembers what was given once", () => {
  test("names, key type, roles and days; what is given later wins", async () => {
    using home = new Home();
    await home.prepare(
      "--names=a.example.com,10.1.2.3",
      "--key-type=ec-p384",
      "--roles=admin,reader",
      "--server-days=100",
    );
    const days = () => Math.round((home.serverLeaf().notAfter - Date.now()) / 86_400_000);
    const curve = () => parsePrivateKey(home.server().security.serverKey).algorithm.key.namedCurve;
    await home.prepare();
    expect([home.serverLeaf().dnsNames, home.serverLeaf().ipAddresses]).toEqual([
      expect.arrayContaining(["a.example.com"]),
      expect.arrayContaining(["10.1.2.3"]),
    ]);
    expect([curve(), days(), Object.keys(home.nodes())]).toEqual(["P-384", 100, ["default", "admin", "reader"]]);
    await home.prepare("--names=b.example.com", "--key-type=ec-p256", "--server-days=50");
    expect(home.serverLeaf().dnsNames).not.toContain("a.example.com");
    expect([curve(), days()]).toEqual(["P-256", 50]);
    await home.prepare();
    expect([home.serverLeaf().dnsNames.includes("b.example.com"), days()]).toEqual([true, 50]);
  });
  test("in a file without secrets, that does not hold what was only detected", async () => {
    using home = new Home();
    await home.prepare("--client-days=30");
    const text = home.text(RECORD);
    const record = JSON.parse(text);
    expect(record.outcome.kind).toBe("embedded");
    expect(record.settings).toEqual({ mode: "false", clientDays: "30" });
    expect(home.mode("config/joblet-certs.json")).toBe("600");
    for (const line of keyLines(home.path)) expect(text).not.toContain(line);
  });
  test("a run that fails leaves the record as it was", async () => {
    using home = new Home();
    await home.prepare();
    const before = tree(home.path);
    expect((await home.generate(["--names=x.example.com", "--server-days=0"])).code).toBe(2);
    expect(tree(home.path)).toEqual(before);
  });
  test("a record that is damaged is an error that names it, not a second CA", async () => {
    using home = new Home();
    await home.prepare();
    home.write(RECORD, "{}");
    const before = tree(home.path);
    const { code, stderr } = await home.generate();
    expect([code, stderr.includes("joblet-certs.json")]).toEqual([7, true]);
    expect(tree(home.path)).toEqual(before);
  });
});

describe("hosts that share a directory", () => {
  const together = (one: Home, two: Home) => [
    fitTogether(one.at(SERVER), two.at(CLIENT)),
    fitTogether(two.at(SERVER), one.at(CLIENT)),
  ];
  test("end with one CA, and each client works with each server", async () => {
    using shared = tempDir();
    using one = new Home();
    using two = new Home();
    for (const home of [one, two]) expectDone(await home.run([`--ca-dir=${shared.at("set")}`]));
    expect(together(one, two)).toEqual([true, true]);
    expect(one.server().security.caCert).toBe(two.server().security.caCert);
    expect(one.node("default").key).toBe(two.node("default").key);
    expect([existsSync(one.at("ca")), existsSync(two.at("ca"))]).toEqual([false, false]);
    expectDone(await two.run([]));
    expect(together(one, two)).toEqual([true, true]);
  });
  test("is never removed by a --discard-ca-key that was remembered, or given later", async () => {
    using home = new Home();
    using shared = tempDir();
    expectDone(await home.generate(["--discard-ca-key"]));
    expectDone(await home.run([`--ca-dir=${shared.at("set")}`, "--force-regenerate"]));
    expect(existsSync(shared.at("set", "ca-key"))).toBe(true);
    expectDone(await home.run([]));
    expect(existsSync(shared.at("set", "ca-key"))).toBe(true);
    const before = tree(shared.path);
    const result = await home.run(["--discard-ca-key"]);
    expect({ code: result.code, error: result.stderr.includes(shared.at("set")) }).toEqual({ code: 2, error: true });
    expect(tree(shared.path)).toEqual(before);
  });
  test("also when they all start in the same moment", async () => {
    for (let round = 0; round < 2; round++) {
      using shared = tempDir();
      const homes = Array.from({ length: 6 }, () => new Home());
      try {
        const results = await Promise.all(homes.map((home) => home.run([`--ca-dir=${shared.at("set")}`])));
        expect(results.map(({ code, stderr }) => (code === 0 ? "" : stderr))).toEqual(homes.map(() => ""));
        expect(new Set(homes.map((home) => home.server().security.caCert)).size).toBe(1);
        expect(new Set(homes.map((home) => home.node("default").cert)).size).toBe(1);
      } finally {
        for (const home of homes) home[Symbol.dispose]();
      }
    }
  });
});

describe("a set that somebody put into ca/", () => {
  async function seeded(values: Record<string, string>): Promise<Home> {
    const home = new Home();
    mkdirSync(home.at("ca"), { mode: 0o700 });
    for (const [name, value] of Object.entries(values)) home.write(`ca/${name}`, value);
    return home;
  }
  test("a root without its key: hosts go on trusting it behind a root of their own", async () => {
    const imported = await makeRoot({ now: Date.now() });
    using home = await seeded({ "ca-cert": imported.certificate.pem });
    await home.prepare();
    const prints = home.roots().map(({ fingerprint }) => fingerprint);
    expect([prints.length, prints[1]]).toEqual([2, imported.certificate.fingerprint]);
    await home.prepare();
    expect(home.roots().map(({ fingerprint }) => fingerprint)).toEqual(prints);
  });
  test("an RSA key in PKCS#1, with its root: it issues, and keeps its bytes", async () => {
    const root = await makeRoot({ now: Date.now(), keyType: "rsa-2048" });
    const pkcs1 = String(createPrivateKey(root.key.pem).export({ format: "pem", type: "pkcs1" }));
    using home = await seeded({ "ca-key": pkcs1, "ca-cert": root.certificate.pem });
    await home.prepare();
    expect(home.text("ca/ca-key")).toBe(pkcs1);
    expect(home.roots().map(({ fingerprint }) => fingerprint)).toEqual([root.certificate.fingerprint]);
    expectDone(await home.run(["verify"]));
  });
  test("an expired client certificate is reissued for the same key", async () => {
    const root = await makeRoot({ now: Date.now() - 5 * 86_400_000 });
    const client = await makeClient(root);
    const expired = signClient({ key: root.key.pem, cert: root.certificate.pem }, client.key.pem, [-4, -1]);
    using home = await seeded({
      "ca-key": root.key.pem,
      "ca-cert": root.certificate.pem,
      "client-key": client.key.pem,
      "client-cert": expired,
    });
    await home.prepare();
    const leaf = firstOf(home.text("ca/client-cert"));
    expect([leaf.keyId, leaf.notAfter > Date.now()]).toEqual([client.key.id, true]);
    expect(home.clientLeaf().fingerprint).toBe(leaf.fingerprint);
  });
  test("a key that fits no root is an error, and nothing is touched", async () => {
    const [one, two] = [await makeRoot({ now: Date.now() }), await makeRoot({ now: Date.now() })];
    using home = await seeded({ "ca-key": one.key.pem, "ca-cert": two.certificate.pem });
    const before = tree(home.at("ca"));
    const { code, stderr } = await home.generate();
    expect([code, stderr.includes(home.at("ca/ca-key"))]).toEqual([6, true]);
    expect(tree(home.at("ca"))).toEqual(before);
    expect(existsSync(home.at(SERVER))).toBe(false);
  });
  test("a directory that others may write to is refused", async () => {
    using home = await seeded({});
    chmodSync(home.at("ca"), 0o777);
    expect((await home.generate()).code).toBe(7);
  });
});

describe("the copy that rnx finds first, in /etc/joblet", () => {
  const NAME = "etc/joblet/rnx-config.yml";
  /** Runs with the home's own `etc` in the place of /etc, in a mount namespace that ends with the run. */
  const inside = (home: Home): RunOptions => {
    needRoot("mount namespaces");
    needTool("unshare", "util-linux");
    return { wrapper: ["unshare", "-m", "sh", "-euc", 'mount --bind "$0" /etc; exec "$@"', home.at("etc")] };
  };

  test("is refreshed when it is ours, with its mode, and a mode that others can read is said", async () => {
    using home = new Home();
    await home.prepare("--address=10.0.0.1");
    home.write(NAME, home.text(CLIENT).replace("10.0.0.1", "balancer"), 0o644);
    const result = expectDone(await home.generate(["--force-regenerate"], inside(home)));
    expect(home.text(NAME)).toBe(home.text(CLIENT).replace("10.0.0.1", "balancer"));
    expect(home.mode(NAME)).toBe("644");
    expect(warnings(result).filter((line) => line.includes("/etc/joblet/rnx-config.yml")).length).toBe(1);
  });
  test("of another fleet stays byte for byte, even its default node", async () => {
    const root = await makeRoot({ now: Date.now() });
    const client = await makeClient(root, "admin", { now: Date.now() });
    const theirs = { address: "x:1", cert: client.certificate.pem, key: client.key.pem, ca: root.certificate.pem };
    using home = new Home();
    home.write(NAME, `version: "3.0"\nnodes:\n${nodeText("default", theirs)}`, 0o644);
    const before = tree(home.at("etc"));
    for (const args of [[], ["--force-regenerate", "--address=y", "--port=2"]]) {
      expectDone(await home.generate(args, inside(home)));
    }
    expect(tree(home.at("etc"))).toEqual(before);
  });
  test("that is not valid YAML does not keep the host from its certificates", async () => {
    using home = new Home();
    home.write(NAME, "nodes: [\n", 0o644);
    const before = tree(home.at("etc"));
    const result = expectDone(await home.generate([], inside(home)));
    expect(warnings(result).join("\n")).toContain("/etc/joblet/rnx-config.yml");
    expect(tree(home.at("etc"))).toEqual(before);
  });
  test("is not made where there is none", async () => {
    using home = new Home();
    mkdirSync(home.at("etc/joblet"), { recursive: true });
    const before = tree(home.at("etc"));
    expectDone(await home.generate([], inside(home)));
    expect(tree(home.at("etc"))).toEqual(before);
  });
});

test("verify, and a run that keeps the files, warn of what expires within 30 days too", async () => {
  using home = new Home();
  expectDone(await home.generate(["--server-days=10", "--discard-ca-key"]));
  for (const args of [["verify"], ["--offline"]]) {
    expect(warnings(expectDone(await home.run(args))).join("\n")).toMatch(
      /server certificate expires on \d{4}-\d\d-\d\d/,
    );
  }
});

test("--json gives one document on standard output, and no key in it", async () => {
  using home = new Home();
  const { stdout } = expectDone(await home.generate(["--json", "--address=10.0.0.1"]));
  const document = JSON.parse(stdout);
  expect([document.command, document.result, document.address]).toEqual(["generate", "issued", "10.0.0.1"]);
  const sha256 = document.certificates.map((facts: { sha256: string }) => facts.sha256);
  expect(sha256).toContain(home.serverLeaf().fingerprint);
  for (const line of keyLines(home.path)) expect(stdout).not.toContain(line);
  expect(parse(home.text(SERVER)).security.serverKey).toContain("PRIVATE KEY");
});
