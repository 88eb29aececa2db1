/** How new values are spelled, in the style of the file that they go into. */

/** A value to be set: PEM and other text of several lines goes into a literal block, short text into double quotes. */
export type NewValue = { block: string } | { quoted: string } | { plain: number | boolean };

/** What to set, nested as the file is. Mappings that are missing are made; nothing else is touched. */
export interface Changes {
  [key: string]: NewValue | Changes;
}

/** How the file is written. */
export interface Style {
  text: string;
  eol: string;
  /** Columns by which a level is indented. */
  step: number;
}

/** `at`: where in the text the lines go. */
export function mapLines(changes: Changes, column: number, style: Style, at: number): string {
  return Object.entries(changes)
    .map(([key, value]) => {
      const head = `${" ".repeat(column)}${key}:`;
      if (!isNewValue(value)) return `${head}${style.eol}${mapLines(value, column + style.step, style, at)}`;
      if (!("block" in value)) return `${head} ${inline(value)}${style.eol}`;
      return `${head} |${style.eol}${blockLines(value.block, column + style.step, style, at)}`;
    })
    .join("");
}

/**
 * The lines of a literal block that goes in at `at`. Blank lines of more spaces than the block is indented, and comments
 * not indented less, would belong to the block: it is indented beyond those that follow.
 */
export function blockLines(text: string, indent: number, style: Style, at: number): string {
  const following = /^(?: *(?:#[^\n]*)?\r?\n)*(?: *(?:#[^\n]*)?$)?/.exec(style.text.slice(at))?.[0] ?? "";
  const widths = following.split("\n").map((line) => {
    const column = line.search(/[^ ]/);
    if (column < 0) return line.length;
    return line[column] === "#" ? column + 1 : column;
  });
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line) => `${" ".repeat(Math.max(indent, ...widths))}${line}${style.eol}`).join("");
}

/** JSON is YAML's flow style; a double-quoted JSON string means the same in both. */
export function inline(value: NewValue): string {
  return JSON.stringify(plainValue(value));
}

export function inlineMap(changes: Changes): string {
  const entries = Object.entries(changes).map(
    ([key, value]) => `${key}: ${isNewValue(value) ? inline(value) : inlineMap(value)}`,
  );
  return `{${entries.join(", ")}}`;
}

export function plainValue(value: NewValue): string | number | boolean {
  if ("block" in value) return value.block;
  return "quoted" in value ? value.quoted : value.plain;
}

export function isNewValue(change: NewValue | Changes): change is NewValue {
  return Object.values(change).some((value) => typeof value !== "object");
}
