import { expect, test } from "vitest";
import type { BuiltFunction, DefinitionSummary } from "../types.ts";
import { planOf } from "./plan.ts";

const built = (name: string): BuiltFunction => ({
  name,
  file: `functions/${name}.ts`,
  bundle: `/${name}.mjs`,
  declared: {},
});
const plan = (files: Readonly<Record<string, readonly DefinitionSummary[]>>) =>
  planOf(Object.keys(files).map(built), new Map(Object.entries(files)));

test("names what runs as jobs by its definition, or by its file", () => {
  const { runnables, schedules, changes, webhooks, diagnostics } = plan({
    mail: [
      { index: 0, kind: "http", options: {} },
      { index: 1, kind: "job", name: "send", options: { queue: "mails", timeoutMs: 5 } },
      { index: 2, kind: "batch", name: "many", options: { size: 3 } },
      { index: 3, kind: "cron", expression: "0 3 * * *", options: {} },
      { index: 4, kind: "cron", expression: "0 4 * * *", options: { name: "digest", timeZone: "Europe/Berlin" } },
      { index: 5, kind: "change", table: "bookings", operations: ["insert", "delete"], options: { filter: "id=eq.1" } },
      {
        index: 6,
        kind: "change",
        table: "shop.orders",
        operations: ["update"],
        options: { name: "o", columns: ["a"], order: "none", maxAttempts: 3 },
      },
    ],
    pay: [{ index: 0, kind: "webhook", options: { provider: "github", secret: "S" } }],
  });
  expect(diagnostics).toEqual([]);
  expect(runnables.map(({ name, functionName, index, kind, size }) => [name, functionName, index, kind, size])).toEqual(
    [
      ["send", "mail", 1, "job", null],
      ["many", "mail", 2, "batch", 3],
      ["mainstay.cron/mail/0 3 * * *", "mail", 3, "cron", null],
      ["mainstay.cron/digest", "mail", 4, "cron", null],
      ["mainstay.change/mail/bookings/insert,delete", "mail", 5, "change", null],
      ["mainstay.change/o", "mail", 6, "change", null],
      ["mainstay.inbound/pay", "pay", 0, "webhook", null],
    ],
  );
  expect(schedules.map(({ name, jobName }) => [name, jobName])).toEqual([
    ["mail/0 3 * * *", "mainstay.cron/mail/0 3 * * *"],
    ["digest", "mainstay.cron/digest"],
  ]);
  expect(changes).toEqual([
    {
      name: "mail/bookings/insert,delete",
      functionName: "mail",
      schema: "public",
      table: "bookings",
      operations: ["insert", "delete"],
      filter: "id=eq.1",
      columns: null,
      order: "row",
      maxAttempts: null,
    },
    {
      name: "o",
      functionName: "mail",
      schema: "shop",
      table: "orders",
      operations: ["update"],
      filter: "",
      columns: ["a"],
      order: "none",
      maxAttempts: 3,
    },
  ]);
  expect(webhooks).toEqual([{ functionName: "pay", options: { provider: "github", secret: "S" } }]);
});

test("of a name that is there twice, in one file or two, neither runs", () => {
  const { runnables, diagnostics } = plan({
    a: [
      { index: 0, kind: "job", name: "x", options: {} },
      { index: 1, kind: "job", name: "fine", options: {} },
      { index: 2, kind: "webhook", options: { provider: "github", secret: "S" } },
      { index: 3, kind: "webhook", options: { provider: "github", secret: "S" } },
    ],
    b: [{ index: 0, kind: "batch", name: "x", options: { size: 1 } }],
  });
  expect(runnables.map(({ name }) => name)).toEqual(["fine"]);
  expect(diagnostics.map(({ file, message }) => [file, message])).toEqual([
    ["functions/a.ts", '"x" is defined in functions/a.ts and in functions/b.ts: none of them runs.'],
    ["functions/b.ts", '"x" is defined in functions/a.ts and in functions/b.ts: none of them runs.'],
    ["functions/a.ts", '"a" is defined twice in functions/a.ts: none of them runs.'],
  ]);
});

const change = (more: object) =>
  ({ index: 0, kind: "change", table: "t", operations: ["insert"], options: {}, ...more }) as DefinitionSummary;
test.each([
  [{ index: 0, kind: "job", name: "mainstay.cron/x", options: {} } as DefinitionSummary, /server's own/],
  [{ index: 0, kind: "job", name: "", options: {} } as DefinitionSummary, /1 to 200 characters/],
  [{ index: 0, kind: "job", name: "x".repeat(201), options: {} } as DefinitionSummary, /1 to 200 characters/],
  [{ index: 0, kind: "batch", name: "x", options: { size: 0 } } as DefinitionSummary, /size/],
  [change({ operations: ["upsert"] }), /no operation "upsert"/],
  [change({ operations: [] }), /waits for no operation/],
  [change({ options: { order: "table" } }), /no order "table"/],
  [{ index: 0, kind: "cron", expression: "61 * * * *", options: {} } as DefinitionSummary, /61/],
  [
    { index: 0, kind: "cron", expression: "0 3 * * *", options: { timeZone: "Europe/Atlantis" } } as DefinitionSummary,
    /Atlantis/,
  ],
])("what cannot run is its author's to hear of: %j", (definition, words) => {
  const { runnables, diagnostics } = plan({ a: [definition] });
  expect(runnables).toEqual([]);
  expect(diagnostics).toEqual([
    expect.objectContaining({ severity: "error", file: "functions/a.ts", message: expect.stringMatching(words) }),
  ]);
});
