import { isAlias, isCollection, isMap, isScalar, type Pair, type ParsedNode, type YAMLMap } from "yaml";
import { ExitCode, Failure } from "../errors.ts";
import { pairOf, parseYaml, type YamlFile } from "./yaml-document.ts";
import {
  blockLines,
  type Changes,
  inline,
  inlineMap,
  isNewValue,
  mapLines,
  type NewValue,
  plainValue,
  type Style,
} from "./yaml-render.ts";

/** A piece of the text to be replaced by another. */
interface Splice {
  start: number;
  end: number;
  text: string;
}

/**
 * Sets values in the text of a YAML file. Every byte that is not part of a changed value stays: comments, order,
 * quoting, spacing, line endings. The result is parsed again and compared with what it has to mean.
 * @throws Failure 7 when the file is written in a way that cannot be edited without losing something
 */
export function editYaml(file: YamlFile, changes: Changes, repair: string): YamlFile {
  const eol = /\r?\n/.exec(file.text)?.[0] ?? "\n";
  const style: Style = { text: file.text, eol, step: indentStep(file.root) };
  const splices = editMap(file.root, changes, style, [], file.path);
  if (splices.length === 0) return file;
  const text = applySplices(file.text, splices);
  const expected = withChanges(file.document.toJS({ mapAsMap: true }), changes);
  let edited: YamlFile;
  try {
    edited = parseYaml(file.path, text, repair);
  } catch {
    throw notEditable(file.path, repair);
  }
  if (!Bun.deepEquals(edited.document.toJS({ mapAsMap: true }), expected, true)) throw notEditable(file.path, repair);
  return edited;
}

function editMap(map: YAMLMap, changes: Changes, style: Style, path: string[], file: string): Splice[] {
  const splices: Splice[] = [];
  const missing: Changes = {};
  for (const [key, change] of Object.entries(changes)) {
    const pair = pairOf(map, key);
    if (!pair) missing[key] = change;
    else if (isNewValue(change)) splices.push(...replaceValue(map, pair, change, style));
    else if (isMap(pair.value)) splices.push(...editMap(pair.value, change, style, [...path, key], file));
    else if (isEmpty(pair.value)) splices.push(...fillEmpty(map, pair, change, style));
    else {
      throw new Failure(
        ExitCode.files,
        `${[...path, key].join(".")} in ${file} is not a mapping`,
        "make it one, or remove it",
      );
    }
  }
  if (Object.keys(missing).length > 0)
    splices.push(map.flow ? appendFlow(map, missing, style) : appendBlock(map, missing, style));
  return splices;
}

function replaceValue(
  map: YAMLMap,
  pair: Pair<ParsedNode, ParsedNode | null>,
  value: NewValue,
  style: Style,
): Splice[] {
  const node = pair.value;
  if (isScalar(node) && sameValue(node.value, value)) return [];
  const position = valuePosition(pair, style);
  if (map.flow || !("block" in value)) {
    if (isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")) {
      const { headerStart, body } = blockParts(node, style);
      return [{ start: headerStart, end: body.end, text: inline(value) + style.eol }];
    }
    return [{ ...position, text: position.lead + inline(value) }];
  }
  const indent = keyColumn(map, style) + style.step;
  if (isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")) {
    const { headerStart, headerEnd, body } = blockParts(node, style);
    const kept = bodyIndent(style.text.slice(body.start, body.end));
    const lines = blockLines(value.block, kept > keyColumn(map, style) ? kept : indent, style, body.end);
    return [
      { start: headerStart, end: headerEnd, text: "|" },
      { start: body.start, end: body.end, text: body.newline + lines },
    ];
  }
  // The rest of the line (a comment) stays behind the header; the body goes below it.
  const lineEnd = endOfLine(style.text, position.end);
  const newline = lineEnd.terminated ? "" : style.eol;
  return [
    { start: position.start, end: position.end, text: `${position.lead}|` },
    { start: lineEnd.next, end: lineEnd.next, text: newline + blockLines(value.block, indent, style, lineEnd.next) },
  ];
}

/** `security:` with nothing, null or {} under it. */
function fillEmpty(map: YAMLMap, pair: Pair<ParsedNode, ParsedNode | null>, changes: Changes, style: Style): Splice[] {
  const position = valuePosition(pair, style);
  if (map.flow) return [{ ...position, text: position.lead + inlineMap(changes) }];
  const lineEnd = endOfLine(style.text, position.end);
  const newline = lineEnd.terminated ? "" : style.eol;
  const lines = mapLines(changes, keyColumn(map, style) + style.step, style, lineEnd.next);
  return [
    { start: position.start, end: position.end, text: "" },
    { start: lineEnd.next, end: lineEnd.next, text: newline + lines },
  ];
}

function appendBlock(map: YAMLMap, changes: Changes, style: Style): Splice {
  const { next, terminated } = endOfMap(map, style);
  const lines = mapLines(changes, keyColumn(map, style), style, next);
  // A new section at the top level stands apart from the one before it, unless a blank line could be part of that.
  const isSection = keyColumn(map, style) === 0 && Object.values(changes).some((change) => !isNewValue(change));
  const gap = isSection && !endsInBlock(map) ? style.eol : "";
  return { start: next, end: next, text: (terminated ? "" : style.eol) + gap + lines };
}

