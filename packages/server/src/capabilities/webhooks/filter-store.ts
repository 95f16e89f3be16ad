import { type SQL, sql } from "pg-sql2";
import { type Condition, FilterError, type Operator, parseFilter } from "../../platform/changes/filters/filter.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { sqlStateOf } from "../../platform/postgres/sql-state.ts";
import type { Webhook } from "./types.ts";

const operators: Readonly<Record<Exclude<Operator, "in" | "is" | "isdistinct">, SQL>> = {
  eq: sql`=`,
  neq: sql`<>`,
  lt: sql`<`,
  lte: sql`<=`,
  gt: sql`>`,
  gte: sql`>=`,
  like: sql`like`,
  ilike: sql`ilike`,
  match: sql`~`,
  imatch: sql`~*`,
};

const isWords: Readonly<Record<string, SQL>> = {
  null: sql`null`,
  true: sql`true`,
  false: sql`false`,
  unknown: sql`unknown`,
};

/**
 * Which of these rows fit the webhook's filter: their places. PostgreSQL decides, so that every type and collation means what it means there, as
 * the role that migrations run as: whoever writes a webhook gains nothing by what its operators do.
 * @param rows as JSON objects, as text
 * @throws FilterError when the filter cannot be decided, whatever the row
 */
export async function fitting(
  db: Pick<Database, "transaction">,
  webhook: Pick<Webhook, "schema" | "table" | "filter">,
  rows: readonly string[],
  timeoutMs: number,
): Promise<ReadonlySet<number>> {
  const conditions = parseFilter(webhook.filter, "&").map(conditionSql);
  if (conditions.length === 0) return new Set(rows.keys());
  try {
    const found = await db.transaction(async (tx) => {
      await tx.query(sql`
        select set_config('statement_timeout', ${sql.value(String(timeoutMs))}, true),
          set_config('role', coalesce((select rolname::text from pg_roles where rolname = 'postgres'), current_user::text), true)`);
      return tx.query<{ at: number }>(sql`
        select (i.n - 1)::int as at
        from jsonb_array_elements(${sql.value(`[${rows.join(",")}]`)}::jsonb) with ordinality as i (row, n)
        cross join lateral jsonb_populate_record(null::${sql.identifier(webhook.schema, webhook.table)}, i.row) as r
        where ${sql.join(conditions, " and ")}`);
    });
    return new Set(found.map(({ at }) => at));
  } catch (error) {
    const state = sqlStateOf(error);
    // Of the value (22), of the operator or a column (42), of its size (54), or it takes too long.
    if (state !== null && /^(22|42|54|57014)/.test(state)) {
      throw new FilterError(`The filter cannot be decided (${state}): ${(error as Error).message}`);
    }
    throw error;
  }
}

function conditionSql({ column, operator, values, isNegated }: Condition): SQL {
  const name = sql`r.${sql.identifier(column)}`;
  const [value = null] = values;
  const condition =
    operator === "in"
      ? sql`${name} in (${sql.join(
          values.map((one) => sql.value(one)),
          ", ",
        )})`
      : operator === "is"
        ? sql`${name} is ${isWords[value ?? "null"]!}`
        : operator === "isdistinct"
          ? sql`${name} is distinct from ${sql.value(value)}`
          : sql`${name} ${operators[operator]} ${sql.value(value)}`;
  return isNegated ? sql`(not (${condition}))` : sql`(${condition})`;
}
