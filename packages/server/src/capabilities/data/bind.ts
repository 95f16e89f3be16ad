import type { Param } from "../../platform/postgres/session/types.ts";
import { unescapeString } from "./body/json.ts";
import type { Body } from "./body/read.ts";
import type { PageRule, Template } from "./compile/types.ts";
import { readList } from "./parse/index.ts";
import { problems } from "./problems.ts";
import type { Operand, RowRange } from "./request.ts";

/** What one request brings to a statement. */
export interface Bindings {
  readonly values: readonly string[];
  readonly body: Body | null;
  readonly page: Page;
}

/** Rows `offset` to `offset + limit`; `limit` is `null` when nothing bounds it. */
export interface Page {
  readonly limit: number | null;
  readonly offset: number;
}

const wholeResult: Page = { limit: null, offset: 0 };

/**
 * The page a request asks for: `limit` and `offset`, narrowed by `Range` and by the row cap.
 * @throws PGRST103 (416) for a negative number or a Range that ends before it starts.
 */
export function readPage(rule: PageRule | null, values: readonly string[], range: RowRange | null): Page {
  if (rule === null) return wholeResult;
  let limit = rule.limit === null ? null : readCount(operandText(rule.limit, values), "Limit");
  let offset = rule.offset === null ? 0 : readCount(operandText(rule.offset, values), "Offset");
  if (range !== null) {
    const { lower, upper } = range;
    if (upper !== null && lower > upper) {
      throw problems.invalidRange(
        "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
      );
    }
    // Both are intervals of row numbers: the page is what they share.
    const end = Math.min(limit === null ? Infinity : offset + limit, upper === null ? Infinity : upper + 1);
    offset = Math.max(offset, lower);
    limit = end === Infinity ? null : Math.max(0, end - offset);
  }
  const { maxRows } = rule;
  if (maxRows !== null && (limit === null || limit > maxRows)) limit = maxRows;
  return { limit, offset };
}

/** Numbers beyond what a double holds exactly are beyond any table: they are cut to that. */
function readCount(text: string, what: "Limit" | "Offset"): number {
  const count = Number(text);
  if (count < 0) throw problems.invalidRange(`${what} should be greater than or equal to zero.`);
  return Math.min(count, Number.MAX_SAFE_INTEGER);
}

/** A statement's values, in the order of its placeholders. */
export function bind({ parameters }: Template, bindings: Bindings): Param[] {
  const { values } = bindings;
  const bound: Param[] = new Array(parameters.length);
  for (let at = 0; at < parameters.length; at++) {
    const source = parameters[at]!;
    switch (source.kind) {
      case "operand":
        bound[at] = operandText(source.operand, values);
        break;
      case "pattern": {
        const text = operandText(source.operand, values);
        bound[at] = text.includes("*") ? text.replaceAll("*", "%") : text;
        break;
      }
      case "list":
        bound[at] = listLiteral(operandText(source.operand, values));
        break;
      case "limit": {
        const asked = readCount(operandText(source.operand, values), "Limit");
        bound[at] = String(source.max === null ? asked : Math.min(asked, source.max));
        break;
      }
      case "offset":
        bound[at] = String(readCount(operandText(source.operand, values), "Offset"));
        break;
      case "page-limit":
        bound[at] = bindings.page.limit === null ? null : String(bindings.page.limit);
        break;
      case "page-offset":
        bound[at] = String(bindings.page.offset);
        break;
      case "body":
        bound[at] = bindings.body?.json ?? null;
        break;
      case "raw":
        bound[at] = rawParam(bindings.body, source.isBinary);
        break;
      case "array":
        bound[at] = repeatedLiteral(source.operands.map((operand) => operandText(operand, values)));
        break;
      case "argument":
        bound[at] = bodyValue(bindings.body, source.name, source.isJson);
        break;
    }
  }
  return bound;
}

function operandText(operand: Operand, values: readonly string[]): string {
  return operand.kind === "slot" ? values[operand.index]! : operand.text;
}

/** `(1,"a,b")` as `{"1","a,b"}`: every element quoted, so that none can mean NULL or end the literal. */
function listLiteral(raw: string): string {
  const elements = readList(raw);
  if (elements === null || elements === "too-many")
    throw problems.unreadable(`"failed to parse filter (in.${raw.slice(0, 100)})"`);
  return arrayLiteral(elements);
}

function repeatedLiteral(texts: readonly string[]): string {
  const [first] = texts;
  return texts.length === 1 && first!.startsWith("{") && first!.endsWith("}") ? first! : arrayLiteral(texts);
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
export function arrayLiteral(elements: readonly string[]): string {
  let text = "{";
  for (let at = 0; at < elements.length; at++) {
    const element = elements[at]!;
    const isPlain = !element.includes('"') && !element.includes("\\");
    text += `${at === 0 ? "" : ","}"${isPlain ? element : element.replace(/["\\]/g, "\\$&")}"`;
  }
  return `${text}}`;
}

function rawParam(body: Body | null, isBinary: boolean): Param {
  if (body === null) return null;
  return isBinary ? `\\x${body.raw.toString("hex")}` : body.raw;
}

/** One value of the body's object: numbers with the digits they came with, strings unescaped, JSON null as NULL. */
function bodyValue(body: Body | null, name: string, isJson: boolean): Param {
  const value = body?.scan?.values.get(name);
  if (body?.json == null || value === undefined || value.kind === "null") return null;
  const { kind, start, end } = value;
  if (isJson || kind !== "string") return body.json.subarray(start, end);
  const inner = body.json.subarray(start + 1, end - 1);
  return inner.includes(0x5c) ? unescapeString(body.json, start, end) : inner;
}
