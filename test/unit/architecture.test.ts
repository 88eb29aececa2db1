import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const SOURCE = join(import.meta.dir, "../../src");

/** Which folders a folder may import from. Everybody may import errors.ts; main.ts is above all. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  cli: ["provision", "stores", "authority", "config", "host", "tls", "pki"],
  provision: ["authority", "config", "host", "stores", "tls", "pki"],
  stores: ["authority", "host"],
  authority: ["pki"],
  config: ["pki"],
  tls: [],
  host: [],
  pki: [],
};

/** Of the protocol, a store may know the interface, the names and the ids; not the rules. */
const FOR_STORES = ["authority/store.ts", "authority/secrets.ts", "authority/tokens.ts"];

interface SourceFile {
  name: string;
  folder: string;
  text: string;
  /** Without comments and without the contents of strings and templates. */
  code: string;
  imports: readonly string[];
}

const files: SourceFile[] = readdirSync(SOURCE, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"))
  .map((name) => {
    const text = readFileSync(join(SOURCE, name), "utf8");
    const folder = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
    return { name, folder, text, code: codeOf(text), imports: importsOf(name, text) };
  });

/** Paths of the program's own files relative to src, and names of packages. Type-only imports count too. */
function importsOf(name: string, text: string): string[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|(?:^|\n)import\s+"([^"]+)"|import\("([^"]+)"\)/g,
  );
  return [...found].map((match) => {
    const path = match[1] ?? match[2] ?? match[3] ?? "";
    return path.startsWith(".") ? relative(SOURCE, join(SOURCE, dirname(name), path)) : path;
  });
}

function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|\s)\/\/.*$/gm, "$1")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

const ownImports = ({ imports }: SourceFile) => imports.filter((path) => path.endsWith(".ts"));
const folderOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");

test("the checks below look at something: every source file, its imports, its folder", () => {
  expect(files.length).toBeGreaterThan(40);
  expect(files.find(({ name }) => name === "authority/verdict.ts")?.imports).toContain("pki/keys.ts");
  expect(files.find(({ name }) => name === "cli/commands.ts")?.imports).toContain("cli/generate.ts");
  const known = new Set(files.map(({ name }) => name));
  for (const file of files)
    for (const path of ownImports(file)) expect(known.has(path) ? "" : `${file.name}: ${path}`).toBe("");
});

describe("a folder imports from below only", () => {
  for (const file of files.filter(({ folder }) => folder !== "")) {
    test(file.name, () => {
      const allowed = MAY_IMPORT[file.folder];
      if (!allowed) throw new Error(`${file.folder} is a folder that nobody planned: say above what it may import`);
      const wrong = ownImports(file).filter((path) => {
        if (path === "errors.ts" || folderOf(path) === file.folder) return false;
        if (file.folder === "stores" && folderOf(path) === "authority") return !FOR_STORES.includes(path);
        return !allowed.includes(folderOf(path));
      });
      expect(wrong).toEqual([]);
    });
  }
  test("errors.ts imports nothing, main.ts only the command line", () => {
    expect(files.find(({ name }) => name === "errors.ts")?.imports).toEqual([]);
    const main = files.find(({ name }) => name === "main.ts");
    expect(main && ownImports(main).filter((path) => !path.startsWith("cli/"))).toEqual([]);
  });
  test("no file imports itself by a detour through another folder", () => {
    const edges = new Map<string, Set<string>>();
    for (const file of files) {
      const targets = ownImports(file)
        .filter((path) => path !== "errors.ts")
        .map(folderOf)
        .filter((folder) => folder !== file.folder);
      edges.set(file.folder, new Set([...(edges.get(file.folder) ?? []), ...targets]));
    }
    const reach = (from: string, seen = new Set<string>()): Set<string> => {
      for (const next of edges.get(from) ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        reach(next, seen);
      }
      return seen;
    };
    expect([...edges.keys()].filter((folder) => folder !== "" && reach(folder).has(folder))).toEqual([]);
  });
});

describe("pki and config are the same on every machine, at every time", () => {
  // URL and crypto are handed in or pure; WebCrypto comes as a parameter.
  const ambient = [
    /\bprocess\b/,
    /\bBun\.(?!deepEquals\b)/,
    /\bDate\.now\b/,
    /\bnew Date\(\s*\)/,
    /\bDate\(\s*\)/,
    /\bMath\.random\b/,
    /\bperformance\b/,
    /\bfetch\b/,
    /\bglobalThis\b/,
    /\bset(?:Timeout|Interval|Immediate)\b/,
    /\brequire\(/,
    /\b(?:randomBytes|randomUUID|generateKeyPair(?:Sync)?)\b/,
  ];
  const packages = ["node:crypto", "yaml", "@peculiar/x509", "reflect-metadata/lite"];
  for (const file of files.filter(({ folder }) => folder === "pki" || folder === "config")) {
    test(file.name, () => {
      expect(ambient.filter((pattern) => pattern.test(file.code)).map(String)).toEqual([]);
      expect(file.imports.filter((path) => !path.endsWith(".ts") && !packages.includes(path))).toEqual([]);
    });
  }
});

test("only cli/output.ts prints, or a key could get out where nobody looks", () => {
  const printing = /\bconsole\.|\bprocess\.std(?:out|err)\b|\bBun\.(?:stdout|stderr|write)\b|\bwriteSync\b|\bconsola\b/;
  expect(files.filter(({ code }) => printing.test(code)).map(({ name }) => name)).toEqual(["cli/output.ts"]);
});

test("no file has more than 300 lines", () => {
  const lengths = files.map(({ name, text }) => [name, text.split("\n").length - 1] as const);
  expect(lengths.filter(([, lines]) => lines > 300)).toEqual([]);
});

test("the x509 library has one door: another order of imports crashes the compiled program", () => {
  const users = files.filter(({ imports }) => imports.includes("@peculiar/x509")).map(({ name }) => name);
  expect(users).toEqual(["pki/x509-library.ts"]);
});
