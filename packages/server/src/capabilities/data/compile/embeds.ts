import type { ColumnPairs } from "../../../platform/postgres/catalog/types.ts";
import type { Embed, Level } from "../plan/types.ts";
import { fieldSql, type RowReference } from "./expressions.ts";
import { type Compilation, fromSql, levelSql, outputsSql, ownRow, type Source } from "./level.ts";
import { ident, type Parameters, qualified } from "./sql.ts";

/**
 * The lateral join that brings an embed to its parent. Its column `v` is the embed as JSON and is null when there is nothing:
 * null tests and `!inner` read it. PostgreSQL turns a to-one join into an ordinary join.
 */
export function joinSql(to: Compilation, parent: RowReference, embed: Embed): string {
  const inner = embedSource(parent, embed);
  const body = embed.isToOne ? toOneSql(to, embed, inner) : toManySql(to, embed, inner);
  // A to-many join always has its one aggregated row: `on` decides whether the parent stays.
  const join = embed.isInner ? "join" : "left join";
  const on = embed.isInner && !embed.isToOne ? `${embed.alias}.v is not null` : "true";
  return ` ${join} lateral (${body}) ${embed.alias} on ${on}`;
}

function toOneSql(to: Compilation, embed: Embed, source: Source): string {
  const { level } = embed;
  const page = pageSql(to, level, null);
  const orderColumns = embed.orderFields.map((field, index) => `${fieldSql(source.row, field)} as o${index}`);
  if (embed.isSilent || embed.spread !== null) return levelSql(to, level, source, page, ["true as v", ...orderColumns]);
  const x = `x${embed.alias.slice(1)}`;
  if (orderColumns.length === 0)
    return `select row_to_json(${x}) as v from (${levelSql(to, level, source, page)}) ${x}`;
  // The parent's order needs values that the JSON must not show: they travel beside it.
  const shown = `(select row_to_json(${x}) from (select ${outputsSql(level, source.row)}) ${x}) as v`;
  return `select ${[shown, ...orderColumns].join(", ")} from ${fromSql(to, level, source, true)}${page}`;
}

function toManySql(to: Compilation, embed: Embed, source: Source): string {
  const { level } = embed;
  const x = `x${embed.alias.slice(1)}`;
  const page = pageSql(to, level, to.maxRows);
  if (embed.isSilent) return `select nullif(count(*), 0) as v from (${levelSql(to, level, source, page, ["1"])}) ${x}`;
  const rows = `from (${levelSql(to, level, source, page)}) ${x}`;
  if (embed.spread === null) return `select json_agg(${x}) as v ${rows}`;
  const columns = embed.spread.map(({ inner }) => `json_agg(${x}.${inner}) as ${inner}`);
  return `select ${["nullif(count(*), 0) as v", ...columns].join(", ")} ${rows}`;
}

function pageSql(to: Compilation, level: Level, max: number | null): string {
  return limitSql(to.parameters, level, max) + offsetSql(to.parameters, level);
}

function limitSql(parameters: Parameters, { limit }: Level, max: number | null): string {
  if (limit !== null) return ` limit ${parameters.bind({ kind: "limit", operand: limit, max })}`;
  return max === null ? "" : ` limit ${max}`;
}

function offsetSql(parameters: Parameters, { offset }: Level): string {
  return offset === null ? "" : ` offset ${parameters.bind({ kind: "offset", operand: offset })}`;
}

/** What the embed reads, tied to its parent by key, by junction or by function. */
function embedSource(parent: RowReference, { relationship, level, alias }: Embed): Source {
  const row = ownRow(level);
  const target = `${qualified(level.rows)} ${level.alias}`;
  switch (relationship.kind) {
    case "computed":
      return {
        from: `${qualified(relationship.function)}(${parent.row}) ${level.alias}`,
        row,
        // A function that returns NULL instead of a row gives a row of nulls in `from`.
        conditions: relationship.function.isSetReturning ? [] : [`not (${level.alias} is null)`],
      };
    case "many-to-many": {
      const junction = `j${alias.slice(1)}`;
      return {
        from: `${target}, ${qualified(relationship.junction)} ${junction}`,
        row,
        conditions: [
          ...equal(parent.alias, relationship.originColumns, junction),
          ...equal(junction, relationship.targetColumns, level.alias),
        ],
      };
    }
    default:
      return { from: target, row, conditions: equal(parent.alias, relationship.columns, level.alias) };
  }
}

function equal(left: string, pairs: ColumnPairs, right: string): string[] {
  return pairs.map(([a, b]) => `${left}.${ident(a)} = ${right}.${ident(b)}`);
}
