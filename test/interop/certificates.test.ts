import { expect, setDefaultTimeout, test } from "bun:test";
import { type CertificateText, readCertificate } from "../support/certificate-text.ts";
import { ADDRESS, execute, fileOf, type Home, homeWith, KEY_TYPES, type KeyType, tool } from "../support/interop.ts";

setDefaultTimeout(60_000);

const DAY = 86_400_000;
const HOUR = 3_600_000;
const SECOND = 1000;

const KEYS: Record<KeyType, { key: string; signature: string }> = {
  "ec-p256": { key: "prime256v1", signature: "ecdsa-with-SHA256" },
  "ec-p384": { key: "secp384r1", signature: "ecdsa-with-SHA384" },
  "rsa-2048": { key: "2048", signature: "sha256WithRSAEncryption" },
  "rsa-4096": { key: "4096", signature: "sha256WithRSAEncryption" },
};

/** Those without the addresses that the machine itself has, which come after. */
const SERVER_NAMES = [
  "DNS:joblet",
  "DNS:joblet-server",
  "DNS:localhost",
  "IP Address:127.0.0.1",
  "IP Address:0:0:0:0:0:0:0:1",
  `DNS:${ADDRESS}`,
  "DNS:*.fleet.example.com",
  "IP Address:192.0.2.7",
  "IP Address:2001:DB8:0:0:0:0:0:7",
];

const SKI = "X509v3 Subject Key Identifier";
const AKI = "X509v3 Authority Key Identifier";
const SAN = "X509v3 Subject Alternative Name";

async function openssl(...args: string[]): Promise<{ ok: boolean; output: string }> {
  const { code, stdout, stderr } = await execute(tool("OPENSSL"), args);
  return { ok: code === 0, output: stdout + stderr };
}

function verify(home: Home, certificate: string, purpose: string, ...more: string[]) {
  const given = ["-x509_strict", "-purpose", purpose, "-CAfile", fileOf(home.server().ca), ...more];
  // Without these openssl would also look at what the machine trusts.
  return openssl("verify", "-no-CApath", "-no-CAstore", ...given, fileOf(certificate));
}

function certificatesIn(pem: string): number {
  return pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
}

/** Everything of a certificate but what differs from run to run; that is looked at one by one. */
function summary({ version, subject, issuer, key, signatureAlgorithms, extensions }: CertificateText) {
  const fixed = extensions.map(({ name, critical, value }) => {
    const shown = name === SKI || name === AKI || name === SAN ? "…" : value;
    return `${name}${critical ? " (critical)" : ""}: ${shown}`;
  });
  return { version, subject, issuer, key, signatureAlgorithms, extensions: fixed.sort() };
}

function extension({ extensions }: CertificateText, name: string): string {
  return extensions.find((candidate) => candidate.name === name)?.value ?? "absent";
}

function expectTimes(certificate: CertificateText, home: Home, days: number): void {
  const { from, to } = home.made;
  const whole = (time: number) => Math.floor(time / SECOND) * SECOND;
  expect(certificate.notBefore).toBeWithin(whole(from - HOUR), to - HOUR + 1);
  expect(certificate.notAfter).toBeWithin(whole(from + days * DAY), to + days * DAY + 1);
}

function expectSerial({ serial }: CertificateText): void {
  // openssl puts a minus before a negative one.
  expect(serial).toMatch(/^[0-9A-F]{1,32}$/);
  expect(BigInt(`0x${serial}`)).toBeGreaterThan(0n);
  // 127 random bits: that under half of them are there has a probability of 2^-63.
  expect(BigInt(`0x${serial}`)).toBeGreaterThan(1n << 64n);
}

test.each(KEY_TYPES)(
  "%s: OpenSSL trusts each chain for its purpose and its name, and for nothing else",
  async (type) => {
    const home = await homeWith(type);
    const { cert } = home.server();
    expect(await verify(home, cert, "sslserver", "-verify_hostname", "joblet")).toMatchObject({ ok: true });
    expect(await verify(home, cert, "sslserver", "-verify_hostname", ADDRESS)).toMatchObject({ ok: true });
    expect(await verify(home, cert, "sslserver", "-verify_hostname", "h3.fleet.example.com")).toMatchObject({
      ok: true,
    });
    expect(await verify(home, cert, "sslserver", "-verify_ip", "2001:db8::7")).toMatchObject({ ok: true });
    expect(await verify(home, cert, "sslserver", "-verify_ip", "::1")).toMatchObject({ ok: true });

    const otherName = await verify(home, cert, "sslserver", "-verify_hostname", "example.com");
    expect(otherName).toMatchObject({ ok: false, output: expect.stringMatching(/hostname mismatch/i) });
    const asClient = await verify(home, cert, "sslclient");
    expect(asClient).toMatchObject({
      ok: false,
      output: expect.stringMatching(/(unsuitable|unsupported) certificate purpose/i),
    });

    const nodes = Object.entries(home.nodes());
    expect(nodes.map(([name]) => name).sort()).toEqual(["default", ...home.roles].sort());
    for (const [, node] of nodes) {
      expect(await verify(home, node.cert, "sslclient")).toMatchObject({ ok: true });
      const asServer = await verify(home, node.cert, "sslserver");
      expect(asServer).toMatchObject({
        ok: false,
        output: expect.stringMatching(/(unsuitable|unsupported) certificate purpose/i),
      });
    }
  },
);

test("OpenSSL refuses chains of another CA: the checks above can fail", async () => {
  const [home, other] = [await homeWith("ec-p256"), await homeWith("ec-p384")];
  for (const [cert, purpose] of [
    [other.server().cert, "sslserver"],
    [other.node("admin").cert, "sslclient"],
  ] as const) {
    const result = await verify(home, cert, purpose);
    expect(result).toMatchObject({
      ok: false,
      output: expect.stringMatching(/unable to get local issuer certificate/),
    });
  }
});

