import type { Level } from "../plan/types.ts";
import type { CountKind } from "../request.ts";
import { type Compilation, fromSql, levelSql, type Source } from "./level.ts";
import type { PageRule } from "./types.ts";

/** The bounds of an answer's page as SQL: a clause, and the numbers on their own for counting. */
export interface PageSql {
  readonly clause: string;
  /** `null` when nothing bounds it. */
  readonly limit: string | null;
  readonly offset: string | null;
}

/** `usesRange` when the request has a `Range` header, so that both bounds are parameters. */
export function pageSql(to: Compilation, page: PageRule, usesRange: boolean): PageSql {
  const isAsked = page.limit !== null || usesRange;
  const limit = isAsked ? `${to.parameters.bind({ kind: "page-limit" })}::bigint` : page.maxRows?.toString();
  const offset =
    page.offset !== null || usesRange ? `${to.parameters.bind({ kind: "page-offset" })}::bigint` : undefined;
  const clause = (limit === undefined ? "" : ` limit ${limit}`) + (offset === undefined ? "" : ` offset ${offset}`);
  return { clause, limit: limit ?? null, offset: offset ?? null };
}

/**
 * How many rows there are beyond the page, as SQL. A page that is not full has seen the end, and its own rows are the count:
 * only a full one pays for a second look.
 * @param rows The page's own count: `count(*)`, or its window form.
 */
export function totalSql(
  to: Compilation,
  level: Level,
  source: Source,
  page: PageSql,
  count: CountKind | null,
  rows: string,
  estimateAbove: number,
): string {
  if (count === null || count === "planned") return "null::bigint";
  if (page.limit === null && page.offset === null) return rows;
  const all =
    count === "estimated"
      ? // One more than the page may have tells that there is more; how much more is the planner's guess.
        `select count(*) from (select 1 from ${fromSql(to, level, source, false)} limit ${estimateAbove + 1}) c`
      : level.isAggregated
        ? `select count(*) from (${levelSql(to, level, source, "")}) c`
        : `select count(*) from ${fromSql(to, level, source, false)}`;
  const isEnd = [
    page.limit === null ? null : `${rows} < ${bounded(page.limit)}`,
    page.offset === null ? null : `(${rows} > 0 or ${page.offset} = 0)`,
  ].filter((each) => each !== null);
  const seen = page.offset === null ? rows : `${page.offset} + ${rows}`;
  return `case when ${isEnd.join(" and ")} then ${seen} else (${all}) end`;
}

/** A limit that is a parameter may be NULL, for no limit: a `Range` without end. */
function bounded(limit: string): string {
  return limit.startsWith("$") ? `coalesce(${limit}, 9223372036854775807)` : limit;
}
