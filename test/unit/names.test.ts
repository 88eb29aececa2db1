import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import { isUnspecified, joinHostPort, parseName, splitHostPort, uniqueNames } from "../../src/pki/names.ts";

const RUNS = { numRuns: 500, seed: 7 };
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const hostName = fc
  .tuple(fc.array(label, { maxLength: 4 }), fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/))
  .map(([labels, last]) => [...labels, last].join("."));

/** One spelling of the same eight groups for each of several ways that people write IPv6. */
const ipv6 = fc.array(fc.constantFrom(0, 0, 0, 1, 0xdb8, 0x2001, 0xffff), { minLength: 8, maxLength: 8 });
const full = (groups: readonly number[]) => groups.map((group) => group.toString(16).padStart(4, "0")).join(":");
const short = (groups: readonly number[]) => groups.map((group) => group.toString(16).toUpperCase()).join(":");

describe("IP addresses", () => {
  test("every IPv4 address is an address, in the one spelling that it has", () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(parseName(text)).toEqual({ type: "ip", value: text });
      }),
      RUNS,
    );
  });
  test("every spelling of an IPv6 address becomes the same one, or a certificate holds it twice", () => {
    fc.assert(
      fc.property(ipv6, (groups) => {
        const spellings = [full(groups), short(groups), `[${full(groups)}]`];
        const names = spellings.map((text) => parseName(text));
        expect(new Set(names.map((name) => name?.value)).size).toBe(1);
        const value = names[0]?.value ?? "";
        expect([isIP(value), names[0]?.type]).toEqual([6, "ip"]);
        expect(parseName(value)).toEqual({ type: "ip", value });
        expect(uniqueNames(names.flatMap((name) => name ?? [])).length).toBe(1);
      }),
      RUNS,
    );
  });
  for (const [text, value] of [
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["[fe80::1]", "fe80::1"],
    ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
  ] as const) {
    test(`${text} is ${value}`, () => expect(parseName(text)).toEqual({ type: "ip", value }));
  }
});

describe("host names", () => {
  test("are accepted in any case and written in lower case", () => {
    fc.assert(
      fc.property(hostName, (name) => {
        expect(parseName(name.toUpperCase())).toEqual({ type: "dns", value: name });
      }),
      RUNS,
    );
  });
  test("may have a wildcard in the leftmost label, whole and with something behind it", () => {
    fc.assert(
      fc.property(hostName, fc.nat(4), (name, at) => {
        expect(parseName(`*.${name}`)).toEqual({ type: "dns", value: `*.${name}` });
        const labels = name.split(".");
        const inside = labels.toSpliced(1 + (at % labels.length), 0, "*").join(".");
        expect(parseName(inside)).toBeUndefined();
        expect(parseName(`*${name}`)).toBeUndefined();
      }),
      RUNS,
    );
    expect(parseName("*")).toBeUndefined();
  });
  test("a label of 63 and a name of 253 characters are the longest", () => {
    const long = "a".repeat(63);
    expect(parseName(`${long}.de`)?.type).toBe("dns");
    expect(parseName(`${long}a.de`)).toBeUndefined();
    const name = `${long}.${long}.${long}.${"b".repeat(61)}`;
    expect([name.length, parseName(name)?.type, parseName(`${name}b`)]).toEqual([253, "dns", undefined]);
  });
});

const REJECTED = [
  "",
  " ",
  "a b",
  " joblet",
  "joblet ",
  "a..b",
  ".a",
  "a.",
  "-a",
  "a-",
  "a_b",
  "a/b",
  "a:1",
  "http://a",
  "host:50051",
  "10.0.0.1:443",
  "256.1.1.1",
  "1.2.3",
  "1.2.3.4.5",
  "01.2.3.4",
  "1.2.3.04",
  "10.0.0.0/8",
  "[10.0.0.1]",
  "[joblet]",
  "::1::",
  ":::",
  "1:2:3:4:5:6:7:8:9",
  "fe80::1%eth0",
  "[::1",
  "::1]",
  "[::1]:443",
  "[]",
  "12345",
  "a.123",
  "0x7f.1",
  "ünïcode.de",
  "joblet\n",
  "joblet\0",
  "a,b",
  "**.a.de",
  "*.*.de",
  "a.*.de",
  "@",
  "$(id)",
];
for (const text of REJECTED) {
  test(`${JSON.stringify(text)} is no name: it must not reach a certificate`, () =>
    expect(parseName(text)).toBeUndefined());
}

test("whatever is accepted is one of the two kinds, and stays what it is when it is read again", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f.:*[\]-]{1,20}$/)), (text) => {
      const name = parseName(text);
      if (!name) return;
      expect(parseName(name.value)).toEqual(name);
      if (name.type === "ip") expect(isIP(name.value)).toBeGreaterThan(0);
      else expect(isIP(name.value)).toBe(0);
    }),
    { numRuns: 3000, seed: 11 },
  );
});

test("duplicates go, the first order stays", () => {
  const names = ["joblet", "10.0.0.1", "Joblet", "::1", "0:0::1", "b", "10.0.0.1"].flatMap(
    (text) => parseName(text) ?? [],
  );
  expect(uniqueNames(names).map(({ value }) => value)).toEqual(["joblet", "10.0.0.1", "::1", "b"]);
});

test("0.0.0.0 and :: in any spelling are to bind to, nothing else is", () => {
  const unspecified = (text: string) => isUnspecified(parseName(text) ?? { type: "dns", value: "" });
  expect(["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "[::]"].map(unspecified)).toEqual([true, true, true, true]);
  expect(["127.0.0.1", "::1", "joblet"].map(unspecified)).toEqual([false, false, false]);
});

describe("host and port", () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  test("what is joined is split again into the same, IPv6 in brackets", () => {
    fc.assert(
      fc.property(fc.oneof(hostName, fc.ipV4(), ipv6.map(full)), port, (host, number) => {
        const joined = joinHostPort(host, number);
        expect(splitHostPort(joined)).toEqual({ host, port: number });
        expect(joined.startsWith("[")).toBe(host.includes(":"));
        expect(new URL(`https://${joined}`).port).toBe(number === 443 ? "" : String(number));
      }),
      RUNS,
    );
  });
  for (const [text, expected] of [
    ["joblet", { host: "joblet", port: undefined }],
    ["joblet:443", { host: "joblet", port: 443 }],
    ["::1", { host: "::1", port: undefined }],
    ["[::1]", { host: "::1", port: undefined }],
    ["[::1]:50051", { host: "::1", port: 50051 }],
    [":50051", { host: undefined, port: 50051 }],
    ["", { host: undefined, port: undefined }],
    ["a:b:c", { host: undefined, port: undefined }],
  ] as const) {
    test(`${JSON.stringify(text)} is taken apart`, () => expect(splitHostPort(text)).toEqual(expected as never));
  }
});
