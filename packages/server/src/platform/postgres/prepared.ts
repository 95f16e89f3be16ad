import { compile, type SQL, sql } from "pg-sql2";

export type Parameter = string | number | boolean | null;

/** A statement that is asked for all the time: compiled once, and prepared by PostgreSQL once per connection. */
export interface Prepared<A> {
  /** Its name on a connection. One name, one text: the server's own, never a request's. */
  readonly name: string;
  /** Gives one column, `answer`, a JSON object per row: no types to look up on the way back. */
  readonly text: string;
  /** The parameters, in the order of their numbers. */
  readonly order: readonly (keyof A & string)[];
}

/**
 * Makes a prepared statement of one that gives a single JSON column, `answer`: `select row_to_json(r) as answer from (…) r`.
 * `build` says it with `parameter("name")` where a value will stand.
 * @param name Unique in the server; lower case with dashes
 */
export function prepare<A extends Readonly<Record<string, Parameter>>>(
  name: string,
  build: (parameter: (name: keyof A & string) => SQL) => SQL,
): Prepared<A> {
  const { text, values } = compile(build((parameter) => sql.value(parameter)));
  return { name, text, order: values as (keyof A & string)[] };
}

/** A parameter in PostgreSQL's text format. */
export function textOf(value: Parameter): string | null {
  return value === null || typeof value === "string" ? value : String(value);
}
