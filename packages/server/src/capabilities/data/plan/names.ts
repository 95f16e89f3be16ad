import { Problem } from "../../../kernel/problem.ts";
import { problems } from "../problems.ts";
import type { Field } from "../request.ts";

const maxIdentifierBytes = 63;

/**
 * Checks a name the caller chose for the output. PostgreSQL would cut a longer one without a word, and two long aliases
 * could become one.
 */
export function outputName(name: string): string {
  if (name.length > 20 && Buffer.byteLength(name) > maxIdentifierBytes) throw problems.longName(name);
  if (name.includes("\0")) throw problems.unreadable("A name contains a NUL character");
  return name;
}

/** The key of an item without alias: the last JSON key of its path, else the column. */
export function defaultName(field: Field): string {
  for (let at = field.path.length - 1; at >= 0; at--) {
    const step = field.path[at]!;
    if ("key" in step) return step.key;
  }
  return field.name;
}

// Type names that are words of SQL's grammar: quoted they would be names of other types or of none.
const grammarTypes = new Set([
  "bigint",
  "bit",
  "bit varying",
  "boolean",
  "char",
  "char varying",
  "character",
  "character varying",
  "dec",
  "decimal",
  "double precision",
  "float",
  "int",
  "integer",
  "interval",
  "nchar",
  "numeric",
  "real",
  "smallint",
  "time",
  "time with time zone",
  "time without time zone",
  "timestamp",
  "timestamp with time zone",
  "timestamp without time zone",
  "varchar",
]);
// Casting text to these asks the catalogue whether a name exists, whoever may see it (threat B07).
const namingTypes =
  /^reg(class|proc|procedure|oper|operator|type|role|namespace|config|dictionary|collation|database)$/;

/**
 * A cast's type as SQL. Words of the grammar are written as they are, anything else as a quoted identifier, so that a
 * cast can only ever be a type's name (threat B01).
 */
export function castType(name: string): string {
  const type = name.trim().replace(/\s+/g, " ").toLowerCase();
  if (grammarTypes.has(type)) return type;
  if (type === "" || namingTypes.test(type)) throw new Problem("42704", 400, `type "${type}" does not exist`);
  return `"${outputName(type).replaceAll('"', '""')}"`;
}
