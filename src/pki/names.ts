/** A subject alternative name: a host name (lower case) or an IP address in its canonical spelling. */
export interface SubjectAltName {
  type: "dns" | "ip";
  value: string;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads one name: IPv4, IPv6 (brackets allowed), or a host name by RFC 1123 section 2.1, with a wildcard in the
 * leftmost label if there is one (RFC 6125 section 6.4.3). Undefined when it is none of these.
 */
export function parseName(text: string): SubjectAltName | undefined {
  const bare = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
  const family = ipFamily(bare);
  if (family === 4) return text === bare ? { type: "ip", value: bare } : undefined;
  if (family === 6) return { type: "ip", value: canonicalIpv6(bare) };
  return isHostName(text.toLowerCase()) ? { type: "dns", value: text.toLowerCase() } : undefined;
}

/** Whether it is an address to bind to rather than one to dial: 0.0.0.0 or ::. */
export function isUnspecified(name: SubjectAltName): boolean {
  return name.type === "ip" && (name.value === "0.0.0.0" || name.value === "::");
}

/** Names in their first order, without duplicates. */
export function uniqueNames(names: readonly SubjectAltName[]): SubjectAltName[] {
  const seen = new Map(names.map((name) => [`${name.type}:${name.value}`, name]));
  return [...seen.values()];
}

/** `host:port` as a dialler writes it; IPv6 in brackets (RFC 3986 section 3.2.2). */
export function joinHostPort(host: string, port: number): string {
  return ipFamily(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Splits `host:port`; port undefined when absent. Host undefined when the text has no sensible host. */
export function splitHostPort(text: string): { host: string | undefined; port: number | undefined } {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return { host: ipFamily(text) === 6 ? text : undefined, port: undefined };
  return { host: match[1] || match[2] || undefined, port: match[3] ? Number(match[3]) : undefined };
}

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/** 4, 6 or 0 for none, as `isIP` of node:net has it; that module takes longer to load than all settings to parse. */
function ipFamily(text: string): 0 | 4 | 6 {
  if (IPV4.test(text)) return 4;
  // The URL parser takes exactly the IPv6 forms of RFC 4291 section 2.2, without zones.
  return text.includes(":") && /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`) ? 6 : 0;
}

function isHostName(text: string): boolean {
  const labels = text.split(".");
  if (text.length > 253) return false;
  if (labels.length > 1 && labels[0] === "*") labels.shift();
  // A last label of digits only would read as (half of) an IPv4 address.
  if (/^\d+$/.test(labels.at(-1) ?? "")) return false;
  return labels.every((label) => LABEL.test(label));
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
