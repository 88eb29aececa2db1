import { KEY_TYPES, type KeyType } from "../pki/key-types.ts";
import { isUnspecified, parseName, type SubjectAltName } from "../pki/names.ts";
import { isRole, ROLES, type Role } from "../pki/roles.ts";

/** How a setting's text becomes its value. `accepted` says what is taken, for messages and help. */
export interface ValueType<T> {
  accepted: string;
  /** Undefined when the text is not acceptable; a string in `rejected` says which part of a list is not. */
  parse(text: string): { value: T } | { rejected: string };
}

function single<T>(accepted: string, parse: (text: string) => T | undefined): ValueType<T> {
  return {
    accepted,
    parse(text) {
      const value = parse(text.trim());
      return value === undefined ? { rejected: text } : { value };
    },
  };
}

function list<T>(accepted: string, parse: (text: string) => T | undefined): ValueType<T[]> {
  return {
    accepted,
    parse(text) {
      const values: T[] = [];
      for (const item of text.split(",").map((part) => part.trim())) {
        if (item === "") continue;
        const value = parse(item);
        if (value === undefined) return { rejected: item };
        values.push(value);
      }
      return { value: values };
    },
  };
}

function oneOf<T extends string>(values: readonly T[]): ValueType<T> {
  return single(values.join(", "), (text) => values.find((value) => value === text.toLowerCase()));
}

export const toggle = single("true or false", (text) => ({ true: true, false: false })[text.toLowerCase()]);
export const mode = oneOf(["auto", "true", "false"] as const);
export const keyType: ValueType<KeyType> = oneOf(KEY_TYPES);
export const path = single("a path", (text) => (text === "" || text.includes("\0") ? undefined : text));
export const port = integer(1, 65_535);
export const days = integer(1, 3650);
export const roles: ValueType<Role[]> = list(`a comma-separated list of ${ROLES.join(", ")}`, (text) =>
  isRole(text) ? text : undefined,
);

const NAME_FORM = "host names, IPv4 or IPv6 addresses";
export const names: ValueType<SubjectAltName[]> = list(`a comma-separated list of ${NAME_FORM}`, parseName);
export const ipAddress = single("an IPv4 or IPv6 address", (text) => {
  const name = parseName(text);
  return name?.type === "ip" ? name : undefined;
});

/** What clients dial. A bind address stands for "detect it". */
export const address = single<SubjectAltName | "detect">(
  "one host name, IPv4 or IPv6 address, without a port",
  (text) => {
    const name = parseName(text);
    if (!name || name.value.startsWith("*")) return undefined;
    return isUnspecified(name) ? "detect" : name;
  },
);

function integer(least: number, most: number): ValueType<number> {
  return single(`a whole number from ${least} to ${most}`, (text) => {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  });
}
