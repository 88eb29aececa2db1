import { execute, fileOf, tool } from "./interop.ts";

/** A certificate as `openssl x509 -text` shows it. */
export interface CertificateText {
  version: number;
  subject: string;
  issuer: string;
  /** Milliseconds since the epoch. */
  notBefore: number;
  notAfter: number;
  /** Hex, as encoded: without a sign. */
  serial: string;
  /** `prime256v1`, `secp384r1`, or of RSA the number of bits. */
  key: string;
  /** Inside and outside of the signed part. */
  signatureAlgorithms: string[];
  /** In the order of the certificate. */
  extensions: { name: string; critical: boolean; value: string }[];
}

export async function readCertificate(pem: string): Promise<CertificateText> {
  const file = fileOf(pem, "certificate.pem");
  const display = ["-noout", "-text", "-serial", "-nameopt", "RFC2253,sep_comma_plus_space"];
  const { code, stdout, stderr } = await execute(tool("OPENSSL"), ["x509", "-in", file, ...display]);
  if (code !== 0) throw new Error(`openssl x509 failed: ${stderr}`);
  const one = (pattern: RegExp) => {
    const found = pattern.exec(stdout)?.[1];
    if (found === undefined) throw new Error(`openssl x509 shows no ${pattern}:\n${stdout}`);
    return found;
  };
  return {
    version: Number(one(/^ +Version: (\d+)/m)),
    subject: one(/^ +Subject: (.*)$/m),
    issuer: one(/^ +Issuer: (.*)$/m),
    notBefore: Date.parse(one(/Not Before ?: (.*)$/m)),
    notAfter: Date.parse(one(/Not After ?: (.*)$/m)),
    serial: one(/^serial=(.*)$/m),
    key: /ASN1 OID: (\S+)/.exec(stdout)?.[1] ?? one(/Public-Key: \((\d+) bit\)/),
    signatureAlgorithms: [...stdout.matchAll(/Signature Algorithm: (\S+)/g)].map((match) => match[1] ?? ""),
    extensions: extensionsOf(stdout),
  };
}

/** The lines of an extension are indented more deeply than its name. */
function extensionsOf(text: string): CertificateText["extensions"] {
  const [, block = ""] = /^ {8}X509v3 extensions:\n((?: {12}.*\n)*)/m.exec(text) ?? [];
  return [...block.matchAll(/^ {12}(\S.*?): ?(critical)?\n((?: {16}.*\n)*)/gm)].map(
    ([, name = "", critical, body = ""]) => ({
      name,
      critical: critical !== undefined,
      value: body
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean)
        .join(" "),
    }),
  );
}
