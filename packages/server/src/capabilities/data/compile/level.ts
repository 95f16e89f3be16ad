import type { Level, Output, ResolvedOrder } from "../plan/types.ts";
import { conditionSql, whereSql } from "./conditions.ts";
import { joinSql } from "./embeds.ts";
import { aggregateSql, fieldSql, type RowReference } from "./expressions.ts";
import { ident, type Parameters, qualified } from "./sql.ts";

/** What every level of one statement shares. */
export interface Compilation {
  readonly parameters: Parameters;
  /** The most rows of an embedded list; `null` for no limit. */
  readonly maxRows: number | null;
}

/** Where a level's rows come from, when it is not simply its relation. */
export interface Source {
  /** What stands behind `from`, alias included. */
  readonly from: string;
  readonly row: RowReference;
  /** Conditions that tie an embed to its parent, before the level's own. */
  readonly conditions: readonly string[];
}

/** The level's relation under its alias. */
export function relationSource(level: Level): Source {
  return { from: `${qualified(level.rows)} ${level.alias}`, row: ownRow(level), conditions: [] };
}

export function ownRow(level: Level): RowReference {
  return { alias: level.alias, row: level.alias };
}

/** A whole level: `select … from … where … group by … order by … limit … offset …`. `page` is the limit clause. */
export function levelSql(
  to: Compilation,
  level: Level,
  source: Source,
  page: string,
  extra: readonly string[] = [],
): string {
  const outputs = level.outputs.flatMap((output) => outputSql(level, source.row, output));
  const columns = [...outputs.map(({ sql }) => sql), ...extra].join(", ");
  const grouped = level.isAggregated ? groupSql(outputs) : "";
  return `select ${columns} from ${fromSql(to, level, source, true)}${grouped}${orderSql(level, source.row)}${page}`;
}

/** The outputs alone, for a select without `from` inside the level's own. */
export function outputsSql(level: Level, row: RowReference): string {
  return level.outputs.flatMap((output) => outputSql(level, row, output).map(({ sql }) => sql)).join(", ");
}

/** The rows a level is about, without its outputs: for counting them. Left joins nobody asks about are left out. */
export function fromSql(to: Compilation, level: Level, source: Source, isOutput: boolean): string {
  const joins = level.embeds
    .filter((embed) => isOutput || embed.isTested)
    .map((embed) => joinSql(to, source.row, embed))
    .join("");
  const own = level.conditions.map((condition) => conditionSql(source.row, condition, to.parameters));
  return source.from + joins + whereSql([...source.conditions, ...own]);
}

interface OutputSql {
  readonly sql: string;
  readonly isAggregate: boolean;
}

function outputSql(level: Level, row: RowReference, output: Output): OutputSql[] {
  const plain = (sql: string, name: string): OutputSql => ({ sql: `${sql} as ${ident(name)}`, isAggregate: false });
  switch (output.kind) {
    case "star":
      // Grouping goes by position, which a star does not have.
      if (level.isAggregated) return level.rows.columns.map(({ name }) => plain(`${row.alias}.${ident(name)}`, name));
      return [{ sql: row.star ?? `${row.alias}.*`, isAggregate: false }];
    case "one":
      return [plain("1", output.name)];
    case "count":
      return [{ sql: `${cast("count(*)", output.cast)} as ${ident(output.name)}`, isAggregate: true }];
    case "value": {
      const { aggregate, representation } = output;
      const inner = cast(fieldSql(row, output.field), output.cast);
      if (aggregate !== null)
        return [{ sql: `${aggregateSql(inner, aggregate)} as ${ident(output.name)}`, isAggregate: true }];
      return [plain(representation === null ? inner : `${representation}(${inner})`, output.name)];
    }
    case "embed": {
      const value = `${output.embed.alias}.v`;
      const shown = output.embed.isToOne ? value : `coalesce(${value}, '[]')`;
      // `json` cannot be grouped by, `jsonb` can.
      return [plain(level.isAggregated ? `${shown}::jsonb` : shown, output.name)];
    }
    case "spread":
      return output.columns.map(({ name, inner, aggregate }) => {
        const value = `${output.embed.alias}.${inner}`;
        if (aggregate !== null)
          return { sql: `${aggregateSql(value, aggregate)} as ${ident(name)}`, isAggregate: true };
        return plain(output.embed.isToOne ? value : `coalesce(${value}, '[]')`, name);
      });
  }
}

function groupSql(outputs: readonly OutputSql[]): string {
  const positions = outputs.flatMap(({ isAggregate }, index) => (isAggregate ? [] : [String(index + 1)]));
  return positions.length === 0 ? "" : ` group by ${positions.join(", ")}`;
}

function orderSql(level: Level, row: RowReference): string {
  if (level.order.length === 0) return "";
  return ` order by ${level.order.map((term) => termSql(row, term)).join(", ")}`;
}

function termSql(row: RowReference, term: ResolvedOrder): string {
  const field = term.embed === null ? fieldSql(row, term.field) : `${term.embed.embed.alias}.o${term.embed.index}`;
  const direction = term.direction === null ? "" : ` ${term.direction}`;
  return `${field}${direction}${term.nulls === null ? "" : ` nulls ${term.nulls}`}`;
}

function cast(sql: string, type: string | null): string {
  return type === null ? sql : `cast(${sql} as ${type})`;
}
