import type { Reply } from "../../kernel/route.ts";
import type { FlightResult, Row } from "../../platform/postgres/session/types.ts";
import type { Page } from "./bind.ts";
import { answerColumn } from "./compile/answer.ts";
import type { Compiled } from "./compile/types.ts";
import { problems } from "./problems.ts";
import { isHeaderName, isHeaderValue } from "./raise.ts";

/** The facts of an answer besides its body. */
export interface Answer {
  readonly rows: number;
  readonly total: number | null;
  /** What SQL set as `response.headers` and `response.status`. */
  readonly headers: Buffer | null;
  readonly status: Buffer | null;
  readonly inserted: number | null;
  readonly body: Buffer | null;
}

/** Reads the facts out of an answer's row. */
export function readAnswer(row: Row): Answer {
  return {
    rows: numberOf(row[answerColumn.rows]) ?? 0,
    total: numberOf(row[answerColumn.total]),
    headers: row[answerColumn.headers] ?? null,
    status: row[answerColumn.status] ?? null,
    inserted: numberOf(row[answerColumn.inserted]),
    body: row[answerColumn.body] ?? null,
  };
}

/** The answer of a statement, in whichever way it answers. */
export function readResult({ answers, format }: Compiled, { rows, commandTag }: FlightResult): Answer {
  switch (answers) {
    case "row":
      return readAnswer(rows[0] ?? []);
    case "elements":
      return { ...nothing, rows: rows.length, body: format.kind === "object" ? (rows[0]?.[0] ?? null) : listOf(rows) };
    case "tag":
      return { ...nothing, rows: Number(commandTag.slice(commandTag.lastIndexOf(" ") + 1)) };
  }
}

const nothing: Answer = { rows: 0, total: null, headers: null, status: null, inserted: null, body: null };
const emptyList = Buffer.from("[]");
const [opening, comma, closing] = [0x5b, 0x2c, 0x5d];

/** The elements as a JSON array. */
function listOf(rows: readonly Row[]): Buffer {
  if (rows.length === 0) return emptyList;
  let size = rows.length + 1;
  for (const [element] of rows) size += element!.length;
  const list = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [element] of rows) {
    list[at] = at === 0 ? opening : comma;
    at += 1 + element!.copy(list, at + 1);
  }
  list[at] = closing;
  return list;
}

/** The reply to a statement's result. */
export function respond(compiled: Compiled, request: ReplyContext, result: FlightResult): Reply {
  return respondWith(compiled, request, readResult(compiled, result));
}

export function respondWith(compiled: Compiled, request: ReplyContext, answer: Answer): Reply {
  if (compiled.kind === "write") return respondToWrite(compiled, request, answer);
  if (compiled.format.kind === "object" && answer.rows !== 1 && compiled.kind === "read") {
    throw problems.notSingular(answer.rows);
  }
  const { status, headers } = pageHead(compiled, request, answer);
  return finish(status, headers, answer, bodyOf(compiled, answer.body));
}

/** What a reply repeats of its request. */
export interface ReplyContext {
  readonly page: Page;
  /** `/places?id=eq.42`: what `Content-Location` says of a read. */
  readonly location: string | null;
  /** The relation's path, `/places`. */
  readonly path: string;
}

/** Status and headers of a read or a call: all that depends on the page. */
export function pageHead(
  compiled: Compiled,
  { page, location }: ReplyContext,
  { rows, total }: Answer,
): { readonly status: number; readonly headers: string[] } {
  const { offset } = page;
  if (total !== null && offset > total) {
    throw problems.invalidRange(`An offset of ${offset} was requested, but there are only ${total} rows.`, total);
  }
  const range = rows === 0 ? "*" : `${offset}-${offset + rows - 1}`;
  const headers = [...compiled.headers, "Content-Range", `${range}/${total ?? "*"}`];
  if (location !== null) headers.push("Content-Location", location);
  const isPartial = total !== null && rows < total && compiled.status === 200;
  return { status: isPartial ? 206 : compiled.status, headers };
}

