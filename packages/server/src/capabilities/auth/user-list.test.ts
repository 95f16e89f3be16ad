import { expect, test } from "vitest";
import { listOf } from "./user-list.ts";

test("the oldest comes first, whatever of its second is written out", () => {
  const times = [
    "2026-01-01T00:00:01.5",
    "2026-01-01T00:00:01",
    "2026-01-01T00:00:01.45",
    null,
    "2025-12-31T23:59:59.999999",
  ];
  const listed = listOf(times.map((created_at, n) => ({ n, created_at })));
  expect(listed).toEqual([
    { n: 4, created_at: "2025-12-31T23:59:59.999999Z" },
    { n: 1, created_at: "2026-01-01T00:00:01Z" },
    { n: 2, created_at: "2026-01-01T00:00:01.45Z" },
    { n: 0, created_at: "2026-01-01T00:00:01.5Z" },
    { n: 3 },
  ]);
});

test("fields that are null are left out, however deep, and items of lists are not", () => {
  const data = { kept: 0, gone: null, deep: { gone: null, list: [null, { gone: null, kept: "" }] }, read_at: "2026" };
  expect(listOf([{ identity_data: data, last_sign_in_at: null }])).toEqual([
    { identity_data: { kept: 0, deep: { list: [null, { kept: "" }] }, read_at: "2026" } },
  ]);
});

test("a name that objects inherit is a name like any other", () => {
  const [entry] = listOf([{ identity_data: JSON.parse('{"__proto__": {"polluted": true}, "constructor": "x"}') }]);
  expect(Object.getOwnPropertyNames(entry?.identity_data)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
