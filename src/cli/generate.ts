import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ExitCode, Failure } from "../errors.ts";
import { hostAddresses, primaryAddress } from "../host/addresses.ts";
import { directoryExists, followed } from "../host/directories.ts";
import { isEc2 } from "../host/ec2.ts";
import { isUnspecified, parseName, type SubjectAltName } from "../pki/names.ts";
import { type EmbeddedRequest, provisionEmbedded } from "../provision/embedded.ts";
import { withHostLock } from "../provision/host-lock.ts";
import { type Paths, pathsOf, readInstallation, readTemplate } from "../provision/installation.ts";
import { requireClock } from "./clock.ts";
import { COMMANDS, type Invocation } from "./commands.ts";
import { decideMode, type Mode, recordedMode } from "./mode.ts";
import { renderOutcome, reportEvent } from "./render-generate.ts";
import { resolveSettings, settingsToRecord } from "./resolve-settings.ts";
import { DEFAULT_HOME, type Settings } from "./settings.ts";

/** `generate`, also under the scripts' names. */
export async function generate(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const now = requireClock();
  const given = settingsOf(invocation, {});
  const paths = pathsOf(given.home?.value ?? DEFAULT_HOME);
  lookBeforeTouching(paths, given);
  const onWait = () => output.info("waiting for another run on this host to end");
  await withHostLock(paths, onWait, async () => {
    // Whether to reset is never remembered, so it is known before the record is read.
    const installation = readInstallation(paths, given.resetConfig?.value ?? false, (text) => output.warn(text));
    const recorded = installation.record?.data.settings ?? {};
    const settings = settingsOf(invocation, recorded);
    refuseToDiscardShared(settings);
    const mode = decideMode(settings, invocation.calledAs);
    requireOffline(mode, installation.record?.data.outcome.kind === "shared", settings.isEc2?.value);
    const request = {
      ...toRequest(paths, settings, invocation, now),
      explicitOffline: mode.explicit && mode.mode === "false",
    };
    request.settings = recordedMode(settings, settingsToRecord(settings, recorded));
    const outcome = await provisionEmbedded(installation, request, {
      info: (text) => output.info(text),
      warn: (text) => output.warn(text),
      event: (event) => reportEvent(output, event),
    });
    renderOutcome(output, paths, request, outcome);
  });
  return ExitCode.done;
}

function settingsOf({ flags, environment }: Invocation, recorded: Readonly<Record<string, string>>): Settings {
  const names = COMMANDS.find(({ name }) => name === "generate")?.settings ?? [];
  return resolveSettings(names, flags, environment, recorded);
}

/** On a host without a config directory a failure must not leave one: what can be wrong is found before it is made. */
function lookBeforeTouching(paths: Paths, settings: Settings): void {
  refuseToDiscardShared(settings);
  if (!directoryExists(paths.configDirectory) && existsSync(paths.template)) readTemplate(paths);
}

/** What is given now beats what is remembered; neither may remove a directory that other hosts use. */
function refuseToDiscardShared({ caDir, discardCaKey }: Settings): void {
  if (!caDir || !discardCaKey?.value || discardCaKey.origin === "record") return;
  throw new Failure(
    ExitCode.usage,
    `--discard-ca-key would remove the --ca-dir ${caDir.value}, which other hosts may use`,
    "give --discard-ca-key or --ca-dir, not both; a remembered ca-dir goes with joblet-certs.json",
  );
}

/** Until the Secrets Manager store is part of this program, a run that would need it must not make a CA of its own. */
function requireOffline({ mode }: Mode, inFleet: boolean, onEc2: boolean | undefined): void {
  if (mode === "false" || (mode === "auto" && !inFleet && !isEc2(onEc2))) return;
  throw new Failure(
    ExitCode.usage,
    mode === "true"
      ? "this release cannot use AWS Secrets Manager yet"
      : "this host runs on EC2, and this release cannot use AWS Secrets Manager yet",
    "give --offline to make certificates for this host alone",
  );
}

function toRequest(paths: Paths, settings: Settings, { output }: Invocation, now: number): EmbeddedRequest {
  const addresses = hostAddresses();
  const address = settings.address?.value;
  const configured = typeof address === "object" ? address : undefined;
  const host = configured?.value ?? primaryAddress(addresses) ?? "localhost";
  const { names, internalIp, publicIp, domain } = settings;
  const additional = [names?.value, internalIp?.value, publicIp?.value, domain?.value]
    .flat()
    .filter((name) => name !== undefined);
  const usable = additional.filter((name) => {
    if (isUnspecified(name))
      output.warn(`${name.value} is a bind address that nobody can dial; it is left out of the certificate`);
    return !isUnspecified(name);
  });
  return {
    caDirectory: settings.caDir ? followed(resolve(settings.caDir.value)) : paths.caDirectory,
    ownDirectory: settings.caDir === undefined,
    keyType: settings.keyType?.value ?? "ec-p256",
    caDays: settings.caDays?.value,
    serverDays: settings.serverDays?.value,
    clientDays: settings.clientDays?.value,
    roles: settings.roles?.value,
    host,
    explicitHost: configured !== undefined && settings.address?.origin !== "record",
    port: settings.port?.value,
    names: [...(configured ? [configured] : []), ...usable],
    hostNames: addresses
      .map(({ address: text }) => parseName(text))
      .filter((name): name is SubjectAltName => name !== undefined),
    force: settings.forceRegenerate?.value ?? false,
    discardCaKey: settings.caDir === undefined && (settings.discardCaKey?.value ?? false),
    explicitOffline: false,
    settings: {},
    now,
    crypto,
  };
}
