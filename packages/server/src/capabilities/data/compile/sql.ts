import type { JsonStep, Operand } from "../request.ts";

/** Where a statement's n-th parameter comes from when a request is bound to it. */
export type ParameterSource =
  | { readonly kind: "operand"; readonly operand: Operand }
  /** As `operand`, with `*` meaning `%`. */
  | { readonly kind: "pattern"; readonly operand: Operand }
  /** A raw `(a,"b",c)` list, sent as a PostgreSQL array literal. */
  | { readonly kind: "list"; readonly operand: Operand }
  /** A number of rows, at most `max` where that is not `null`. */
  | { readonly kind: "limit"; readonly operand: Operand; readonly max: number | null }
  | { readonly kind: "offset"; readonly operand: Operand }
  /** The page of the answer itself, after `Range` and the row cap have been applied. */
  | { readonly kind: "page-limit" }
  | { readonly kind: "page-offset" }
  /** The request body as JSON text. */
  | { readonly kind: "body" }
  /** The request body as it came. */
  | { readonly kind: "raw"; readonly isBinary: boolean }
  /** Several values of one name as a PostgreSQL array literal; a single one that already is a literal stays. */
  | { readonly kind: "array"; readonly operand: Operand; readonly operands: readonly Operand[] }
  /** One value out of a JSON object, by key; as its text, or as the JSON it is. */
  | { readonly kind: "argument"; readonly name: string; readonly isJson: boolean };

/**
 * An identifier out of the catalogue, or an alias out of the grammar, quoted. PostgreSQL cuts identifiers at 63 bytes, which
 * would make two aliases one: callers check lengths before (`plan/names.ts`).
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
 */
export function ident(name: string): string {
  refuseNul(name);
  return name.includes('"') ? `"${name.replaceAll('"', '""')}"` : `"${name}"`;
}

/** `"schema"."name"` */
export function qualified(thing: { readonly schema: string; readonly name: string }): string {
  return `${ident(thing.schema)}.${ident(thing.name)}`;
}

/**
 * A constant string that is part of a shape (a JSON key, a text search configuration). Right whatever
 * `standard_conforming_strings` says: a backslash is only ever written in the `E` form.
 */
export function literal(text: string): string {
  refuseNul(text);
  const quoted = text.replaceAll("'", "''");
  return quoted.includes("\\") ? ` E'${quoted.replaceAll("\\", "\\\\")}'` : `'${quoted}'`;
}

// A NUL would end the statement's text on the wire, in the middle of what we meant to say. The grammar has refused it long
// before; this is the wall behind the wall.
function refuseNul(text: string): void {
  if (text.includes("\0")) throw new Error("An identifier or constant with a NUL byte reached the compiler.");
}

/** `->'a'->>0` */
export function jsonPath(path: readonly JsonStep[]): string {
  let sql = "";
  for (const step of path) sql += step.arrow + ("key" in step ? literal(step.key) : String(step.index));
  return sql;
}

/**
 * Collects a statement's parameters while its text is written. One operand used twice (a page and its count) is one parameter;
 * two operands that merely read alike are two, since PostgreSQL gives each parameter one type.
 */
export class Parameters {
  readonly #sources: ParameterSource[] = [];
  readonly #numbers = new Map<Operand | string, string>();

  /** The placeholder for `source`: `$1`. */
  bind(source: ParameterSource): string {
    const key = identity(source);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#sources.push(source);
    const placeholder = `$${this.#sources.length}`;
    this.#numbers.set(key, placeholder);
    return placeholder;
  }

  get sources(): readonly ParameterSource[] {
    return this.#sources;
  }
}

function identity(source: ParameterSource): Operand | string {
  if ("operand" in source) return source.operand;
  return source.kind === "argument" ? `argument ${source.name}` : source.kind;
}
