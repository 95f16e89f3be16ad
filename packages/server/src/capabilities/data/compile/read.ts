import type { Format } from "../format.ts";
import type { Level } from "../plan/types.ts";
import type { CountKind } from "../request.ts";
import { bodySql, csvHeader, csvRowSql, elementSql, settingsSql } from "./answer.ts";
import { type Compilation, fromSql, levelSql, relationSource } from "./level.ts";
import { pageSql, totalSql } from "./page.ts";
import { Parameters } from "./sql.ts";
import type { PageRule, StreamTemplate, Template } from "./types.ts";

export interface ReadOptions {
  readonly format: Format;
  readonly count: CountKind | null;
  readonly page: PageRule;
  readonly usesRange: boolean;
  /** HEAD: everything but the body. */
  readonly hasBody: boolean;
  /** Rows up to which `count=estimated` is exact. */
  readonly estimateAbove: number;
  /** The filters fix a unique key. */
  readonly isUnique: boolean;
  /** Some code of the app may set `response.status` or `response.headers`. */
  readonly mayRespond: boolean;
}

/** A read as one flat statement: the page inside, its JSON and its count outside. */
export function compileRead(level: Level, options: ReadOptions): Template {
  const parameters = new Parameters();
  const to: Compilation = { parameters, maxRows: options.page.maxRows };
  const source = relationSource(level);
  const page = pageSql(to, options.isUnique ? { ...options.page, maxRows: null } : options.page, options.usesRange);
  const rows = levelSql(to, level, source, page.clause);
  const { format } = options;
  const isPlain = options.hasBody && options.count === null && !options.mayRespond;
  if (options.isUnique && isPlain && (format.kind === "json" || format.kind === "object")) {
    const text = `select ${elementSql("r", format.stripsNulls)} from (${rows}) r`;
    return { text, parameters: parameters.sources, answers: "elements" };
  }
  const total = totalSql(to, level, source, page, options.count, "count(*)", options.estimateAbove);
  const body = options.hasBody ? bodySql(options.format, "rows", level) : "null::text";
  return {
    text: `select ${body}, count(*), ${total}, ${settingsSql(options.mayRespond)} from (${rows}) r`,
    parameters: parameters.sources,
    answers: "row",
  };
}

/**
 * The same answer one row at a time. The window count makes PostgreSQL hold the rows (on disk when they are many) before the
 * first leaves, which is what lets `Content-Range` stand in front of them.
 */
export function compileStream(level: Level, options: ReadOptions): StreamTemplate | null {
  const { format } = options;
  if (format.kind !== "csv" && format.kind !== "json") return null;
  const parameters = new Parameters();
  const to: Compilation = { parameters, maxRows: options.page.maxRows };
  const source = relationSource(level);
  const page = pageSql(to, options.page, options.usesRange);
  const rows = levelSql(to, level, source, page.clause);
  const total = totalSql(to, level, source, page, options.count, "count(*) over ()", options.estimateAbove);
  const element = format.kind === "csv" ? csvRowSql(false) : elementSql("r", format.stripsNulls);
  const text = `select ${element}, count(*) over (), ${total}, ${settingsSql(options.mayRespond)} from (${rows}) r`;
  const frame =
    format.kind === "csv"
      ? { open: csvHeader("rows", level), separator: "\n", close: "" }
      : { open: "[", separator: ",\n ", close: "]" };
  return { text, parameters: parameters.sources, answers: "row", ...frame };
}

/** Asks the planner how many rows a read without a page would have. */
export function compileEstimate(level: Level): Template {
  const parameters = new Parameters();
  const to: Compilation = { parameters, maxRows: null };
  const text = `explain (format json) select 1 from ${fromSql(to, level, relationSource(level), false)}`;
  return { text, parameters: parameters.sources, answers: "row" };
}
