export const KEY_TYPES = ["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"] as const;
/** Key types that this program makes. It reads more: see `parsePrivateKey`. */
export type KeyType = (typeof KEY_TYPES)[number];
