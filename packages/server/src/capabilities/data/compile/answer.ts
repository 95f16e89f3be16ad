import type { Format } from "../format.ts";
import type { CallShape } from "../plan/call.ts";
import type { ColumnType, Level } from "../plan/types.ts";
import { literal, qualified } from "./sql.ts";

/**
 * The last columns of an answer: body, rows of the page, total (or null), `response.headers`, `response.status`. The settings are
 * read last, so that what the statement's functions and triggers set is seen; not at all where the catalogue knows of nobody
 * who sets them.
 */
export function settingsSql(mayBeSet: boolean): string {
  return mayBeSet
    ? "nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')"
    : "null::text, null::text";
}

/** The place of each column in an answer's row. */
export const answerColumn = { body: 0, rows: 1, total: 2, headers: 3, status: 4, inserted: 5 } as const;

/** The body of an answer over rows `r`, as an aggregate. */
export function bodySql(format: Format, shape: CallShape, level: Level | null): string {
  const isScalar = shape === "scalar" || shape === "scalar-set";
  const value = isScalar ? "r.v" : "r";
  switch (format.kind) {
    case "json": {
      if (shape === "void") return "null::text";
      if (shape === "scalar" || shape === "row")
        return `coalesce(string_agg(${elementSql(value, format.stripsNulls)}::text, ','), 'null')`;
      const all = `coalesce(json_agg(${value}), '[]')`;
      return format.stripsNulls ? `json_strip_nulls(${all})` : all;
    }
    case "object":
      if (shape === "void") return "null::text";
      // One row is one element: nothing to take apart. With more, the answer is a refusal.
      return `coalesce(string_agg(${elementSql(value, format.stripsNulls)}::text, ','), 'null')`;
    case "csv":
      return `${literal(csvHeader(shape, level))} || coalesce(string_agg(${csvRowSql(isScalar)}, E'\\n'), '')`;
    case "geojson":
      return `json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(st_asgeojson(${value})::json), '[]'))`;
    case "raw":
      return `string_agg(${value}::text, '')`;
    case "handler":
      return `${format.function}(${format.relation === null ? "r" : `r::${qualified(format.relation)}`})`;
  }
}

/** One row's element, for answers that are written row by row. */
export function elementSql(value: string, stripsNulls: boolean): string {
  return stripsNulls ? `json_strip_nulls(to_json(${value}))` : `to_json(${value})`;
}

/**
 * One row as a CSV line. A record's text is CSV but for its parentheses and its doubled backslashes; NULL is an empty cell and
 * the empty string a quoted one. https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 */
export function csvRowSql(isScalar: boolean): string {
  const record = isScalar ? "row(r.v)::text" : "r::text";
  return `replace(substr(${record}, 2, length(${record}) - 2), E'\\\\\\\\', E'\\\\')`;
}

/** The header line with its line end. */
export function csvHeader(shape: CallShape, level: Level | null): string {
  const names =
    shape === "scalar" || shape === "scalar-set" ? ["pgrst_scalar"] : level === null ? [] : outputNames(level);
  return `${names.map(csvCell).join(",")}\n`;
}

export function outputNames(level: Level): readonly string[] {
  return level.outputs.flatMap((output) => {
    switch (output.kind) {
      case "star":
        return level.rows.columns.map(({ name }: ColumnType) => name);
      case "spread":
        return output.columns.map(({ name }) => name);
      default:
        return [output.name];
    }
  });
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A call that undoes the whole flight when `condition` holds, and otherwise gives `sql`. */
export function rejectUnless(
  condition: string,
  sql: string,
  refusal: { readonly code: string; readonly message: string; readonly details: string },
): string {
  const { code, message, details } = refusal;
  return `case when ${condition} then (${sql})::text else mainstay.reject(${literal(code)}, ${literal(message)}, ${details}, null) end`;
}
