import { type HostRecord, writeRecord } from "../config/record.ts";
import {
  commitFiles,
  discardStaged,
  type HostFile,
  readHostFile,
  type StagedFile,
  setMode,
  stageFile,
} from "../host/files.ts";
import type { Composition } from "./compose.ts";
import { type Installation, SYSTEM_CLIENT_CONFIG } from "./installation.ts";

/** A file as it shall be, beside what it is. */
interface Target {
  path: string;
  text: string;
  existing: HostFile | undefined;
  mode: number;
}

export interface Published {
  /** Paths of the files whose content changed or that were made. */
  changed: readonly string[];
  /** Paths of the `.previous` files that were written. */
  kept: readonly string[];
}

const PRIVATE = 0o600;

/** Everything of a publication, on disk beside its targets: nothing but renames is left to do. */
export interface Publication {
  commit(): Published;
  discard(): void;
}

/**
 * Prepares to publish a composition, all or nothing. The server configuration is renamed after the client files and the
 * record last, so a killed run is recognised by the next: until then `caCert` still names the old roots, and with them
 * the client nodes that have to follow.
 * @param generationChanged roots or a client certificate change: what was there before is kept as `<name>.previous`
 */
export function preparePublication(
  installation: Installation,
  composition: Composition,
  record: HostRecord,
  generationChanged: boolean,
): Publication {
  const targets = targetsOf(installation, composition, record);
  const changed = targets.filter((target) => target.existing?.text !== target.text);
  const previous = generationChanged ? previousOf(targets, installation.paths.serverConfig) : [];
  const staged: StagedFile[] = [];
  const stage = (path: string, text: string, keep: Keep) => {
    const file = stageFile(path, text, keep);
    staged.push(file);
    return file;
  };
  try {
    const copies = previous.map(({ path, text }) => stage(`${path}.previous`, text, { mode: PRIVATE }));
    const files = changed.map((target) => stage(target.path, target.text, keepOf(target)));
    return {
      commit() {
        commitFiles(copies);
        commitFiles(files);
        for (const target of targets) if (!changed.includes(target)) correctMode(target);
        return { changed: files.map(({ target }) => target), kept: copies.map(({ target }) => target) };
      },
      discard: () => discardStaged(staged),
    };
  } catch (error) {
    discardStaged(staged);
    throw error;
  }
}

/** In the order of publication. */
function targetsOf(installation: Installation, composition: Composition, record: HostRecord): Target[] {
  const { paths } = installation;
  const clients = composition.clients.map(({ path, config, existing }) => ({
    path,
    text: config.file.text,
    existing,
    mode: path === SYSTEM_CLIENT_CONFIG ? (existing?.mode ?? PRIVATE) : PRIVATE,
  }));
  const server = {
    path: paths.serverConfig,
    text: composition.server.config.file.text,
    existing: composition.server.existing,
    mode: PRIVATE,
  };
  return [
    ...clients,
    server,
    { path: paths.record, text: writeRecord(record), existing: installation.record?.host, mode: PRIVATE },
  ];
}

type Keep = { mode: number; uid?: number; gid?: number };

function keepOf({ mode, existing }: Target): Keep {
  return existing ? { mode, uid: existing.uid, gid: existing.gid } : { mode };
}

function correctMode({ path, existing, mode }: Target): void {
  if (existing && existing.mode !== mode) setMode(path, mode);
}

/**
 * What is kept of the state before, in the config directory alone. The server configuration's copy comes last: when one
 * equals the file, an earlier run kept this very state and was killed before it could publish, and its copies must not
 * be overwritten with half of the new state.
 */
function previousOf(targets: readonly Target[], serverConfig: string): { path: string; text: string }[] {
  const copies = targets.flatMap(({ path, existing }) =>
    existing && path !== SYSTEM_CLIENT_CONFIG ? [{ path, text: existing.text }] : [],
  );
  const server = copies.find(({ path }) => path === serverConfig);
  if (server && readHostFile(`${serverConfig}.previous`)?.text === server.text) return [];
  return [...copies.filter((copy) => copy !== server), ...(server ? [server] : [])];
}
