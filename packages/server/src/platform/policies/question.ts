import type { ChangedRelation, RowImage } from "../../kernel/change.ts";
import type { Statement } from "../postgres/session/types.ts";
import { identifier } from "./compile/render.ts";
import { arrayLiteral, rowLiteral } from "./row-literals.ts";
import type { Secured } from "./rules/rules.ts";

/** Puts rows of the log before the condition of a policy: one statement, whatever their number. */
export interface Question {
  /** Why a row cannot be judged: something the policy reads is not in the log. `null` when it can. */
  missing(row: RowImage): string | null;
  /** Gives a row for each, in their order: a boolean, and the snapshot it was found under. */
  statement(rows: readonly RowImage[]): Statement;
}

/**
 * The rows are made from the log's own values, never read from the table: what was not visible at its time must not be later, and what has
 * gone must still be judged. They have the table's own type, so that the condition says of them what it says of the table.
 */
export function questionOf({ table, condition, columns }: Secured, relation: ChangedRelation): Question {
  const places = table.columns.map(({ name }) => relation.indexOf(name));
  const computed = table.columns.filter(
    ({ name, generation }, at) => generation !== null && places[at] === -1 && columns.includes(name),
  );
  const isNeeded = (name: string): boolean => columns.includes(name);
  /** What a computed column is computed from is any of the others. */
  const needed = table.columns.flatMap(({ name, generation }, at) => {
    if (computed.length > 0 ? generation !== null && places[at] === -1 : !isNeeded(name)) return [];
    return [{ name, place: places[at]! }];
  });
  const type = `${identifier(table.schema)}.${identifier(table.name)}`;
  const alias = identifier(table.name);
  const given = `unnest($1::${type}[]) as ${alias}`;
  const from = computed.length === 0 ? given : `(select ${listOf()} from ${given}) as ${alias}`;
  // A prepared statement keeps its parameter's type by number: of another table by the same name it is another.
  const text = `select (${condition}) is true, pg_catalog.pg_current_snapshot()::text from ${from} /* ${table.oid} */`;
  return {
    missing(row) {
      for (const { name, place } of needed) {
        if (place === -1) return `its column "${name}" is not published`;
        if (row[place] === undefined) return `a value of its column "${name}" is not in the log`;
      }
      return null;
    },
    statement(rows) {
      const literals = rows.map((row) => rowLiteral(places.map((place) => row[place] ?? null)));
      return { text, values: [arrayLiteral(literals)] };
    },
  };

  /** PostgreSQL computes such a column only when a row is written. */
  function listOf(): string {
    return table.columns
      .map(({ name, generation }) => {
        const column = identifier(name);
        return computed.some((one) => one.name === name) ? `(${generation}) as ${column}` : `${alias}.${column}`;
      })
      .join(", ");
  }
}
