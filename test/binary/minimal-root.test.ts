import { expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { binaryPath, needRoot, needTool, shell, tempDir } from "../support/binary.ts";
import { faults, strays } from "../support/installed.ts";

setDefaultTimeout(60_000);

/** The C library's files and the loader, as absolute paths. */
function libraries(): string[] {
  const { stdout } = spawnSync("ldd", [binaryPath()], { encoding: "utf8" });
  return stdout.match(/(?<=^\s*|=> )\/\S+/gm) ?? [];
}

test("it runs where there is nothing but a kernel and the C library: no /etc, no /tmp, no /sys", async () => {
  needRoot("chroot");
  needTool("unshare", "util-linux");
  using root = tempDir();
  const paths = libraries();
  expect(paths.length).toBeGreaterThan(0);
  for (const path of paths) {
    expect(path).toMatch(/\/(?:ld-linux|ld-musl|libc\.|libpthread\.|libdl\.|libm\.|librt\.)/);
    mkdirSync(join(root.path, dirname(path)), { recursive: true });
    copyFileSync(path, join(root.path, path));
  }
  for (const name of ["proc", "dev"]) mkdirSync(root.at(name));
  for (const name of ["joblet-certs", "dev/null", "dev/urandom"]) writeFileSync(root.at(name), "");
  const before = readdirSync(root.path).sort();
  const script = `
    exec unshare --mount --pid --net --fork sh -euc '
      for device in null urandom; do mount --bind "/dev/$device" "$2/dev/$device"; done
      mount --bind "$1" "$2/joblet-certs"
      mount -t proc proc "$2/proc"
      for arguments in "generate --offline" "generate --offline --json" "verify"; do
        env -i "$(command -v chroot)" "$2" /joblet-certs $arguments
      done
    ' sh "$@"`;
  const { code, stderr } = await shell(script, binaryPath(), root.path);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toContain("Reused (this host only)");
  expect(stderr).toContain("✅ a client of another CA is turned away");
  expect(readdirSync(root.path).sort()).toEqual([...before, "opt"].sort());
  expect(faults(root.at("opt/joblet"))).toEqual([]);
  expect(strays(root.at("opt/joblet"))).toEqual([]);
});
