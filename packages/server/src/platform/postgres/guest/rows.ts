import { Lru } from "../../../kernel/lru.ts";
import { builtIn, type JsonValue, jsonText, type ReadText } from "./values.ts";

/** A statement's rows as PostgreSQL printed them. */
export interface TextRows {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export type JsonRow = Readonly<Record<string, JsonValue>>;

/** Asks in the same transaction. */
type Ask = (text: string, values: readonly (string | null)[]) => Promise<TextRows>;

/** How a type is read: as text, or by PostgreSQL itself, to which it is known by this name. */
type TypeKind = { readonly read: ReadText } | { readonly name: string };

const typesKept = 1_024;

/**
 * Makes JSON of rows as `to_jsonb` does, without wrapping the statement: it may be any, and its errors point into its own text. What is of a built-in
 * scalar type is read here; arrays, composites and types of the app go to PostgreSQL once more, in one statement for each such column.
 */
export function createRowReader(): (result: TextRows, ask: Ask) => Promise<readonly JsonRow[]> {
  const known = new Lru<number, TypeKind>(typesKept);

  async function kindsOf(oids: readonly number[], ask: Ask): Promise<ReadonlyMap<number, TypeKind>> {
    const kinds = new Map<number, TypeKind>();
    const unknown: number[] = [];
    for (const oid of new Set(oids)) {
      const read = builtIn.get(oid);
      const kind = read === undefined ? known.get(oid) : { read };
      if (kind === undefined) unknown.push(oid);
      else kinds.set(oid, kind);
    }
    if (unknown.length === 0) return kinds;
    // Enums (e), ranges and multiranges (r, m) and all of category S are text in JSON too.
    const { rows } = await ask(
      `select t.oid::text, t.typtype in ('e', 'r', 'm') or t.typcategory = 'S', pg_catalog.format_type(t.oid, null)
       from pg_catalog.pg_type t where t.oid = any ($1::pg_catalog.oid[])`,
      [`{${unknown.join(",")}}`],
    );
    for (const [oid, isText, name] of rows) {
      const kind: TypeKind = isText === "t" ? { read: (text) => text } : { name: name! };
      known.set(Number(oid), kind);
      kinds.set(Number(oid), kind);
    }
    return kinds;
  }

  return async ({ fields, rows }, ask) => {
    if (rows.length === 0) return [];
    const kinds = await kindsOf(
      fields.map(({ dataTypeID }) => dataTypeID),
      ask,
    );
    const columns: (readonly JsonValue[])[] = [];
    for (const [at, { dataTypeID }] of fields.entries()) {
      const kind = kinds.get(dataTypeID) ?? { read: (text: string) => text };
      const texts = rows.map((row) => row[at] ?? null);
      columns.push(
        "read" in kind
          ? texts.map((text) => (text === null ? null : kind.read(text)))
          : await convert(kind.name, texts, ask),
      );
    }
    return rows.map((_, row) => Object.fromEntries(fields.map(({ name }, at) => [name, columns[at]![row]!])));
  };
}

/** The column's values once more through PostgreSQL, which prints what it reads. `typeName` is its own, quoted where that is needed. */
async function convert(typeName: string, texts: readonly (string | null)[], ask: Ask): Promise<readonly JsonValue[]> {
  const { rows } = await ask(
    `select pg_catalog.to_jsonb(v.text::${typeName})::text
     from rows from (pg_catalog.unnest($1::pg_catalog.text[])) with ordinality as v (text, at) order by v.at`,
    [arrayOf(texts)],
  );
  return rows.map(([text]) => (text == null ? null : jsonText(text)));
}

const arrayOf = (texts: readonly (string | null)[]): string =>
  `{${texts.map((text) => (text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`)).join(",")}}`;
