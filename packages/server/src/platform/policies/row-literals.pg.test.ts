import { testDatabase } from "@mainstay/testing";
import pg from "pg";
import { expect, it } from "vitest";
import { arrayLiteral, rowLiteral } from "./row-literals.ts";

it("PostgreSQL reads rows as they were meant", async () => {
  const database = await testDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("create table pairs (a text, gone text, b text[]); alter table pairs drop column gone");
  await client.query("create table alone (a text)");
  const texts = [
    '"',
    "\\",
    '\\"',
    ",",
    "(",
    ")",
    "{}",
    "",
    " ",
    "null",
    "NULL",
    "\n\t",
    "é💥",
    "a'b",
    "x".repeat(10_000),
    null,
  ];
  const rows = texts.map((text) => [text, text === null ? null : arrayLiteral([text, "x"])]);
  const { rows: pairs } = await client.query("select a, b from unnest($1::pairs[]) as p", [
    arrayLiteral(rows.map(rowLiteral)),
  ]);
  expect(pairs).toEqual(texts.map((text) => ({ a: text, b: text === null ? null : [text, "x"] })));
  const { rows: alone } = await client.query("select a from unnest($1::alone[]) as p", [
    arrayLiteral(texts.map((text) => rowLiteral([text]))),
  ]);
  expect(alone).toEqual(texts.map((text) => ({ a: text })));
  await client.end();
  await database.drop();
});