function respondToWrite(compiled: Compiled, request: ReplyContext, answer: Answer): Reply {
  const rule = compiled.write!;
  const headers = [...compiled.headers];
  const { rows, inserted, body } = answer;
  const isCounted = compiled.count === "exact" || compiled.count === "estimated";
  if (rule.operation === "update") {
    headers.push("Content-Range", `${rows === 0 ? "*" : `0-${rows - 1}`}/${isCounted ? rows : "*"}`);
  } else if (rule.operation !== "put") headers.push("Content-Range", `*/${isCounted ? rows : "*"}`);
  if (rule.locationKey !== null && body !== null) {
    headers.push("Location", locationOf(request.path, rule.locationKey, body));
  }
  let { status } = compiled;
  if (rule.operation === "insert" && rule.countsInserted && inserted === 0 && rows > 0) status = 200;
  if (rule.operation === "put" && rule.hasBody) status = (inserted ?? 0) > 0 ? 201 : 200;
  return finish(status, headers, answer, rule.hasBody ? bodyOf(compiled, body) : null);
}

/** `/places?id=eq.42` of the first row written. */
function locationOf(path: string, names: readonly string[], body: Buffer): string {
  const values: unknown = JSON.parse(body.toString("utf8"));
  const texts = Array.isArray(values) ? values : [];
  const pairs = names.map((name, index) => {
    const value: unknown = texts[index];
    const filter = value === null || value === undefined ? "is.null" : `eq.${String(value)}`;
    return `${encodeURIComponent(name)}=${encodeURIComponent(filter)}`;
  });
  return `${path}?${pairs.join("&")}`;
}

/** Lets SQL have the last word on status and headers (PostgREST documentation, Transactions). */
export function finish(status: number, headers: string[], answer: Answer, body: Reply["body"]): Reply {
  if (answer.headers === null && answer.status === null) return { status, headers, body };
  const set = answer.headers === null ? headers : withSetHeaders(headers, answer.headers);
  const chosen = answer.status === null ? status : readStatus(answer.status);
  return { status: chosen, headers: set, body: chosen === 204 ? null : body };
}

function readStatus(text: Buffer): number {
  const status = text.toString("latin1");
  if (!/^[1-5]\d\d$/.test(status)) throw problems.responseStatus();
  return Number(status);
}

function withSetHeaders(headers: readonly string[], json: Buffer): string[] {
  const set: [name: string, value: string][] = readSetHeaders(json);
  const names = new Set(set.map(([name]) => name.toLowerCase()));
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!names.has(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return [...kept, ...set.flat()];
}

function readSetHeaders(json: Buffer): [name: string, value: string][] {
  let list: unknown;
  try {
    list = JSON.parse(json.toString("utf8"));
  } catch {
    throw problems.responseHeaders();
  }
  if (!Array.isArray(list)) throw problems.responseHeaders();
  return list.map((each: unknown) => {
    const pairs = typeof each === "object" && each !== null ? Object.entries(each) : [];
    const [pair] = pairs;
    if (pair === undefined || pairs.length !== 1 || !isHeaderName(pair[0]) || !isHeaderValue(pair[1])) {
      throw problems.responseHeaders();
    }
    return [pair[0], pair[1]];
  });
}

/** `bytea` arrives as PostgreSQL prints it, `\x…`; everything else is sent as it came. */
function bodyOf({ format, explain }: Compiled, body: Buffer | null): Buffer | null {
  const isBinary = explain === null && (format.kind === "raw" || format.kind === "handler") && format.isBinary;
  if (body === null || !isBinary || body[0] !== 0x5c || body[1] !== 0x78) return body;
  return Buffer.from(body.toString("latin1", 2), "hex");
}

/** A count PostgreSQL printed. */
function numberOf(text: Buffer | null | undefined): number | null {
  if (text == null) return null;
  let number = 0;
  for (let at = 0; at < text.length; at++) number = number * 10 + (text[at]! - 48);
  return number;
}
