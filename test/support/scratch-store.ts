import { afterEach, beforeEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstToken, nextToken } from "../../src/authority/tokens.ts";
import { DirectoryStore } from "../../src/stores/directory.ts";

/** Ids of the first two versions of `ca-key`. */
export const FIRST = firstToken("ca-key");
export const SECOND = nextToken(FIRST, 0);

/** A folder for each test of a file, and in it a directory `ca` that is not there yet. */
export function scratchStore() {
  const place = {
    scratch: "",
    get path() {
      return join(place.scratch, "ca");
    },
    open: () => DirectoryStore.open(place.path),
    file: (...parts: string[]) => join(place.path, ...parts),
  };
  beforeEach(() => {
    place.scratch = mkdtempSync(join(tmpdir(), "joblet-certs-store-"));
  });
  afterEach(() => rmSync(place.scratch, { recursive: true, force: true }));
  return place;
}

/** The value that a look at the store shows, else why there is none. */
export async function textOf(
  store: DirectoryStore,
  name: string,
  selector: "current" | "previous" | { id: string } = "current",
): Promise<string> {
  const reading = await store.read(name, selector);
  return reading.state === "present" ? reading.version.value : reading.state;
}
