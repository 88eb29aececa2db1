import type { AuthorityEvent } from "../authority/acquire.ts";
import { CA_CERT, clientCertName } from "../authority/secrets.ts";
import { day } from "../pki/validate.ts";
import type { EmbeddedOutcome, EmbeddedRequest, Issued } from "../provision/embedded.ts";
import { type Paths, SYSTEM_CLIENT_CONFIG } from "../provision/installation.ts";
import { certificateFacts } from "./certificate-facts.ts";
import { warnIfExpiring } from "./expiry.ts";
import type { Output } from "./output.ts";

/** What the protocol does, as it does it: one line per certificate that is issued. */
export function reportEvent(output: Output, event: AuthorityEvent): void {
  if (event.event === "issued") {
    const { serial, fingerprint, issuer, notAfter } = event.certificate;
    output.info(
      `issued: ${event.role}, serial ${serial}, SHA-256 ${fingerprint}, issuer ${issuer}, expires ${day(notAfter)}`,
    );
  } else if (event.event === "repairing") {
    output.info(`completing the stored set: ${event.why}`);
  } else {
    const prints = event.roots.map((root) => `${root.subject} SHA-256 ${root.fingerprint}`).join("; ");
    output.warn(
      `the CA is replaced without overlap (${event.why}): ` +
        `${prints || "what was there could not be read"}. Client files and servers of that CA stop working; ` +
        "hand out rnx-config.yml anew",
    );
  }
}

/** The summary for people and the document for programs. */
export function renderOutcome(output: Output, paths: Paths, request: EmbeddedRequest, outcome: EmbeddedOutcome): void {
  if (outcome.result === "kept") {
    output.warn(`the files in ${paths.configDirectory} were kept as they are: ${outcome.reason}`);
    const server = outcome.state.serverLeaf;
    const remedy = "joblet-certs generate --force-regenerate makes a new set, and client files change";
    if (server) warnIfExpiring(output, "server certificate", server, request.now, remedy);
    output.result({
      command: "generate",
      result: "kept",
      reason: outcome.reason,
      home: paths.home,
      certificates: server ? [{ role: "server", source: "kept", ...certificateFacts(server) }] : [],
    });
    return;
  }
  warnOfExpiry(output, outcome, request.now);
  for (const { path, existing } of outcome.composition.clients) {
    if (path === SYSTEM_CLIENT_CONFIG && existing && (existing.mode & 0o004) !== 0) {
      output.warn(`${path} holds a private key that every user of this host can read; restrict it: chmod 0640 ${path}`);
    }
  }
  renderSummary(output, paths, request, outcome);
  output.result(documentOf(paths, request, outcome));
}

function renderSummary(output: Output, paths: Paths, request: EmbeddedRequest, outcome: Issued): void {
  const { written } = outcome.acquired;
  const place = request.ownDirectory ? "(this host only)" : `(shared directory ${request.caDirectory})`;
  const origin = (made: boolean) => (made ? `Generated locally ${place}` : `Reused ${place}`);
  const sign = (made: boolean) => (made ? "✨" : "✅");
  const madeCa = written.has(CA_CERT);
  const madeClient = written.has(clientCertName("admin"));
  output.info(`${sign(madeCa)} CA Certificate: ${origin(madeCa)}`);
  output.info(`${sign(madeClient)} Client Certificate: ${origin(madeClient)}`);
  output.info("🆕 Server Certificate: Generated locally (instance-specific)");
  output.detail(`handshakes completed: ${outcome.proofs.map(({ node, path }) => `${node} of ${path}`).join(", ")}`);
  for (const path of outcome.published.changed) output.detail(`written: ${path}`);
  for (const path of outcome.published.kept) output.info(`kept what was there before: ${path}`);
  if (request.discardCaKey) output.info("the CA key was discarded: no more certificates can be issued from this CA");
  output.info("");
  output.info("Next: systemctl restart joblet   (it reads its certificates at start only)");
  output.info(
    `Client file: ${paths.clientConfig}   (copy it to ~/.rnx/rnx-config.yml where rnx runs; it holds a private key)`,
  );
}

function warnOfExpiry(output: Output, { acquired: { set }, server }: Issued, now: number): void {
  const replace = "replace it with joblet-certs generate --force-regenerate, and hand out client files anew";
  warnIfExpiring(output, "CA", set.issuer, now, replace);
  for (const [role, { leaf }] of set.clients) {
    const remedy = "joblet-certs generate reissues it once it has expired";
    warnIfExpiring(output, `client certificate for ${role}`, leaf, now, remedy);
  }
  // One that ends with its issuer was warned of already.
  if (server.leaf.notAfter < set.issuer.notAfter) {
    warnIfExpiring(output, "server certificate", server.leaf, now, "renew it with joblet-certs generate");
  }
}

function documentOf(paths: Paths, request: EmbeddedRequest, outcome: Issued): Record<string, unknown> {
  const { acquired, server, published, proofs } = outcome;
  const { set, written } = acquired;
  const source = (made: boolean) => (made ? "generated" : "reused");
  return {
    command: "generate",
    result: "issued",
    outcome: "embedded",
    home: paths.home,
    set: request.discardCaKey ? null : request.caDirectory,
    address: request.host,
    certificates: [
      { role: "ca", source: source(written.has(CA_CERT)), ...certificateFacts(set.issuer) },
      ...[...set.clients].map(([role, { leaf }]) => ({
        role,
        source: source(written.has(clientCertName(role))),
        ...certificateFacts(leaf),
      })),
      { role: "server", source: "generated", ...certificateFacts(server.leaf) },
    ],
    handshakes: proofs.map(({ path, node, ok }) => ({ path, node, ok })),
    files: { written: published.changed, previous: published.kept },
    next: ["systemctl restart joblet"],
    clientConfig: paths.clientConfig,
  };
}
