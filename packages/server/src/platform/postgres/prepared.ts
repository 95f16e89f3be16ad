import { compile, type SQL, sql } from "pg-sql2";

export type Parameter = string | number | boolean | null;

/** How a column's text is read. A `time` is a timestamp in UTC, and becomes RFC 3339 text. */
export type ColumnKind = "text" | "number" | "flag" | "json" | "time";

/** Names and kinds of what a statement gives, in its order. */
export type Columns = readonly (readonly [name: string, kind: ColumnKind])[];

/** A statement that is asked for all the time: compiled once, and prepared by PostgreSQL once per connection. */
export interface Prepared<A> {
  /** One text per statement of the server's own: never a request's. */
  readonly text: string;
  readonly columns: Columns;
  /** The parameters, in the order of their numbers. */
  readonly order: readonly (keyof A & string)[];
}

/** Where the value of that name will stand in a statement. */
export type ParameterOf<A> = (name: keyof A & string) => SQL;

/** Makes a prepared statement. `build` says it with `parameter("name")`: once or often, it is one parameter, and of one type. */
export function prepare<A extends Readonly<Record<string, Parameter>>>(
  columns: Columns,
  build: (parameter: ParameterOf<A>) => SQL,
): Prepared<A> {
  const parameters = new Map<string, SQL>();
  const parameterOf: ParameterOf<A> = (name) => {
    const parameter = parameters.get(name) ?? sql.value(name);
    parameters.set(name, parameter);
    return parameter;
  };
  const { text, values } = compile(build(parameterOf));
  return { text, columns, order: values as (keyof A & string)[] };
}

/** A parameter in PostgreSQL's text format. */
export function textOf(value: Parameter): string | null {
  return value === null || typeof value === "string" ? value : String(value);
}

/** A row in PostgreSQL's text format as an object. */
export function readRow<R extends object>(columns: Columns, row: readonly (Buffer | null)[]): R {
  const read: Record<string, unknown> = {};
  for (let at = 0; at < columns.length; at++) {
    const [name, kind] = columns[at]!;
    const bytes = row[at];
    read[name] = bytes == null ? null : readText(kind, bytes.toString("utf8"));
  }
  return read as R;
}

/** A row as `pg` reads it: that leaves a bigint and a timestamp a text. */
export function finishRow<R extends object>(columns: Columns, row: Record<string, unknown>): R {
  for (const [name, kind] of columns) {
    const value = row[name];
    if (typeof value === "string" && (kind === "number" || kind === "time")) row[name] = readText(kind, value);
  }
  return row as R;
}

function readText(kind: ColumnKind, text: string): unknown {
  switch (kind) {
    case "text":
      return text;
    case "number":
      return Number(text);
    case "flag":
      return text === "t";
    case "json":
      return JSON.parse(text);
    case "time":
      return rfc3339Of(text);
  }
}

/** `2026-11-21 14:00:00.5`, as PostgreSQL prints a timestamp in ISO style. */
export const rfc3339Of = (text: string): string => `${text.slice(0, 10)}T${text.slice(11)}Z`;
