import { ExitCode, Failure } from "../errors.ts";
import { pathsOf, readInstallation } from "../provision/installation.ts";
import { proveInstalled } from "../provision/prove-installed.ts";
import { certificateFacts } from "./certificate-facts.ts";
import { requireClock } from "./clock.ts";
import type { Invocation } from "./commands.ts";
import { warnIfExpiring } from "./expiry.ts";
import { resolveSettings } from "./resolve-settings.ts";
import { DEFAULT_HOME } from "./settings.ts";

/** `verify`: what is on disk, proven by handshakes. Changes nothing and takes no lock. */
export async function verify({ flags, environment, output }: Invocation): Promise<number> {
  const now = requireClock();
  const { home } = resolveSettings(["home"], flags, environment);
  const paths = pathsOf(home?.value ?? DEFAULT_HOME);
  const installation = readInstallation(paths, false, (text) => output.warn(text));
  if (!installation.server?.config?.serverCert || !installation.client) {
    const missing = installation.server?.config?.serverCert ? paths.clientConfig : paths.serverConfig;
    const what =
      installation.server && !installation.server.config?.serverCert ? "holds no certificate" : "does not exist";
    throw new Failure(ExitCode.files, `${missing} ${what}`, "run joblet-certs generate first");
  }
  const { checks, skipped, serverLeaf, clients } = await proveInstalled(installation, now, crypto);
  for (const { ok, what, problem } of checks) output.info(`${ok ? "✅" : "❌"} ${what}${ok ? "" : `: ${problem}`}`);
  for (const what of skipped) output.info(`   ${what}: belongs to another fleet, not checked`);
  const renewal = "renew it with joblet-certs generate";
  if (serverLeaf) warnIfExpiring(output, "server certificate", serverLeaf, now, renewal);
  for (const { what, leaf } of clients) {
    warnIfExpiring(output, what, leaf, now, "joblet-certs generate reissues it once it has expired");
  }
  const failed = checks.filter(({ ok }) => !ok);
  output.result({
    command: "verify",
    result: failed.length === 0 ? "ok" : "failed",
    home: paths.home,
    checks,
    skipped,
    server: serverLeaf ? certificateFacts(serverLeaf) : null,
  });
  if (failed.length === 0) return ExitCode.done;
  output.info(`${failed.length} of ${checks.length} checks failed`);
  return ExitCode.checkFailed;
}
