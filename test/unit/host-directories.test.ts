import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes directories one after another, each at a moment that all processes have agreed on. */
const MAKER = `
const { ensureDirectory } = await import(process.env.MODULE);
const start = Number(process.env.START);
let made = 0;
for (let count = 0; count < 400; count++) {
  while (Date.now() < start + count * 2);
  if (ensureDirectory(process.env.PLACE + "/" + count, 0o700)) made++;
}
console.log(made);
`;

test("two hosts that make the shared directory in the same moment both find it made", async () => {
  const place = mkdtempSync(join(tmpdir(), "joblet-certs-race-"));
  try {
    const module = join(import.meta.dir, "../../src/host/directories.ts");
    const env = { ...process.env, MODULE: module, PLACE: place, START: String(Date.now() + 500) };
    const makers = [1, 2].map(() =>
      Bun.spawn([process.execPath, "-e", MAKER], { env, stdout: "pipe", stderr: "pipe" }),
    );
    const ends = await Promise.all(
      makers.map(async (maker) => ({
        made: Number(await new Response(maker.stdout).text()),
        stderr:
          (await new Response(maker.stderr).text()).split("\n").find((line) => /^(?:\w*Error|Failure): /.test(line)) ??
          "",
        code: await maker.exited,
      })),
    );
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    expect(ends.reduce((sum, { made }) => sum + made, 0)).toBe(400);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}, 30_000);
