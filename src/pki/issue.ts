import { type Certificate, isIssuedBy, parseCertificate } from "./certificates.ts";
import { importSigningKey, type PrivateKey } from "./keys.ts";
import type { SubjectAltName } from "./names.ts";
import { PROFILES, type Profile, type ProfileName } from "./profiles.ts";
import * as x509 from "./x509-library.ts";

export interface IssueRequest {
  profile: ProfileName;
  /** The key to certify. */
  subjectKey: Pick<PrivateKey, "spki" | "algorithm">;
  /** For a cross certificate: the new root, whose name it takes over. */
  certified?: Certificate;
  /** Who signs: the key, and its certificate; a root has none yet and signs itself. */
  issuer: { key: PrivateKey; certificate?: Certificate };
  /** Milliseconds since the epoch. */
  now: number;
  /** Validity; the profile's when absent. */
  days?: number | undefined;
  role?: string;
  names?: readonly SubjectAltName[];
  /** Source of randomness for the serial number and of the signature. */
  crypto: Crypto;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Issues any certificate of the table in `profiles.ts`. It never outlives its issuer. */
export async function issueCertificate(request: IssueRequest): Promise<Certificate> {
  const { issuer, crypto, subjectKey } = request;
  const profile: Profile = PROFILES[request.profile];
  const subjectKeyId = await keyIdentifier(subjectKey.spki, crypto);
  const subject = request.certified
    ? nameOf(request.certified)
    : distinguishedName(profile, subjectKeyId.slice(0, 8), request.role ?? "");
  const authorityKeyId = issuer.certificate?.subjectKeyId ?? (await keyIdentifier(issuer.key.spki, crypto));

  const wanted = request.now + (request.days ?? profile.days) * DAY;
  const notAfter = Math.min(wanted, issuer.certificate?.notAfter ?? wanted);
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(profile.isCa, profile.pathLength, true),
    new x509.KeyUsagesExtension(profile.keyUsage(subjectKey.algorithm), true),
    new x509.SubjectKeyIdentifierExtension(request.certified?.subjectKeyId ?? subjectKeyId),
    new x509.AuthorityKeyIdentifierExtension(authorityKeyId),
  ];
  if (profile.extendedKeyUsage) extensions.push(new x509.ExtendedKeyUsageExtension([profile.extendedKeyUsage]));
  if (request.names?.length) {
    extensions.push(new x509.SubjectAlternativeNameExtension(request.names.map(({ type, value }) => ({ type, value }))));
  }
  const issued = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(crypto),
      subject,
      issuer: issuer.certificate ? nameOf(issuer.certificate) : subject,
      // X.509 times are whole seconds. One hour back, for hosts whose clock is a little behind.
      notBefore: wholeSeconds(request.now - HOUR),
      notAfter: wholeSeconds(notAfter),
      publicKey: subjectKey.spki as Uint8Array<ArrayBuffer>,
      signingKey: await importSigningKey(issuer.key, crypto),
      signingAlgorithm: { name: issuer.key.algorithm.key.name, hash: issuer.key.algorithm.hash },
      extensions,
    },
    crypto,
  );
  const certificate = parseCertificate(new Uint8Array(issued.rawData));
  if (!isIssuedBy(certificate, issuer.certificate ?? certificate)) {
    throw new Error(`the new ${request.profile} certificate does not verify against its issuer`);
  }
  return certificate;
}

function distinguishedName(profile: Profile, keyName: string, role: string): x509.Name {
  if (!profile.subject) throw new Error("a cross certificate needs the certificate that it certifies");
  const { O, OU, CN } = profile.subject({ keyName, role });
  return new x509.Name([{ O: [O] }, { OU: [OU] }, { CN: [CN] }]);
}

/** The subject as it is encoded there, so that issuer and subject stay equal byte by byte. */
function nameOf(certificate: Certificate): x509.Name {
  return new x509.X509Certificate(certificate.der as Uint8Array<ArrayBuffer>).subjectName;
}

/** RFC 7093 section 2 method 1: the leftmost 160 bits of the SHA-256 of the subjectPublicKey bit string, in hex. */
async function keyIdentifier(spki: Uint8Array, crypto: Crypto): Promise<string> {
  const digest = await new x509.PublicKey(spki as Uint8Array<ArrayBuffer>).getKeyIdentifier("SHA-256", crypto);
  return Buffer.from(digest).toString("hex").slice(0, 40);
}

/** 127 random bits, positive (RFC 5280 section 4.1.2.2 wants at most 20 octets). Hex. */
function serialNumber(crypto: Crypto): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString("hex");
}

function wholeSeconds(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000);
}
