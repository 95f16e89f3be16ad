/** An array's values, or a row's in an array, keep their quotes and backslashes by doubling them. */
const doubled = (text: string): string => text.replaceAll(/[\\"]/g, (char) => char + char);

/** A row in PostgreSQL's text format. https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX */
export const rowLiteral = (values: readonly (string | null)[]): string =>
  `(${values.map((value) => (value === null ? "" : `"${doubled(value)}"`)).join(",")})`;

/** An array of texts that are not NULL. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
export const arrayLiteral = (values: readonly string[]): string =>
  `{${values.map((value) => `"${value.replaceAll(/[\\"]/g, "\\$&")}"`).join(",")}}`;
