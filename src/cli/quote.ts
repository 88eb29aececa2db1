const LONGEST = 128;

/** What somebody typed, for a message. Something as long as a key may be one, and is only counted. */
export function quote(text: string): string {
  if (text.length > LONGEST || text.includes("PRIVATE KEY")) return `(a value of ${text.length} characters)`;
  return JSON.stringify(text);
}
