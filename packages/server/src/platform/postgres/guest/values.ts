/** JSON, as `JSON.parse` gives it. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Reads a value that PostgreSQL has printed. */
export type ReadText = (text: string) => JsonValue;

/**
 * A number as JavaScript has it; one that it cannot have exactly stays the text that PostgreSQL printed, as do `NaN` and the infinities, which JSON
 * does not have either.
 */
export const numberOrText: ReadText = (text) => {
  const value = Number(text);
  return Number.isFinite(value) && isExact(text, value) ? value : text;
};

/** Whether the number is written by `value` without loss: zeros at the end of a fraction, and the way an exponent is written, are none. */
function isExact(text: string, value: number): boolean {
  if (text.length <= 15 || String(value) === text) return true;
  return digitsOf(text) === digitsOf(String(value));
}

/** `-120.50` and `-1.205e+2` are the same. */
function digitsOf(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  return kept === "" ? "0" : `${sign}${kept}e${Number(exponent) - fraction.length + (digits.length - kept.length)}`;
}

/** A digit string that a double may not hold. */
const longNumber = /\d{16}|\d[eE]|\.\d{15}/;

/** JSON, in which numbers that JavaScript cannot have exactly are texts. */
export const jsonText: ReadText = (text) => {
  if (!longNumber.test(text)) return JSON.parse(text) as JsonValue;
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && context?.source !== undefined ? numberOrText(context.source) : value,
  ) as JsonValue;
};

const asItIs: ReadText = (text) => text;
const flag: ReadText = (text) => text === "t";
/** ISO 8601, as `to_jsonb` writes it: `2026-11-22T10:00:00.5+00:00`. Infinities and years before Christ stay as they are printed. */
const time: ReadText = (text) =>
  text.replace(/^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)/, "$1T$2").replace(/([+-]\d\d)$/, "$1:00");
const timeWithoutZone: ReadText = (text) => text.replace(/^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)/, "$1T$2");

/** Types by their OID (PostgreSQL's pg_type.dat), those that need no question. What is no number, flag, time or JSON is text there as here. */
export const builtIn: ReadonlyMap<number, ReadText> = new Map([
  [16, flag],
  [20, numberOrText],
  [21, numberOrText],
  [23, numberOrText],
  [26, numberOrText],
  [700, numberOrText],
  [701, numberOrText],
  [1700, numberOrText],
  [114, jsonText],
  [3802, jsonText],
  [1114, timeWithoutZone],
  [1184, time],
  // char, name, text, oid's texts, bpchar, varchar, date, time, timetz, interval, uuid, bytea, inet, cidr, macaddr, void, unknown
  ...[18, 19, 25, 1042, 1043, 1082, 1083, 1266, 1186, 2950, 17, 869, 650, 829, 774, 2278, 705].map(
    (oid): [number, ReadText] => [oid, asItIs],
  ),
]);
