import { expect, setDefaultTimeout, test } from "bun:test";
import { execute, fileOf, forEachOf, homeWith, KEY_TYPES, tool } from "../support/interop.ts";
import { makeOldSet } from "../support/openssl.ts";

setDefaultTimeout(60_000);

/** The others are the public web's rules. */
const SOURCES = "RFC5280,RFC5480,RFC5891,RFC6962,RFC8813,Community";
/** Lints that look at a certificate of this kind: fewer would mean that the sources were not found. */
const AT_LEAST_APPLICABLE = 30;

interface Finding {
  severity: string;
  code: string;
  message: string | null;
}

async function pkilint(pem: string): Promise<Finding[]> {
  const file = fileOf(pem, "certificate.pem");
  // It ends with the number of findings, so that its exit code says nothing of whether it ran.
  const { stdout, stderr } = await execute(tool("PKILINT"), ["lint", "--severity=ALL", "--format=JSON", file]);
  if (!stdout.startsWith("{")) throw new Error(`pkilint failed: ${stderr}`);
  const { results } = JSON.parse(stdout) as { results: { finding_descriptions: Finding[] }[] };
  expect(results.length).toBeGreaterThan(AT_LEAST_APPLICABLE);
  return results.flatMap((result) => result.finding_descriptions);
}

/** What zlint says of it beyond passed or not applicable: `warn w_…: details`. Its word for a notice is `info`. */
async function zlint(pem: string): Promise<string[]> {
  const file = fileOf(pem, "certificate.pem");
  const { code, stdout, stderr } = await execute(tool("ZLINT"), [`-includeSources=${SOURCES}`, file]);
  if (code !== 0) throw new Error(`zlint failed: ${stderr}`);
  const lints = Object.entries(JSON.parse(stdout) as Record<string, { result: string; details?: string }>);
  expect(lints.filter(([, { result }]) => result === "pass").length).toBeGreaterThan(AT_LEAST_APPLICABLE);
  return lints
    .filter(([, { result }]) => !["pass", "NA", "NE"].includes(result))
    .map(([lint, { result, details }]) => `${result} ${lint}${details ? `: ${details}` : ""}`);
}

/** Joblet needs these names; that they are none of the public web's is all that may be said. */
const SINGLE_LABELS = ["joblet", "joblet-server", "localhost"];
const SERVER_NOTICE = `info n_san_iana_pub_suffix_empty: 3 DNS name(s) are bare public suffixes: ${SINGLE_LABELS.join(", ")}`;
/** pkilint holds names to RFC 5280 alone, which knows neither single labels nor the wildcards of RFC 6125. */
const SERVER_FINDINGS = [...SINGLE_LABELS, "*.fleet.example.com"].map(
  (name) => `pkix.invalid_domain_name_syntax: Invalid domain name syntax: "${name}"`,
);

test.each(KEY_TYPES)(
  "%s: linters find nothing wrong with the root, the server's and the client's certificate",
  async (type) => {
    const home = await homeWith(type);
    const certificates = [
      { kind: "root", pem: home.stored("ca-cert"), byPkilint: [], byZlint: [] },
      { kind: "server", pem: home.server().cert, byPkilint: SERVER_FINDINGS, byZlint: [SERVER_NOTICE] },
      { kind: "client", pem: home.node("admin").cert, byPkilint: [], byZlint: [] },
    ];
    await forEachOf(certificates, async ({ kind, pem, byPkilint, byZlint }) => {
      const found = await pkilint(pem);
      // Not a complaint: how the SKI was made. It has to be one of the standard methods, and everywhere the same.
      const notes = found.filter(({ severity }) => severity === "INFO").map(({ code }) => code);
      expect([kind, notes]).toEqual([kind, ["pkix.subject_key_identifier_rfc7093_method_1_identified"]]);
      const complaints = found.filter(({ severity }) => severity !== "INFO" && severity !== "DEBUG");
      expect([kind, complaints.map(({ code, message }) => `${code}: ${message}`)]).toEqual([kind, byPkilint]);
      expect([kind, await zlint(pem)]).toEqual([kind, byZlint]);
    });
  },
);

test("the linters do complain about what the old scripts made: the checks above can fail", async () => {
  const { serverCert } = makeOldSet({ caBits: 2048 });
  const codes = (await pkilint(serverCert)).map(({ severity, code }) => `${severity} ${code}`);
  expect(codes).toContain("WARNING pkix.key_usage_extension_not_critical");
  expect(await zlint(serverCert)).toContain("warn w_ext_key_usage_not_critical");
});
