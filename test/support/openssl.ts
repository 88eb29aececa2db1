import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs openssl in a directory. @throws Error with what it said */
export function openssl(cwd: string, ...args: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["openssl", ...args], { cwd });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr.toString().trim()}`);
  return stdout.toString();
}

/** Runs work in a new private directory that is gone afterwards. */
export function inScratch<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "joblet-certs-openssl-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export interface OldSet {
  caKey: string;
  caCert: string;
  serverKey: string;
  serverCert: string;
  clientKey: string;
  clientCert: string;
}

/**
 * The set as the scripts make it that this program replaces: an RSA root by `openssl req -x509`, RSA-2048 leaves, the
 * client certificate X.509 version 1, without extensions. `expiredServer`: its server certificate ran out yesterday.
 */
export function makeOldSet({ expiredServer = false, caBits = 4096, subject = "joblet-ca" } = {}): OldSet {
  return inScratch((cwd) => {
    const run = (...args: string[]) => openssl(cwd, ...args);
    const read = (name: string) => readFileSync(join(cwd, name), "utf8");
    const dates = (from: number, to: number) => ["-startdate", generalized(from), "-enddate", generalized(to)];
    run("genrsa", "-out", "ca.key", String(caBits));
    run(
      "req",
      "-x509",
      "-new",
      "-key",
      "ca.key",
      "-sha256",
      "-days",
      "1095",
      "-out",
      "ca.crt",
      "-subj",
      subjectOf(subject, "CA"),
    );
    writeFileSync(join(cwd, "server.ext"), SERVER_EXTENSIONS);
    writeFileSync(join(cwd, "ca.cnf"), CA_SECTION);
    writeFileSync(join(cwd, "index.txt"), "");
    writeFileSync(join(cwd, "serial"), "5EED01\n");
    for (const [name, cn, unit] of [
      ["server", "joblet-server", "Server"],
      ["client", "admin-client", "admin"],
    ] as const) {
      run("genrsa", "-out", `${name}.key`, "2048");
      run("req", "-new", "-key", `${name}.key`, "-out", `${name}.csr`, "-subj", subjectOf(cn, unit));
    }
    const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    run("x509", "-req", "-in", "client.csr", ...signed, "-out", "client.crt", "-days", "365", "-sha256");
    const byCa = signingOptions("server.ext");
    const [from, to] = expiredServer ? [-400, -1] : [-1, 364];
    run("ca", ...byCa, ...dates(from, to), "-in", "server.csr", "-out", "server.crt");
    return {
      caKey: read("ca.key"),
      caCert: read("ca.crt"),
      serverKey: read("server.key"),
      serverCert: read("server.crt"),
      clientKey: read("client.key"),
      clientCert: read("client.crt"),
    };
  });
}

/** For `openssl ca`, which alone can set both dates: by the section above, with the extensions of a file. */
function signingOptions(extensions: string): string[] {
  return ["-config", "ca.cnf", "-batch", "-notext", "-rand_serial", "-extfile", extensions, "-extensions", "v3"];
}

/** What a leaf is for: extensions as openssl's files have them. */
export interface LeafKind {
  commonName: string;
  unit: string;
  extensions: string;
}

export const CLIENT_LEAF: LeafKind = {
  commonName: "admin-client",
  unit: "admin",
  extensions: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n",
};

export const SERVER_LEAF: LeafKind = {
  commonName: "joblet-server",
  unit: "Server",
  extensions: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:joblet\n",
};

/** A leaf for a role, issued by openssl from a given CA, valid between two days counted from now. */
export function signClient(
  ca: { key: string; cert: string },
  clientKey: string,
  days: readonly [from: number, to: number],
): string {
  return signLeaf(CLIENT_LEAF, ca, clientKey, days);
}

export function signLeaf(
  kind: LeafKind,
  ca: { key: string; cert: string },
  leafKey: string,
  [from, to]: readonly [from: number, to: number],
): string {
  return inScratch((cwd) => {
    writeFileSync(join(cwd, "ca.key"), ca.key, { mode: 0o600 });
    writeFileSync(join(cwd, "ca.crt"), ca.cert);
    writeFileSync(join(cwd, "leaf.key"), leafKey, { mode: 0o600 });
    writeFileSync(join(cwd, "ca.cnf"), CA_SECTION);
    writeFileSync(join(cwd, "index.txt"), "");
    writeFileSync(join(cwd, "serial"), "5EED01\n");
    writeFileSync(join(cwd, "leaf.ext"), `[v3]\n${kind.extensions}`);
    const subject = subjectOf(kind.commonName, kind.unit);
    openssl(cwd, "req", "-new", "-key", "leaf.key", "-out", "leaf.csr", "-subj", subject);
    const byCa = signingOptions("leaf.ext");
    const dates = ["-startdate", generalized(from), "-enddate", generalized(to)];
    openssl(cwd, "ca", ...byCa, ...dates, "-in", "leaf.csr", "-out", "leaf.crt");
    return readFileSync(join(cwd, "leaf.crt"), "utf8");
  });
}

function subjectOf(commonName: string, unit: string): string {
  return `/C=US/ST=CA/L=Los Angeles/O=Joblet/OU=${unit}/CN=${commonName}`;
}

/** ASN.1 GeneralizedTime, so many days from now. */
function generalized(days: number): string {
  const time = new Date(Date.now() + days * 86_400_000).toISOString();
  return `${time.replace(/[-:T]/g, "").slice(0, 14)}Z`;
}

const SERVER_EXTENSIONS = `[v3]
keyUsage = keyEncipherment, dataEncipherment, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:joblet, DNS:localhost, DNS:joblet-server, IP:127.0.0.1, IP:0.0.0.0
`;

const CA_SECTION = `[ca]
default_ca = here
[here]
database = ./index.txt
serial = ./serial
new_certs_dir = .
certificate = ./ca.crt
private_key = ./ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
`;