function appendFlow(map: YAMLMap, changes: Changes, style: Style): Splice {
  const entries = inlineMap(changes).slice(1, -1);
  const last = map.items.at(-1) as Pair<ParsedNode, ParsedNode | null> | undefined;
  if (!last) {
    const open = style.text.indexOf("{", map.range?.[0] ?? 0) + 1;
    return { start: open, end: open, text: entries };
  }
  const at = nodeEnd(last);
  return { start: at, end: at, text: `, ${entries}` };
}

/** Where the value stands, without its anchor or tag; for an absent value the place behind the colon. */
function valuePosition(
  pair: Pair<ParsedNode, ParsedNode | null>,
  style: Style,
): { start: number; end: number; lead: string } {
  const node = pair.value;
  if (node?.range && node.range[1] > node.range[0]) return { start: node.range[0], end: node.range[1], lead: "" };
  const from = pair.key.range[1];
  const colon = style.text.indexOf(":", from);
  const at = colon < 0 ? from : colon + 1;
  return { start: at, end: at, lead: " " };
}

/** Header and body of a block scalar; blank lines behind the body are spacing, not part of it. */
function blockParts(node: ParsedNode, { text, eol }: Style) {
  const [start, end] = node.range;
  const header = /^[|>][0-9+-]*/.exec(text.slice(start, end))?.[0] ?? "|";
  const line = endOfLine(text, start);
  const bodyStart = Math.min(line.next, end);
  const blank = /(?:\n|^)((?:[ \t]*\r?\n)*[ \t]*)$/.exec(text.slice(bodyStart, end))?.[1] ?? "";
  const bodyEnd = Math.max(bodyStart, end - blank.length);
  const newline = line.terminated ? "" : eol;
  return { headerStart: start, headerEnd: start + header.length, body: { start: bodyStart, end: bodyEnd, newline } };
}

function bodyIndent(body: string): number {
  return /^( *)[^ \r\n]/m.exec(body)?.[1]?.length ?? 0;
}

function keyColumn(map: YAMLMap, { text }: Style): number {
  const first = map.items[0] as Pair<ParsedNode, ParsedNode | null>;
  const token = map.srcToken;
  if (token?.type === "block-map") return token.indent;
  const at = first.key.range[0];
  return at - (text.lastIndexOf("\n", at - 1) + 1);
}

/** End of the last line that belongs to a block mapping. */
function endOfMap(map: YAMLMap, style: Style): LineEnd {
  return endOfLine(style.text, nodeEnd(map.items.at(-1) as Pair<ParsedNode, ParsedNode | null>));
}

function endsInBlock(map: YAMLMap): boolean {
  const value = (map.items.at(-1) as Pair<ParsedNode, ParsedNode | null>).value;
  if (isMap(value) && !value.flow && value.items.length > 0) return endsInBlock(value);
  if (isCollection(value)) return !value.flow;
  return isScalar(value) && (value.type === "BLOCK_LITERAL" || value.type === "BLOCK_FOLDED");
}

function nodeEnd(pair: Pair<ParsedNode, ParsedNode | null>): number {
  const { value, key } = pair;
  if (!value) return key.range[1];
  if (isMap(value) && !value.flow && value.items.length > 0) {
    return nodeEnd(value.items.at(-1) as Pair<ParsedNode, ParsedNode | null>);
  }
  return Math.max(value.range[1], key.range[1]);
}

interface LineEnd {
  /** Offset of the next line's first character, or of the end of the text. */
  next: number;
  terminated: boolean;
}

function endOfLine(text: string, offset: number): LineEnd {
  if (offset > 0 && text[offset - 1] === "\n") return { next: offset, terminated: true };
  const newline = text.indexOf("\n", offset);
  return newline < 0 ? { next: text.length, terminated: false } : { next: newline + 1, terminated: true };
}

function indentStep(root: YAMLMap): number {
  for (const pair of root.items as Pair<ParsedNode, ParsedNode | null>[]) {
    const inner = pair.value;
    const outer = root.srcToken;
    if (!isMap(inner) || inner.srcToken?.type !== "block-map" || outer?.type !== "block-map") continue;
    const step = inner.srcToken.indent - outer.indent;
    if (step > 0) return step;
  }
  return 2;
}

function applySplices(text: string, splices: readonly Splice[]): string {
  // Stable: of two at one place, the one that was made first goes first.
  const ordered = [...splices].sort((a, b) => a.start - b.start || a.end - b.end);
  let result = "";
  let at = 0;
  for (const { start, end, text: replacement } of ordered) {
    result += text.slice(at, start) + replacement;
    at = end;
  }
  return result + text.slice(at);
}

function withChanges(data: Map<unknown, unknown>, changes: Changes): Map<unknown, unknown> {
  for (const [key, change] of Object.entries(changes)) {
    if (isNewValue(change)) data.set(key, plainValue(change));
    else {
      const inner = data.get(key);
      data.set(key, withChanges(inner instanceof Map ? inner : new Map(), change));
    }
  }
  return data;
}

function sameValue(current: unknown, value: NewValue): boolean {
  return current === plainValue(value);
}

function isEmpty(node: ParsedNode | null): boolean {
  if (node === null) return true;
  if (isAlias(node)) return false;
  return isCollection(node) ? isMap(node) && node.items.length === 0 : node.value === null;
}

function notEditable(path: string, repair: string): Failure {
  return new Failure(
    ExitCode.files,
    `${path} is written in a way that cannot be edited without losing something`,
    `write the certificates' part in plain block style, or ${repair}`,
  );
}
