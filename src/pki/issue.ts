import { type Certificate, isIssuedBy, parseCertificate } from "./certificates.ts";
import { importSigningKey, type PrivateKey } from "./keys.ts";
import type { SubjectAltName } from "./names.ts";
import { PROFILES, type Profile, type ProfileName } from "./profiles.ts";
import * as x509 from "./x509-library.ts";

export interface IssueRequest {
  profile: ProfileName;
  /** The key to certify. */
  subjectKey: Pick<PrivateKey, "spki" | "identifier" | "algorithm">;
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
  const certified = request.certified && libraryForm(request.certified);
  const parent = issuer.certificate && libraryForm(issuer.certificate);
  const subjectKeyId = (certified && keyIdOf(certified)) ?? subjectKey.identifier;
  const subject = certified?.subjectName ?? distinguishedName(profile, subjectKeyId.slice(0, 8), request.role ?? "");
  const authorityKeyId = (parent && keyIdOf(parent)) ?? issuer.key.identifier;

  const wanted = request.now + (request.days ?? profile.days) * DAY;
  const notAfter = Math.min(wanted, issuer.certificate?.notAfter ?? wanted);
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(profile.isCa, profile.pathLength, true),
    new x509.KeyUsagesExtension(profile.keyUsage(subjectKey.algorithm), true),
    new x509.SubjectKeyIdentifierExtension(subjectKeyId),
    new x509.AuthorityKeyIdentifierExtension(authorityKeyId),
  ];
  if (profile.extendedKeyUsage) extensions.push(new x509.ExtendedKeyUsageExtension([profile.extendedKeyUsage]));
  if (request.names?.length) {
    extensions.push(
      new x509.SubjectAlternativeNameExtension(request.names.map(({ type, value }) => ({ type, value }))),
    );
  }
  const issued = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(crypto),
      subject,
      // The parent's name as it is encoded there: issuer and subject have to be equal byte by byte.
      issuer: parent?.subjectName ?? subject,
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
  LIBRARY_FORMS.set(certificate.fingerprint, issued);
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

function keyIdOf(certificate: x509.X509Certificate): string | undefined {
  return certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
}

/** By fingerprint, the certificates that the library made in this run: parsing one is the slowest step of issuing. */
const LIBRARY_FORMS = new Map<string, x509.X509Certificate>();

function libraryForm(certificate: Certificate): x509.X509Certificate {
  return (
    LIBRARY_FORMS.get(certificate.fingerprint) ?? new x509.X509Certificate(certificate.der as Uint8Array<ArrayBuffer>)
  );
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
