import { compile, type SQL, sql } from "pg-sql2";

export type SqlValue = string | number | boolean | null | readonly SqlValue[];

/** A statement that is asked for all the time: compiled once, and prepared by PostgreSQL once per connection. */
export interface Prepared<A> {
  /** Its name on the connection. One name, one text: the server's own, never a request's. */
  readonly name: string;
  readonly text: string;
  /** The parameters, in the order of their numbers. */
  readonly order: readonly (keyof A & string)[];
}

/**
 * Makes a prepared statement. `build` says it with `parameter("name")` where a value will stand.
 * @param name Unique in the server; lower case with dashes
 */
export function prepare<A extends Readonly<Record<string, SqlValue>>>(
  name: string,
  build: (parameter: (name: keyof A & string) => SQL) => SQL,
): Prepared<A> {
  const { text, values } = compile(build((parameter) => sql.value(parameter)));
  return { name, text, order: values as (keyof A & string)[] };
}
