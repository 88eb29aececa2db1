import type { Certificate } from "../pki/certificates.ts";
import { day } from "../pki/validate.ts";
import type { Output } from "./output.ts";

const SOON = 30 * 86_400_000;

/** Warns of a certificate with under 30 days left: the date, and what renews it. Times in milliseconds since the epoch. */
export function warnIfExpiring(
  output: Output,
  what: string,
  certificate: Certificate,
  now: number,
  remedy: string,
): void {
  const left = certificate.notAfter - now;
  if (left >= 0 && left < SOON) output.warn(`the ${what} expires on ${day(certificate.notAfter)}: ${remedy}`);
}
