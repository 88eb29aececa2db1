import { describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { KEY_TYPES } from "../../src/pki/key-types.ts";
import { generateKey, type PrivateKey, parsePrivateKey } from "../../src/pki/keys.ts";
import { readPem } from "../../src/pki/pem.ts";
import * as x509 from "../../src/pki/x509-library.ts";
import { leaks, makeRoot } from "../support/pki.ts";

const P256 = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
const P384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey;
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

function pem(key: KeyObject, type: "pkcs8" | "pkcs1" | "sec1", encryption = {}): string {
  return String(key.export({ format: "pem", type: type as "pkcs8", ...encryption }));
}

function spki(key: KeyObject): string {
  return createPublicKey(key).export({ format: "der", type: "spki" }).toString("hex");
}

// DER of the curve's OID, as `openssl ecparam -genkey` writes it before the key.
const PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

describe("keys of other tools are read, and are the same key", () => {
  const cases: readonly [string, KeyObject, string][] = [
    ["PKCS#8, RSA", RSA, pem(RSA, "pkcs8")],
    ["PKCS#8, P-256", P256, pem(P256, "pkcs8")],
    ["PKCS#8, P-384", P384, pem(P384, "pkcs8")],
    ["PKCS#1", RSA, pem(RSA, "pkcs1")],
    ["SEC 1", P256, pem(P256, "sec1")],
    ["SEC 1 behind its parameters", P256, PARAMETERS + pem(P256, "sec1")],
    ["text before the block", P256, `Private-Key: (256 bit)\n  pub: 04\n${pem(P256, "sec1")}`],
    ["a comment line and blank lines", RSA, `\n# leaked: rotated without overlap\n\n${pem(RSA, "pkcs8")}\n\n`],
    ["Windows line ends", RSA, pem(RSA, "pkcs1").replaceAll("\n", "\r\n")],
    ["indented, as pasted from YAML", P256, pem(P256, "pkcs8").replace(/^/gm, "    ")],
    ["no line feed at the end", P256, pem(P256, "pkcs8").trimEnd()],
    ["beside its certificate request", P256, `-----BEGIN X-----\nAAAA\n-----END X-----\n${pem(P256, "pkcs8")}`],
  ];
  for (const [what, key, text] of cases) {
    test(what, () => {
      const read = parsePrivateKey(text);
      expect(Buffer.from(read.spki).toString("hex")).toBe(spki(key));
      expect(spki(createPrivateKey(read.pem))).toBe(spki(key));
      expect(read.pem).toStartWith("-----BEGIN PRIVATE KEY-----\n");
      expect(parsePrivateKey(read.pem)).toEqual(read);
    });
  }
});

describe("what is no usable key is refused, says what it is, and is never quoted", () => {
  const encryption = { cipher: "aes-256-cbc", passphrase: "secret" };
  const whole = pem(RSA, "pkcs8");
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  const ed = generateKeyPairSync("ed25519").privateKey;
  const k1 = generateKeyPairSync("ec", { namedCurve: "secp224r1" }).privateKey;
  const cases: readonly [string, string, RegExp][] = [
    ["an encrypted PKCS#8 key", pem(RSA, "pkcs8", encryption), /encrypted/],
    ["an encrypted key of the traditional form", pem(RSA, "pkcs1", encryption), /encrypted/],
    ["two keys", whole + pem(P256, "pkcs8"), /more than one/],
    ["an RSA key of 1024 bits", pem(small, "pkcs8"), /1024/],
    ["an Ed25519 key", pem(ed, "pkcs8"), /unsupported.*ed25519/],
    ["a key on another curve", pem(k1, "pkcs8"), /unsupported/],
    ["a key cut off before its end line", whole.slice(0, 600), /cut off/],
    ["a key cut off inside its body", whole.split("\n").toSpliced(5, 20).join("\n"), /decoded|base64/],
    ["a body that is not base64", whole.replace(/\n[A-Za-z0-9+/]{20}/, "\n!!!!!"), /base64|decoded/],
    ["a public key", String(createPublicKey(RSA).export({ format: "pem", type: "spki" })), /PUBLIC KEY/],
    ["an empty text", "", /not PEM/],
    ["any other text", "password123", /not PEM/],
    ["JSON around it", JSON.stringify({ key: whole }), /base64|not PEM|decoded/],
  ];
  for (const [what, text, message] of cases) {
    test(what, () => {
      const error = failure(text);
      expect(error.message).toMatch(message);
      for (const said of [error.message, String(error.stack), JSON.stringify(error)])
        expect(leaks(said, text)).toBe(false);
      expect(error.message).not.toContain("password123");
    });
  }
  test("a certificate", async () => {
    const { certificate } = await makeRoot();
    expect(failure(certificate.pem).message).toMatch(/holds a CERTIFICATE, not a private key/);
  });
});

function failure(text: string): Error {
  try {
    parsePrivateKey(text);
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was accepted");
}

describe("every key type that can be asked for", () => {
  const expected: Record<string, [type: string, detail: string | number]> = {
    "ec-p256": ["ec", "prime256v1"],
    "ec-p384": ["ec", "secp384r1"],
    "rsa-2048": ["rsa", 2048],
    "rsa-4096": ["rsa", 4096],
  };
  for (const type of KEY_TYPES) {
    test(`${type} comes out as that, works, and is written as one PKCS#8 block`, async () => {
      const key = await generateKey(type, crypto);
      const native = createPrivateKey(key.pem);
      const details = native.asymmetricKeyDetails;
      expect([native.asymmetricKeyType as string, details?.namedCurve ?? details?.modulusLength]).toEqual(
        expected[type] as never,
      );
      if (native.asymmetricKeyType === "rsa") expect(details?.publicExponent).toBe(65537n);
      const data = Buffer.from("joblet");
      expect(verify("sha256", data, createPublicKey(native), sign("sha256", data, native))).toBe(true);
      expect(readPem(key.pem).map(({ label }) => label)).toEqual(["PRIVATE KEY"]);
      expect(Buffer.from(readPem(key.pem)[0]?.der ?? []).equals(Buffer.from(key.pkcs8))).toBe(true);
    }, 30_000);
  }
  test("two keys are never the same", async () => {
    const keys = await Promise.all(Array.from({ length: 50 }, () => generateKey("ec-p256", crypto)));
    expect(new Set(keys.map(({ id }) => id)).size).toBe(50);
  });
});

test("the key identifier is RFC 7093 method 1, as another library computes it over the bit string", async () => {
  const known: readonly PrivateKey[] = [await generateKey("ec-p256", crypto), parsePrivateKey(pem(RSA, "pkcs1"))];
  for (const key of known) {
    const computed = await new x509.PublicKey(key.spki as Uint8Array<ArrayBuffer>).getKeyIdentifier("SHA-256");
    expect(key.identifier).toBe(Buffer.from(computed).toString("hex").slice(0, 40));
  }
});