test.each(KEY_TYPES)(
  "%s: operators can read every file of ca/ with openssl, and each key fits its certificate",
  async (type) => {
    const home = await homeWith(type);
    const clients = home.roles.map((role) => (role === "admin" ? "" : `-${role}`));
    const pairs = [
      ["ca-key", "ca-cert"],
      ...clients.map((role) => [`client-key${role}`, `client-cert${role}`]),
    ] as const;
    for (const [key = "", cert = ""] of pairs) {
      // PKCS#8, which all of OpenSSL, Go and the runtime read, is the one form with this label.
      expect(home.stored(key)).toMatch(/^-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n$/);
      expect(home.stored(cert)).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/);
      const ofKey = await openssl("pkey", "-in", home.at("ca", key), "-pubout");
      const ofCertificate = await openssl("x509", "-in", home.at("ca", cert), "-noout", "-pubkey");
      expect(ofKey).toEqual({ ok: true, output: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----/) });
      expect(ofCertificate).toEqual(ofKey);
      expect(await openssl("pkey", "-in", home.at("ca", key), "-noout", "-check")).toMatchObject({ ok: true });
    }
  },
);

test.each(KEY_TYPES)("%s: the files embed what is stored, and leaves and roots where each belongs", async (type) => {
  const home = await homeWith(type);
  const { cert, ca } = home.server();
  expect(certificatesIn(cert)).toBe(1);
  expect(ca).toBe(home.stored("ca-cert"));
  for (const [name, node] of Object.entries(home.nodes())) {
    const suffix = name === "admin" || name === "default" ? "" : `-${name}`;
    expect(node).toMatchObject({
      cert: home.stored(`client-cert${suffix}`),
      key: home.stored(`client-key${suffix}`),
      ca,
    });
  }
});

test.each(KEY_TYPES)("%s: the root contains what the table says and nothing more", async (type) => {
  const home = await homeWith(type);
  const root = await readCertificate(home.stored("ca-cert"));
  const { key, signature } = KEYS[type];
  const keyName = extension(root, SKI).replaceAll(":", "").slice(0, 8).toLowerCase();
  const name = `CN=Joblet-CA ${keyName}, OU=CA, O=Joblet`;
  expect(summary(root)).toEqual({
    version: 3,
    subject: name,
    issuer: name,
    key,
    signatureAlgorithms: [signature, signature],
    extensions: [
      "X509v3 Authority Key Identifier: …",
      "X509v3 Basic Constraints (critical): CA:TRUE",
      "X509v3 Key Usage (critical): Certificate Sign, CRL Sign",
      "X509v3 Subject Key Identifier: …",
    ],
  });
  expect(extension(root, AKI)).toBe(extension(root, SKI));
  expect(extension(root, SKI)).toMatch(/^(?:[0-9A-F]{2}:){19}[0-9A-F]{2}$/);
  expectTimes(root, home, 1095);
  expectSerial(root);
});

test.each(KEY_TYPES)("%s: the server's certificate contains what the table says and nothing more", async (type) => {
  const home = await homeWith(type);
  const root = await readCertificate(home.stored("ca-cert"));
  const server = await readCertificate(home.server().cert);
  const { key, signature } = KEYS[type];
  const usage = type.startsWith("rsa") ? "Digital Signature, Key Encipherment" : "Digital Signature";
  expect(summary(server)).toEqual({
    version: 3,
    subject: "CN=joblet-server, OU=Server, O=Joblet",
    issuer: root.subject,
    key,
    signatureAlgorithms: [signature, signature],
    extensions: [
      "X509v3 Authority Key Identifier: …",
      "X509v3 Basic Constraints (critical): CA:FALSE",
      "X509v3 Extended Key Usage: TLS Web Server Authentication",
      `X509v3 Key Usage (critical): ${usage}`,
      "X509v3 Subject Alternative Name: …",
      "X509v3 Subject Key Identifier: …",
    ],
  });
  expect(extension(server, AKI)).toBe(extension(root, SKI));
  expect(extension(server, SKI)).not.toBe(extension(root, SKI));
  expectTimes(server, home, 365);
  expectSerial(server);

  const names = extension(server, SAN).split(", ");
  expect(names.slice(0, SERVER_NAMES.length)).toEqual(SERVER_NAMES);
  expect(new Set(names).size).toBe(names.length);
  // What is left are the machine's own addresses.
  for (const name of names.slice(SERVER_NAMES.length)) expect(name).toMatch(/^IP Address:[0-9A-F.:]+$/);
});

test.each(KEY_TYPES)("%s: every client's certificate contains what the table says and nothing more", async (type) => {
  const home = await homeWith(type);
  const root = await readCertificate(home.stored("ca-cert"));
  const { key, signature } = KEYS[type];
  const serials = new Set([root.serial]);
  for (const role of home.roles) {
    const client = await readCertificate(home.node(role).cert);
    expect(summary(client)).toEqual({
      version: 3,
      subject: `CN=${role}-client, OU=${role}, O=Joblet`,
      issuer: root.subject,
      key,
      signatureAlgorithms: [signature, signature],
      extensions: [
        "X509v3 Authority Key Identifier: …",
        "X509v3 Basic Constraints (critical): CA:FALSE",
        "X509v3 Extended Key Usage: TLS Web Client Authentication",
        "X509v3 Key Usage (critical): Digital Signature",
        "X509v3 Subject Key Identifier: …",
      ],
    });
    expect(extension(client, AKI)).toBe(extension(root, SKI));
    expectTimes(client, home, 730);
    expectSerial(client);
    serials.add(client.serial);
  }
  expect(serials.size).toBe(home.roles.length + 1);
});
