import { problems } from "../problems.ts";

/**
 * Reads CSV (RFC 4180: quotes doubled inside quotes, CRLF or LF) row by row. A cell that was quoted keeps that fact, because
 * only an unquoted `NULL` means null.
 * @throws PGRST102 for a quote that is never closed or stands in the middle of a cell.
 */
export function* readCsv(text: string): Generator<readonly (string | null)[]> {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at < text.length) {
    const row: (string | null)[] = [];
    for (;;) {
      row.push(readCell());
      const end = text[at];
      if (end === ",") {
        at++;
        continue;
      }
      at += end === "\r" && text[at + 1] === "\n" ? 2 : 1;
      break;
    }
    if (row.length > 1 || row[0] !== "") yield row;
  }

  function readCell(): string | null {
    if (text[at] !== '"') {
      const start = at;
      while (at < text.length && !isEnd(text[at])) at++;
      const cell = text.slice(start, at);
      return cell === "NULL" ? null : cell;
    }
    let cell = "";
    for (let start = ++at; ; ) {
      const quote = text.indexOf('"', at);
      if (quote < 0) throw problems.invalidBody("A quoted CSV field is not closed");
      at = quote + 1;
      if (text[at] === '"') {
        at++;
        cell += text.slice(start, at - 1);
        start = at;
        continue;
      }
      if (at < text.length && !isEnd(text[at]))
        throw problems.invalidBody("A CSV field has text after its closing quote");
      return cell + text.slice(start, quote);
    }
  }
}

function isEnd(char: string | undefined): boolean {
  return char === "," || char === "\n" || char === "\r";
}

/** CSV with a header row as a JSON array of objects of strings, which PostgreSQL reads into the columns' types. */
export function csvToJson(text: string): Buffer {
  const rows = readCsv(text);
  const header = rows.next();
  if (header.done) throw problems.invalidBody("Empty or invalid CSV");
  const keys = header.value.map((name) => JSON.stringify(name ?? "NULL"));
  const objects: string[] = [];
  for (const row of rows) {
    if (row.length !== keys.length) throw problems.invalidBody("All lines must have same number of fields");
    objects.push(`{${row.map((cell, index) => `${keys[index]}:${JSON.stringify(cell)}`).join(",")}}`);
  }
  return Buffer.from(`[${objects.join(",")}]`);
}
