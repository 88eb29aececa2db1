import {
  type Document,
  isMap,
  isScalar,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from "yaml";
import { ExitCode, Failure } from "../errors.ts";

/** A configuration file that was parsed and found to be one mapping. */
export interface YamlFile {
  /** Where it is, for messages. */
  path: string;
  text: string;
  document: Document.Parsed;
  root: YAMLMap;
}

/**
 * Parses one of Joblet's files.
 * @param repair what to do about a file that cannot be used, for the message
 * @throws Failure 7 naming the file, the line and what is wrong
 */
export function parseYaml(path: string, text: string, repair: string): YamlFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, keepSourceTokens: true });
  const [document] = "empty" in documents ? [] : documents;
  const error = document?.errors[0];
  if (error?.code === "DUPLICATE_KEY") throw duplicateKey(path, text, repair);
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    // Behind a colon the parser quotes the file, which may be a private key.
    const reason = (error.message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "").replace(/:.*/, "");
    throw new Failure(
      ExitCode.files,
      `${path} is not valid YAML: line ${line}, column ${col}: ${reason}`,
      `mend it, or ${repair}`,
    );
  }
  if (documents.length > 1) {
    throw new Failure(
      ExitCode.files,
      `${path} holds more than one YAML document; Joblet reads only the first`,
      `keep one, or ${repair}`,
    );
  }
  if (!document || !isMap(document.contents)) {
    throw new Failure(
      ExitCode.files,
      `${path} is not a YAML mapping`,
      `put Joblet's configuration there, or ${repair}`,
    );
  }
  const unresolved = aliasProblem(document);
  if (unresolved)
    throw new Failure(ExitCode.files, `${path} is not valid YAML: ${unresolved}`, `mend it, or ${repair}`);
  return { path, text, document, root: document.contents };
}

/** Aliases without an anchor, and those that multiply beyond all measure, show only when they are resolved. */
function aliasProblem(document: Document.Parsed): string | undefined {
  let found = false;
  visit(document, {
    Alias() {
      found = true;
      return visit.BREAK;
    },
  });
  if (!found) return undefined;
  try {
    document.toJS({ mapAsMap: true });
    return undefined;
  } catch {
    return "an alias has no anchor before it, or aliases multiply beyond measure";
  }
}

/** The pair with this key, in block or flow style, quoted or not. */
export function pairOf(map: YAMLMap, key: string): Pair<ParsedNode, ParsedNode | null> | undefined {
  const pairs = map.items as Pair<ParsedNode, ParsedNode | null>[];
  return pairs.find((pair) => (isScalar(pair.key) ? String(pair.key.value) : undefined) === key);
}

/** The mapping under a path of keys, aliases resolved; undefined when there is none. */
export function mapAt(file: YamlFile, path: readonly string[]): YAMLMap | undefined {
  const node = path.length === 0 ? file.root : file.document.getIn(path, true);
  return isMap(node) ? node : undefined;
}

/** The string (or the number as text) under a path of keys; undefined when there is none. */
export function stringAt(file: YamlFile, path: readonly string[]): string | undefined {
  const value = file.document.getIn(path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value : undefined;
}

/** yaml.v3 refuses a file with duplicate keys, and the old scripts could write one: name the key and both lines. */
function duplicateKey(path: string, text: string, repair: string): Failure {
  const lines = new LineCounter();
  const [document] = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false }) as Document.Parsed[];
  const found = document && isMap(document.contents) ? findDuplicate(document.contents, []) : undefined;
  const places = found?.offsets.map((offset) => lines.linePos(offset).line).join(" and ");
  const what = found
    ? `has the key ${found.path.map(printable).join(".")} more than once, in lines ${places}`
    : "has a duplicate key";
  return new Failure(ExitCode.files, `${path} ${what}; Joblet refuses such a file`, `remove one of them, or ${repair}`);
}

/** A mangled file can have lines of a private key where keys belong: only what looks like a name is quoted. */
function printable(key: string): string {
  return /^[\w.-]{1,32}$/.test(key) ? key : "(not a name)";
}

function findDuplicate(map: YAMLMap, path: string[]): { path: string[]; offsets: number[] } | undefined {
  const seen = new Map<string, number[]>();
  for (const pair of map.items as Pair<ParsedNode, ParsedNode | null>[]) {
    const key = isScalar(pair.key) ? String(pair.key.value) : undefined;
    if (key !== undefined) seen.set(key, [...(seen.get(key) ?? []), pair.key.range[0]]);
    const inner = isMap(pair.value) ? findDuplicate(pair.value, [...path, key ?? "?"]) : undefined;
    if (inner) return inner;
  }
  for (const [key, offsets] of seen) if (offsets.length > 1) return { path: [...path, key], offsets };
  return undefined;
}

/** A string from a file that may be broken otherwise (duplicate keys, say); undefined when it cannot be found. */
export function salvageString(text: string, path: readonly string[]): string | undefined {
  const [document] = parseAllDocuments(text, { uniqueKeys: false }) as Document.Parsed[];
  const value = document && isMap(document.contents) ? document.getIn(path) : undefined;
  return typeof value === "string" ? value : undefined;
}
