import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "yaml";
import { parseYaml } from "../../src/config/yaml-document.ts";
import { editYaml } from "../../src/config/yaml-edit.ts";
import type { Changes } from "../../src/config/yaml-render.ts";

const RUNS = Number(process.env.FC_RUNS ?? 2000);
const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB==\n-----END CERTIFICATE-----\n";
const CHANGES: Changes = {
  security: { serverCert: { block: PEM }, serverKey: { block: `${PEM}${PEM}` } },
  server: { nodeId: { quoted: "8f94c5b2" } },
};

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const comment = fc.oneof(
  fc.constant(""),
  fc.stringMatching(/^[ -~]{0,12}$/).map((text) => ` # ${text}`),
);
const blank = fc.constantFrom("", "\n", "\n\n", "# line\n", "\n   \n", "   # indented\n");
const oldBlock = fc.constantFrom("|", ">", "|-", ">-", "|+");

/** Scalar spellings for a value of one line or more, given the column of its key and the step. */
function spelling(column: number, step: number) {
  const pad = " ".repeat(column + step);
  return fc.oneof(
    fc
      .tuple(
        fc.constantFrom("", " plain", ' "quoted"', " 'single'", " ~", " 12", " &a x", ' !!str "x"', " [ a, b ]"),
        comment,
      )
      .map(([v, c]) => `${v}${c}\n`),
    fc
      .tuple(oldBlock, comment, fc.constantFrom("", "\n", "\n\n"), fc.constantFrom("", "  "))
      .map(([header, c, tail, extra]) => ` ${header}${c}\n${pad}${extra}one\n\n${pad}${extra}# no comment\n${tail}`),
    fc.constant(` "two\n${pad}lines"\n`),
    fc.constant(` plain on\n${pad}two lines\n`),
    fc.constant(`\n${pad}"below"\n`),
    fc.constant(`\n${pad}# before\n${pad}below\n`),
    fc.constant(` |\n`),
  );
}

const OURS = ["serverCert", "serverKey", "nodeId"];

function block(column: number, step: number, names: readonly string[], depth: number): fc.Arbitrary<string> {
  const pad = " ".repeat(column);
  const entry = (name: string): fc.Arbitrary<string> =>
    fc
      .tuple(
        blank,
        fc.constantFrom(name, `"${name}"`, `'${name}'`),
        name === "security" || name === "server"
          ? fc.oneof(
              block(column + step, step, name === "security" ? ["serverCert", "serverKey"] : ["nodeId"], depth - 1).map(
                (b) => `\n${b}`,
              ),
              fc.constantFrom(
                " {}\n",
                "\n",
                " # none yet\n",
                " ~\n",
                " { a: 1 }\n",
                ' {a: "x", serverCert: y, }  # c\n',
                " { nodeId: '' }\n",
                " {\n    a: 1, # c\n    b: 2 # d\n    }\n",
              ),
            )
          : depth > 0 && !OURS.includes(name)
            ? fc.oneof(
                spelling(column, step),
                block(column + step, step, [], depth - 1).map((b) => `\n${b}`),
                fc.constant(`\n${pad}- a\n${pad}- b: 1\n${pad}  c: 2\n`),
              )
            : spelling(column, step).map((s) => (OURS.includes(name) ? s.replace(" [ a, b ]", " z") : s)),
      )
      .map(([before, key, value]) => `${before}${pad}${key}:${value}`);
  return fc
    .tuple(fc.uniqueArray(word, { maxLength: 3 }), fc.subarray([...names]), fc.nat())
    .chain(([others, ours, seed]) => {
      const keys = [...others.filter((o) => !names.includes(o)), ...ours];
      if (keys.length === 0) keys.push("z");
      const rotated = keys.map((_, i) => keys[(i + seed) % keys.length] as string);
      return fc.tuple(...rotated.map(entry)).map((parts) => (parts as string[]).join(""));
    });
}

const documents = fc
  .record({
    body: fc
      .tuple(fc.constantFrom(1, 2, 4), fc.constantFrom(0, 0, 2))
      .chain(([step, column]) => block(column, step, ["security", "server"], 2)),
    crlf: fc.boolean(),
    cutEnd: fc.boolean(),
    head: fc.constantFrom("", "---\n", "# top\n", "%YAML 1.2\n---\n", "\uFEFF"),
    tail: fc.constantFrom("", "# end\n", "\n\n", "...\n"),
  })
  .map(({ body, crlf, cutEnd, head, tail }) => {
    let text = head + body + tail;
    if (cutEnd && !tail) text = text.replace(/\n+$/, "");
    return crlf ? text.replaceAll("\n", "\r\n") : text;
  });

/** Removes what the edit owns: the values (not the comments) under our keys. Whatever is left has to be equal. */
test("an edit changes nothing but the values it owns, whatever the file looks like", () => {
  let edits = 0;
  fc.assert(
    fc.property(documents, (text) => {
      let file: ReturnType<typeof parseYaml>;
      try {
        file = parseYaml("f.yml", text, "-");
      } catch {
        fc.pre(false);
        return;
      }
      const edited = editYaml(file, CHANGES, "-").text;
      edits++;
      const data = parse(text) ?? {};
      const expected = {
        ...data,
        security: { ...(data.security ?? {}), serverCert: PEM, serverKey: PEM + PEM },
        server: { ...(data.server ?? {}), nodeId: "8f94c5b2" },
      };
      expect(parse(edited)).toEqual(expected);
      // Every comment and every foreign line is still there, in order.
      const lines = (t: string) => t.split(/(?<=\n)/);
      let at = 0;
      const after = lines(edited);
      for (const line of lines(text)) {
        if (/serverCert|serverKey|nodeId|security|server|one|no comment|two|lines|below|b: 2|^\s*$/.test(line))
          continue;
        // Deep enough below a literal block it is no comment but part of the old value.
        if (/# indented/.test(line) && JSON.stringify(data).includes("# indented")) continue;
        const core = line.replace(/\r?\n$/, "");
        const found = after.findIndex((other, index) => index >= at && other.replace(/\r?\n$/, "") === core);
        expect(found >= 0 ? core : `lost: ${core}`).toBe(core);
        at = found + 1;
      }
      if (text.includes("\r\n") && text.split("\n").length > 1) expect(/[^\r]\n/.test(edited)).toBe(false);
      expect(editYaml(parseYaml("f.yml", edited, "-"), CHANGES, "-").text).toBe(edited);
    }),
    { numRuns: RUNS },
  );
  expect(edits).toBeGreaterThan(RUNS / 2);
});
