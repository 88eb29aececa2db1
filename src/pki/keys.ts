import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { KeyType } from "./key-types.ts";
import { readPem, writePem } from "./pem.ts";

/** WebCrypto parameters of a key and of the signatures it makes. */
export interface KeyAlgorithm {
  /** Parameters for import and generation. */
  key: { name: string; namedCurve?: string; hash?: string };
  /** Hash of the signatures that this key makes. */
  hash: "SHA-256" | "SHA-384" | "SHA-512";
}

/** A private key, ready to compare, to write and to sign with. Never log or print one. */
export interface PrivateKey {
  /** PKCS#8 PEM, one block, line feed at the end. */
  pem: string;
  pkcs8: Uint8Array;
  /** DER SubjectPublicKeyInfo of its public half. */
  spki: Uint8Array;
  /** Hex SHA-256 of `spki`: two keys are the same when this is. */
  id: string;
  /** RFC 7093 section 2 method 1: the leftmost 160 bits of the SHA-256 of the subjectPublicKey bit string, in hex. */
  identifier: string;
  algorithm: KeyAlgorithm;
}

const CURVES: Record<string, KeyAlgorithm> = {
  prime256v1: { key: { name: "ECDSA", namedCurve: "P-256" }, hash: "SHA-256" },
  secp384r1: { key: { name: "ECDSA", namedCurve: "P-384" }, hash: "SHA-384" },
  secp521r1: { key: { name: "ECDSA", namedCurve: "P-521" }, hash: "SHA-512" },
};
const RSA: KeyAlgorithm = { key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, hash: "SHA-256" };

const PUBLIC_EXPONENT = new Uint8Array([1, 0, 1]);
const GENERATION = {
  "ec-p256": { name: "ECDSA", namedCurve: "P-256" },
  "ec-p384": { name: "ECDSA", namedCurve: "P-384" },
  "rsa-2048": { ...RSA.key, modulusLength: 2048, publicExponent: PUBLIC_EXPONENT },
  "rsa-4096": { ...RSA.key, modulusLength: 4096, publicExponent: PUBLIC_EXPONENT },
} satisfies Record<KeyType, object>;

/** A new key. Randomness comes from the given WebCrypto. */
export async function generateKey(type: KeyType, crypto: Crypto): Promise<PrivateKey> {
  const pair = await crypto.subtle.generateKey(GENERATION[type] as (typeof GENERATION)["ec-p256"], true, [
    "sign",
    "verify",
  ]);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return fromKeyObject(createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" }));
}

const DER_TYPES: Record<string, "pkcs8" | "pkcs1" | "sec1"> = {
  "PRIVATE KEY": "pkcs8",
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
};

/**
 * Reads a private key: PKCS#8 (RFC 5208), PKCS#1 (RFC 8017 A.1.2) or SEC 1 (RFC 5915) in PEM, RSA from 2048 bits or
 * ECDSA on P-256, P-384, P-521. Text and parameter blocks before it are passed over.
 * @throws Error saying what the value is instead; never quotes it
 */
export function parsePrivateKey(text: string): PrivateKey {
  const blocks = readPem(text);
  const keys = blocks.filter((block) => block.label.endsWith("PRIVATE KEY"));
  const [block] = keys;
  if (!block) throw new Error(blocks.length ? `holds a ${blocks[0]?.label}, not a private key` : "is not PEM");
  if (keys.length > 1) throw new Error("holds more than one private key");
  if (block.label === "ENCRYPTED PRIVATE KEY" || block.headers.length > 0) throw new Error("holds an encrypted key");
  const type = DER_TYPES[block.label];
  if (!type) throw new Error(`holds a ${block.label}, which is not supported`);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(block.der), format: "der", type });
  } catch {
    throw new Error("holds a private key that cannot be decoded");
  }
  return fromKeyObject(key);
}

/** The algorithm of a public key given as DER SubjectPublicKeyInfo. @throws Error when it is not supported */
export function algorithmOf(key: KeyObject): KeyAlgorithm {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === "rsa") {
    const bits = details?.modulusLength ?? 0;
    if (bits < 2048) throw new Error(`is an RSA key of ${bits} bits; at least 2048 are needed`);
    return RSA;
  }
  const curve = CURVES[details?.namedCurve ?? ""];
  if (key.asymmetricKeyType === "ec" && curve) return curve;
  const kind = [key.asymmetricKeyType, details?.namedCurve].filter(Boolean).join(" ");
  throw new Error(`is a key of an unsupported type (${kind}); RSA and ECDSA on P-256, P-384 and P-521 are`);
}

/** The key as WebCrypto wants it for signing. */
export function importSigningKey(key: PrivateKey, crypto: Crypto): Promise<CryptoKey> {
  return crypto.subtle.importKey("pkcs8", key.pkcs8 as Uint8Array<ArrayBuffer>, key.algorithm.key, false, ["sign"]);
}

/** Hex SHA-256 of a DER SubjectPublicKeyInfo. */
export function keyId(spki: Uint8Array): string {
  return createHash("sha256").update(spki).digest("hex");
}

function fromKeyObject(key: KeyObject): PrivateKey {
  const algorithm = algorithmOf(key);
  const pkcs8 = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  const publicKey = createPublicKey(key);
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const identifier = createHash("sha256").update(subjectPublicKey(publicKey)).digest("hex").slice(0, 40);
  return { pem: writePem("PRIVATE KEY", pkcs8), pkcs8, spki, id: keyId(spki), identifier, algorithm };
}

/** The content of the bit string: a PKCS#1 RSAPublicKey (RFC 3279 section 2.3.1), or an uncompressed point (RFC 5480). */
function subjectPublicKey(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "rsa") return key.export({ type: "pkcs1", format: "der" });
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}
