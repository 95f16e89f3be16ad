import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { sql } from "pg-sql2";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Method } from "../../kernel/route.ts";
import { type Asked, anon, type DataUnderTest, openDataUnderTest, service } from "./testing/data.ts";
import { filmSchema } from "./testing/films.ts";
import { shopSchema } from "./testing/shop.ts";

// A case is three files: `<name>.http` is the request, `.sql` the exact statement it becomes, `.json` the exact reply. Add a request,
// run with UPDATE_CASES=1, and read what came out before it is committed.
const dir = join(import.meta.dirname, "cases");
const isUpdating = process.env.UPDATE_CASES === "1";
const names = readdirSync(dir)
  .filter((file) => file.endsWith(".http"))
  .map((file) => file.slice(0, -".http".length));

let all: DataUnderTest;
/** As most databases are: no code of the app's asks about the request or sets the response. */
let data: Pick<DataUnderTest, "request" | "flights">;
beforeAll(async () => {
  all = await openDataUnderTest(`${filmSchema}\n${shopSchema}`, { aggregatesEnabled: true });
  const settingsUse = { readsRequest: false, writesResponse: false, changesSession: false };
  data = all.withCatalog({ ...all.catalog.current(), settingsUse });
});
afterAll(() => all.close());
beforeEach(async () => {
  // What cases write to starts the same for each; films are only written to by cases that are undone or that put back.
  await all.database.query(sql`truncate items, parts, pairs, calls restart identity cascade`);
});

interface Case {
  readonly method: Method;
  readonly path: string;
  readonly asked: Asked;
}

function readCase(name: string): Case {
  const [head = "", ...rest] = readFileSync(join(dir, `${name}.http`), "utf8").split("\n\n");
  const lines = head.trim().split("\n");
  const isAnonymous = lines[0] === "# anon";
  if (isAnonymous) lines.shift();
  const [method = "", path = ""] = lines[0]!.split(" ");
  const headers = Object.fromEntries(lines.slice(1).map((line) => line.split(/: (.*)/, 2) as [string, string]));
  const body = rest.join("\n\n").trim();
  return { method: method as Method, path, asked: { headers, body, who: isAnonymous ? anon : service } };
}

function expected(file: string): string | null {
  const path = join(dir, file);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function checkStatement(file: string, actual: string): void {
  if (isUpdating) writeFileSync(join(dir, file), actual);
  expect(actual).toBe(expected(file));
}

/** Compared as values, so that the formatter may lay the file out. */
function checkReply(file: string, actual: unknown): void {
  const known: unknown = JSON.parse(expected(file) ?? "null");
  const plain: unknown = JSON.parse(JSON.stringify(actual));
  if (isUpdating && !isDeepStrictEqual(known, plain)) {
    writeFileSync(join(dir, file), `${JSON.stringify(plain, null, 2)}\n`);
    return;
  }
  expect(plain).toEqual(known);
}

describe("cases", () => {
  it.each(names)("%s", async (name) => {
    const { method, path, asked } = readCase(name);
    const before = data.flights.length;
    const answer = await data.request(method, path, asked);
    const statements = data.flights.slice(before).map(({ lane, prologue, statement }) => {
      const hoisted = prologue.map(({ text }) => text).filter((text) => text.startsWith("set "));
      const values = statement.values.map((value) => (value === null ? "null" : JSON.stringify(value.toString())));
      return [
        `-- ${lane}`,
        ...hoisted.map((text) => `${text};`),
        `${statement.text};`,
        ...values.map((value, at) => `-- $${at + 1} ${value}`),
      ].join("\n");
    });
    checkStatement(
      `${name}.sql`,
      statements.length === 0 ? "-- refused before any statement\n" : `${statements.join("\n\n")}\n`,
    );
    const { status, statusText, headers, text } = answer;
    const isJson = headers["content-type"]?.includes("json") && text !== "";
    checkReply(`${name}.json`, { status, statusText, headers, body: isJson ? answer.json() : text });
  });

  // Such code costs another way of answering, which must not answer otherwise.
  it.each(names)("%s, where some code may set the response", async (name) => {
    const { method, path, asked } = readCase(name);
    const { status, statusText, headers, text, json } = await all.request(method, path, asked);
    const isJson = headers["content-type"]?.includes("json") && text !== "";
    checkReply(`${name}.json`, { status, statusText, headers, body: isJson ? json() : text });
  });
});
