import type { KeyKind } from "../compile/types.ts";
import { dateDays, timestampUs } from "./moment.ts";

/** Kinds with values that have no canonical text here. */
export const isPartial = (kind: KeyKind): boolean => kind === "numeric" || kind.startsWith("time") || kind === "date";

/** Digits that a comparison is still worth; numeric allows 131,072. */
const maxDigits = 1000;

/** Without zeros that say nothing. `undefined` for what is not written plainly. */
export function canonicalNumeric(text: string): string | undefined {
  const match = /^(-?)0*(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || text.length > maxDigits)
    return text === "NaN" || text === "Infinity" || text === "-Infinity" ? text : undefined;
  const [, sign, whole = "", fraction = ""] = match;
  if (whole === "" && fraction === "" && !/\d/.test(text)) return undefined;
  const rest = fraction.replace(/0+$/, "");
  if (whole === "" && rest === "") return "0";
  return `${sign}${whole || "0"}${rest && `.${rest}`}`;
}

/**
 * The text under which equal values of a kind are the same text. Values come as PostgreSQL prints them.
 * @returns `undefined` for what is not in the expected format: another DateStyle, above all
 */
export function canonical(kind: KeyKind, value: string | boolean): string | undefined {
  if (typeof value === "boolean") return kind === "boolean" ? (value ? "t" : "f") : undefined;
  switch (kind) {
    // PostgreSQL prints each of these in one way only, whatever the session's settings.
    case "text":
    case "enum":
    case "integer":
    case "uuid":
      return value;
    case "numeric":
      return canonicalNumeric(value);
    case "timestamptz":
      return momentText(timestampUs(value, true));
    case "timestamp":
      return momentText(timestampUs(value, false));
    case "date":
      return momentText(dateDays(value));
    case "boolean":
      return { t: "t", true: "t", f: "f", false: "f" }[value];
  }
}

const momentText = (moment: bigint | "infinity" | "-infinity" | undefined): string | undefined => moment?.toString();

/**
 * The order of two canonical texts, for the kinds that have one we know: negative, zero, positive. Text is compared by its bytes.
 */
export function order(kind: KeyKind, left: string, right: string): number {
  if (left === right) return 0;
  switch (kind) {
    case "integer":
      return orderDigits(left, right);
    case "numeric":
      return orderNumeric(left, right);
    case "timestamptz":
    case "timestamp":
    case "date":
      return orderEnds(left, right) ?? orderDigits(left, right);
    default:
      return Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
}

function orderEnds(left: string, right: string): number | null {
  if (left === "-infinity" || right === "infinity") return -1;
  return left === "infinity" || right === "-infinity" ? 1 : null;
}

const orderPlain = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Integers without leading zeros: the longer is the further from zero. */
function orderDigits(left: string, right: string): number {
  const [isLeftNegative, isRightNegative] = [left.startsWith("-"), right.startsWith("-")];
  if (isLeftNegative !== isRightNegative) return isLeftNegative ? -1 : 1;
  const magnitude = left.length - right.length || orderPlain(left, right);
  return isLeftNegative ? -magnitude : magnitude;
}

/** NaN is above everything, infinity included (PostgreSQL's documentation, 8.1.2). */
function orderNumeric(left: string, right: string): number {
  if (left === "NaN" || right === "NaN") return left === "NaN" ? 1 : -1;
  if (left === "-Infinity" || right === "Infinity") return -1;
  if (left === "Infinity" || right === "-Infinity") return 1;
  const [leftWhole = "", leftFraction = ""] = left.split(".");
  const [rightWhole = "", rightFraction = ""] = right.split(".");
  const isNegative = left.startsWith("-");
  // "-0" of -0.5 has its sign too, so unequal signs are settled by the whole parts.
  if (isNegative !== right.startsWith("-")) return isNegative ? -1 : 1;
  if (leftWhole !== rightWhole) return orderDigits(leftWhole, rightWhole);
  const fraction = orderPlain(leftFraction, rightFraction);
  return isNegative ? -fraction : fraction;
}
