import { maxRecordLength, type ReadRecord } from "./record.ts";

/**
 * The rows of a CSV file (RFC 4180: quotes doubled within quotes, line breaks within quotes), named by its first row, or by `names`
 * where the file has no such row.
 */
export async function* csvRecords(
  chunks: AsyncIterable<string>,
  names: readonly string[] | null = null,
): AsyncIterable<ReadRecord> {
  let columns = names;
  for await (const { line, values } of rows(chunks)) {
    if (values === null) {
      yield { line, error: "the row is too long" };
    } else if (columns === null) {
      columns = values.map((name) => name.trim().replace(/^\u{feff}/u, ""));
    } else if (values.length > columns.length) {
      yield { line, error: `the row has ${values.length} fields, not ${columns.length}` };
    } else {
      const named = columns;
      yield { line, fields: Object.fromEntries(values.map((value, at) => [named[at], value])) };
    }
  }
}

/** `values` is `null` for a row longer than anybody's. */
async function* rows(chunks: AsyncIterable<string>): AsyncIterable<{ line: number; values: string[] | null }> {
  let values: string[] = [];
  let field = "";
  let isQuoted = false;
  let wasQuote = false;
  let line = 1;
  let begin = 1;
  let length = 0;
  const row = () => {
    const done = { line: begin, values: length > maxRecordLength ? null : [...values, field] };
    values = [];
    field = "";
    begin = line;
    length = 0;
    return done;
  };
  for await (const chunk of chunks) {
    for (const char of chunk) {
      length++;
      if (char === "\n") line++;
      if (isQuoted) {
        if (char === '"') {
          isQuoted = false;
          wasQuote = true;
        } else if (length <= maxRecordLength) field += char;
        continue;
      }
      // A quote right after the closing one stands for itself.
      if (char === '"' && (wasQuote || field === "")) {
        if (wasQuote) field += char;
        isQuoted = true;
      } else if (char === ",") {
        values.push(field);
        field = "";
      } else if (char === "\n") {
        if (field.endsWith("\r")) field = field.slice(0, -1);
        if (length > 1 && (values.length > 0 || field !== "")) yield row();
        else [begin, length, field] = [line, 0, ""];
      } else if (length <= maxRecordLength) field += char;
      wasQuote = false;
    }
  }
  if (field !== "" || values.length > 0) yield row();
}
