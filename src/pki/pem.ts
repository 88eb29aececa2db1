import { PemConverter } from "./x509-library.ts";

/** One PEM block (RFC 7468): its label, decoded body, and header names of the old encrypted form (RFC 1421). */
export interface PemBlock {
  label: string;
  der: Uint8Array;
  headers: readonly string[];
}

const BEGIN = /-----BEGIN [^-]*-----/g;
const END = /-----END [^-]*-----/g;

/**
 * All PEM blocks of a text, in order. Text around the blocks, CRLF and blank lines are allowed (RFC 7468 section 2).
 * @throws Error naming what is broken, never quoting the body
 */
export function readPem(text: string): PemBlock[] {
  const begins = text.match(BEGIN)?.length ?? 0;
  const ends = text.match(END)?.length ?? 0;
  if (begins !== ends) throw new Error("a PEM block is cut off: BEGIN and END lines do not pair up");
  let structs: ReturnType<typeof PemConverter.decodeWithHeaders>;
  try {
    // Indented PEM (pasted from YAML) would be refused by the converter's line pattern.
    structs = PemConverter.decodeWithHeaders(text.replace(/^[ \t]+|[ \t]+$/gm, ""));
  } catch {
    throw new Error("a PEM block does not hold valid base64");
  }
  if (structs.length !== begins) throw new Error("a PEM block does not hold valid base64");
  return structs.map((struct) => ({
    label: struct.type,
    der: new Uint8Array(struct.rawData),
    headers: struct.headers.map((header) => header.key),
  }));
}

/** One PEM block with 64-character lines and a final line feed, as RFC 7468 section 3 asks of generators. */
export function writePem(label: string, der: Uint8Array): string {
  const body =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${body.join("\n")}\n-----END ${label}-----\n`;
}
