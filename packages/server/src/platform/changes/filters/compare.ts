import type { ColumnType } from "./published.ts";

/**
 * How values of a type compare, exactly as PostgreSQL compares them, by what the log says of them in text. What is not certain here is
 * `null`: then PostgreSQL is asked.
 */
export interface Comparison {
  /** The value as the log would print it; `null` when only PostgreSQL can tell, or refuse it. */
  canonical(given: string): string | null;
  /** Equal values have equal keys; `null` when equality is not decided here. */
  readonly key: ((text: string) => string) | null;
  /** Below, at or above 0; `null` when order is not decided here. */
  readonly order: ((one: string, other: string) => number) | null;
}

const itself = (text: string): string => text;
const unknown = (): null => null;
const byCodeUnits = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** Only PostgreSQL compares these. */
const asked: Comparison = { canonical: unknown, key: null, order: null };

const integers: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  int2: [-(2n ** 15n), 2n ** 15n - 1n],
  int4: [-(2n ** 31n), 2n ** 31n - 1n],
  int8: [-(2n ** 63n), 2n ** 63n - 1n],
  oid: [0n, 2n ** 32n - 1n],
};

export function comparisonOf(type: ColumnType): Comparison {
  if (type.isEnum) return { canonical: unknown, key: itself, order: null };
  if (!type.sql.startsWith("pg_catalog.")) return asked;
  const bounds = integers[type.name];
  if (bounds !== undefined) return integerComparison(...bounds);
  switch (type.name) {
    case "bool":
      return { canonical: booleanOf, key: itself, order: byCodeUnits };
    case "uuid":
      return { canonical: uuidOf, key: itself, order: byCodeUnits };
    case "text":
    case "varchar":
      return {
        canonical: itself,
        key: type.isDeterministic ? itself : null,
        order: type.isBytewise ? byBytes : null,
      };
    case "numeric":
      return {
        canonical: (given) => (/^[+-]?\d+(\.\d+)?$/.test(given) ? numericKey(given) : null),
        key: numericKey,
        order: byNumeric,
      };
    case "float8":
      return { canonical: unknown, key: floatKey, order: byFloat };
    case "float4":
      return { canonical: unknown, key: floatKey, order: byFloat };
    case "date":
    case "timestamp":
    case "timestamptz":
      return { canonical: unknown, key: itself, order: byTime };
    // `HH:MM:SS.ffffff`: always two digits, and a shorter fraction is a smaller one or the same.
    case "time":
      return { canonical: unknown, key: itself, order: byCodeUnits };
    case "bytea":
      return { canonical: unknown, key: itself, order: byCodeUnits };
    default:
      return asked;
  }
}

function integerComparison(least: bigint, most: bigint): Comparison {
  return {
    canonical(given) {
      if (!/^\s*[+-]?\d{1,19}\s*$/.test(given)) return null;
      const value = BigInt(given.trim().replace(/^\+/, ""));
      return value < least || value > most ? null : value.toString();
    },
    key: itself,
    order(one, other) {
      const [a, b] = [BigInt(one), BigInt(other)];
      return a < b ? -1 : a > b ? 1 : 0;
    },
  };
}

function booleanOf(given: string): string | null {
  const word = given.toLowerCase();
  return word === "true" || word === "t" ? "t" : word === "false" || word === "f" ? "f" : null;
}

function uuidOf(given: string): string | null {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(given) ? given.toLowerCase() : null;
}

/** `1.50` and `1.5` are equal. NaN equals itself. */
function numericKey(text: string): string {
  const match = /^([+-]?)0*(\d*?)(?:\.(\d*?)0*)?$/.exec(text);
  if (match === null) return text;
  const [, sign, whole, fraction] = match;
  const digits = `${whole === "" ? "0" : whole}${fraction ? `.${fraction}` : ""}`;
  return sign === "-" && digits !== "0" ? `-${digits}` : digits;
}

const numericRank = (text: string): number =>
  text === "-Infinity" ? -1 : text === "Infinity" ? 1 : text === "NaN" ? 2 : 0;

function byNumeric(one: string, other: string): number {
  const ranks = numericRank(one) - numericRank(other);
  if (ranks !== 0 || numericRank(one) !== 0) return ranks;
  const [a, b] = [numericKey(one), numericKey(other)];
  const [isNegative, isOtherNegative] = [a.startsWith("-"), b.startsWith("-")];
  if (isNegative !== isOtherNegative) return isNegative ? -1 : 1;
  return isNegative ? byMagnitude(b.slice(1), a.slice(1)) : byMagnitude(a, b);
}

function byMagnitude(one: string, other: string): number {
  const [whole = "", fraction = ""] = one.split(".");
  const [otherWhole = "", otherFraction = ""] = other.split(".");
  return whole.length - otherWhole.length || byCodeUnits(whole, otherWhole) || byCodeUnits(fraction, otherFraction);
}

/** The shortest text that gives the number back, which both sizes of float are printed as: JavaScript reads it exactly. */
function floatKey(text: string): string {
  const value = Number(text);
  return value === 0 ? "0" : String(value);
}

/** As PostgreSQL orders floats: NaN is equal to itself and above everything. */
function byFloat(one: string, other: string): number {
  const [a, b] = [Number(one), Number(other)];
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of times as ISO style prints them in UTC, with years of any length, `BC` and the infinities. */
function byTime(one: string, other: string): number {
  return yearOf(one) - yearOf(other) || byCodeUnits(afterYear(one), afterYear(other));
}

function yearOf(text: string): number {
  if (text === "infinity") return Number.MAX_SAFE_INTEGER;
  if (text === "-infinity") return Number.MIN_SAFE_INTEGER;
  const year = Number(text.slice(0, text.indexOf("-")));
  return text.endsWith(" BC") ? -year : year;
}

/** `-MM-DD HH:MM:SS.f+00`: a `+` is below a `.`, so a fraction is above none. */
const afterYear = (text: string): string => text.slice(text.indexOf("-"));
