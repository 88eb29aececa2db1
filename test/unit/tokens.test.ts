import { expect, test } from "bun:test";
import fc from "fast-check";
import { contentToken, firstToken, nextToken, TOKEN_NAMESPACE } from "../../src/authority/tokens.ts";

// Computed with Python: uuid.uuid5(uuid.UUID("6f1f2d0e-…"), "joblet/ca-key/first"). A change here forks every fleet in
// which hosts of two releases meet.
const NAMESPACE = "6f1f2d0e-5b0c-5a53-9c66-5d6b7a3c1e42";
const FIRST = "106bad4e-8851-5bbc-a40f-ad96d962a4fe";

test("version ids never change between releases, or two releases found two CAs", () => {
  expect(TOKEN_NAMESPACE).toBe(NAMESPACE);
  expect(firstToken("joblet/ca-key")).toBe(FIRST);
  expect(firstToken("my-app/joblet/client-cert-reader")).toBe("7549d33c-3a40-5986-9efb-4a694e6a5337");
  expect(firstToken("ca-key")).toBe("915e76ea-ba1e-5282-9ec1-0d1815e52802");
  expect(nextToken(FIRST, 0)).toBe("41e74565-0f79-5dc4-8301-b46874b7dc1d");
  expect(nextToken(FIRST, 1)).toBe("1781408c-d900-5829-9b7f-2fe84057573d");
  expect(contentToken("hello\n")).toBe("3268c703-53a3-5725-b4c9-fd3d639c4615");
});

test("ids are what Secrets Manager takes as a ClientRequestToken, and differ wherever they must", () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9/_+=.@-]{1,40}$/);
  fc.assert(
    fc.property(name, name, fc.nat(40), fc.nat(40), (one, two, n, m) => {
      const ids = [firstToken(one), nextToken(one, n)];
      for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(firstToken(one) === firstToken(two)).toBe(one === two);
      expect(nextToken(one, n) === nextToken(one, m)).toBe(n === m);
      expect(ids[0]).not.toBe(ids[1] ?? "");
    }),
    { numRuns: 300, seed: 1 },
  );
});
