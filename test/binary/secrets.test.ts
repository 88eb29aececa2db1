import { expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { run, tempDir } from "../support/binary.ts";
import { CLIENT, filledHome, keyLines, SERVER } from "../support/installed.ts";

setDefaultTimeout(120_000);

/** Every line of every key that the home has held. */
class Watch {
  readonly lines = new Set<string>();

  constructor(readonly home: string) {
    this.look();
  }

  look(): void {
    for (const line of keyLines(this.home)) this.lines.add(line);
  }

  async run(args: string[], env: Record<string, string> = {}): Promise<number> {
    const result = await run(args, { env: { JOBLET_HOME: this.home, ...env } });
    this.look();
    const output = result.stdout + result.stderr;
    // A line may be broken or escaped in the output: half of it is a leak too.
    const flat = output.replace(/\\n|[\s"']/g, "");
    for (const line of this.lines) {
      const leaked = flat.includes(line.slice(0, 24)) || flat.includes(line.slice(-24));
      expect({ args, leaked, output: leaked ? output : "" }).toEqual({ args, leaked: false, output: "" });
    }
    expect(output).not.toContain("PRIVATE KEY-----");
    return result.code;
  }
}

test.each(["ec-p256", "ec-p384", "rsa-2048"])("no key reaches the output when all goes well (%s)", async (type) => {
  using home = tempDir();
  const watch = new Watch(home.path);
  for (const more of [[], ["--json"], ["--verbose"], ["--json", "--verbose"]]) {
    expect(await watch.run(["--offline", `--key-type=${type}`, "--roles=admin,reader", ...more])).toBe(0);
    expect(await watch.run(["--offline", "--force-regenerate", ...more])).toBe(0);
    expect(await watch.run(["verify", ...more])).toBe(0);
  }
  expect(watch.lines.size).toBeGreaterThan(20);
});

type Damage = (text: string) => string;

/** Ways in which a file can be wrong right where a key stands: an error that quotes the place quotes the key. */
const DAMAGES: [what: string, file: string, damage: Damage][] = [
  ["a key's line out of its block", SERVER, (text) => text.replace(/(serverKey: \|\n.*\n) +/, "$1")],
  ["a key's line that looks like a mapping", SERVER, (text) => text.replace(/(serverKey: \|\n.*\n) +(\S+)/, "$1$2: x")],
  ["a key as a bare value", SERVER, (text) => text.replace(/serverKey: \|\n/, "serverKey:\n")],
  ["a key as a quoted value that does not end", SERVER, (text) => text.replace(/serverKey: \|\n +/, 'serverKey: "')],
  ["a key as an alias", SERVER, (text) => text.replace(/serverKey: \|\n.*\n +/, "serverKey: *")],
  ["a key as a tag", SERVER, (text) => text.replace(/serverKey: \|\n.*\n +/, "serverKey: !")],
  [
    "a key as a map's key, twice",
    SERVER,
    (text) => text.replace(/serverKey: \|\n.*\n( +)(\S+)/, "x:\n$1$2: 1\n$1$2: 2\nz: |\n$1"),
  ],
  ["a key in flow brackets", SERVER, (text) => text.replace(/serverKey: \|\n.*\n +/, "serverKey: [")],
  ["a key's byte changed", SERVER, (text) => text.replace(/(serverKey: \|\n.*\n +.{12})./, "$1*")],
  ["a key cut short", SERVER, (text) => text.replace(/(serverKey: \|\n.*\n +.{20}).*/, "$1")],
  ["a client key's line out of its block", CLIENT, (text) => text.replace(/(key: \|\n.*\n) +/, "$1")],
  ["a client key as an alias", CLIENT, (text) => text.replace(/ key: \|\n.*\n +/, " key: *")],
  ["a client key cut short", CLIENT, (text) => text.replace(/( key: \|\n.*\n +.{20}).*/, "$1")],
  ["a CA key's byte changed", "ca/ca-key", (text) => text.replace(/(\n.{30})./, "$1*")],
  ["a CA key cut short", "ca/ca-key", (text) => text.slice(0, 120)],
  ["a CA key without its last line", "ca/ca-key", (text) => text.replace(/-----END.*\n/, "")],
  ["a CA key in place of the certificate", "ca/ca-cert", () => ""],
  ["a client key in place of the certificate", "ca/client-cert", () => ""],
];

test.each(DAMAGES)("no key reaches the output in an error: %s", async (what, file, damage) => {
  using home = await filledHome();
  const watch = new Watch(home.path);
  const before = readFileSync(home.at(file), "utf8");
  if (what.endsWith("in place of the certificate")) cpSync(home.at(file.replace("-cert", "-key")), home.at(file));
  else writeFileSync(home.at(file), damage(before), { mode: 0o600 });
  expect(readFileSync(home.at(file), "utf8")).not.toBe(before);
  for (const more of [[], ["--json", "--verbose"]]) {
    expect(await watch.run(["verify", ...more])).not.toBe(1);
    expect(await watch.run(["--offline", ...more])).not.toBe(1);
  }
  expect(await watch.run(["--offline", "--reset-config", "--force-regenerate", "--json", "--verbose"])).not.toBe(1);
});
