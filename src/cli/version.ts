/** Baked in by scripts/build. */
declare const BUILD_VERSION: string;
declare const BUILD_COMMIT: string;
declare const BUILD_TARGET: string;

export const VERSION = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0-source";
const COMMIT = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "unknown";
const TARGET = typeof BUILD_TARGET === "string" ? BUILD_TARGET : "source";

/** `joblet-certs 0.1.0 (commit 1a2b3c4, linux-x64)` */
export function versionLine(): string {
  return `joblet-certs ${VERSION} (commit ${COMMIT}, ${TARGET})`;
}
