import type { SQL } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { type Columns, type Parameter, type ParameterOf, prepare } from "../../../platform/postgres/prepared.ts";

/** What a prepared statement is asked of. */
export type Db = Pick<Queryable, "execute">;

/** A prepared statement as a function: its parameters in, its rows out. */
export function ask<R extends object, A extends Readonly<Record<string, Parameter>>>(
  columns: Columns,
  build: (parameter: ParameterOf<A>) => SQL,
): (db: Db, values: A) => Promise<readonly R[]> {
  const statement = prepare<A>(columns, build);
  return (db, values) => db.execute<R, A>(statement, values);
}

/** An array in PostgreSQL's text format, of ids or numbers: nothing in them needs quoting. */
export const arrayText = (items: readonly (string | number)[]): string => `{${items.join(",")}}`;
