import type { ReadRecord } from "./record.ts";
import { createStatements } from "./sql-statements.ts";
import { tuplesOf } from "./sql-tuples.ts";

/**
 * The rows of one table in a plain pg_dump: from `COPY auth.users (…) FROM stdin;` with its lines, and from `INSERT INTO auth.users
 * (…) VALUES (…), (…);`. Nothing of the file is run (threat B20), and what is in the text of other rows is text.
 * @param table as the dump writes it: `auth.users`
 */
export async function* dumpRecords(lines: AsyncIterable<string>, table: string): AsyncIterable<ReadRecord> {
  const [schema = "", name = ""] = table.split(".");
  const named = `"?${schema}"?\\."?${name}"?`;
  const copying = new RegExp(`^COPY ${named}\\s*\\(([^)]*)\\)\\s+FROM stdin`, "i");
  const inserting = new RegExp(
    `^INSERT INTO ${named}\\s*\\(([^)]*)\\)(?:\\s+OVERRIDING \\w+ VALUE)?\\s+VALUES\\s*`,
    "i",
  );
  const isKept = (first: string) => /^COPY\s/i.test(first) || new RegExp(`^INSERT INTO ${named}`, "i").test(first);
  const statements = createStatements(isKept);
  let line = 0;
  /** The columns of a COPY whose lines are being read; empty for a table nobody wants. */
  let columns: readonly string[] | null = null;
  for await (const text of lines) {
    line++;
    if (columns !== null) {
      if (text === "\\.") columns = null;
      else if (columns.length > 0) yield record(text.split("\t").map(copyValue), line, columns);
      continue;
    }
    for (const statement of statements.add(text, line)) {
      const code = statement.text ?? "";
      if (/^COPY\s[^;]*\sFROM stdin/i.test(code)) columns = columnsOf(copying.exec(code)?.[1] ?? "");
      const insert = inserting.exec(code);
      if (insert === null) continue;
      const rows = tuplesOf(code.slice(insert[0].length));
      if (rows === null) yield { line: statement.line, error: "the statement is not a plain list of rows" };
      else for (const row of rows) yield record(row, statement.line, columnsOf(insert[1]!));
    }
  }
  if (columns !== null || statements.isOpen()) yield { line, error: "the file ends in the middle" };
}

const columnsOf = (list: string): readonly string[] =>
  list
    .split(",")
    .map((name) => name.trim().replace(/^"(.*)"$/, "$1"))
    .filter((name) => name !== "");

function record(values: readonly unknown[], line: number, columns: readonly string[]): ReadRecord {
  if (values.length !== columns.length) {
    return { line, error: `the row has ${values.length} fields, not ${columns.length}` };
  }
  return { line, fields: Object.fromEntries(columns.map((name, at) => [name, values[at]])) };
}

const copyEscapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** PostgreSQL docs, COPY, Text Format. */
const copyValue = (text: string): string | null =>
  text === "\\N" ? null : text.replace(/\\(.)/g, (_, char: string) => copyEscapes[char] ?? char);
