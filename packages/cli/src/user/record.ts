/** One entry of a file, and the line it begins in, from 1. */
export interface FileRecord {
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An entry that cannot be taken over: why, for the person who has the file. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

/** What reading gives: a record, or a line nobody can read. */
export type ReadRecord = FileRecord | { readonly line: number; readonly error: string };

/** Longest entry, in characters: a file that is something else altogether is not read into memory whole. */
export const maxRecordLength = 4_194_304;

export const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A text, `undefined` for anything that is none or empty. Numbers count: exports write ids and times so. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `true`, `"true"`, `"t"`, `1` …; `undefined` when it says nothing. */
export function flagOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  const word = textOf(value)?.toLowerCase();
  if (word === undefined) return undefined;
  return ["true", "t", "1", "yes", "y"].includes(word);
}

/** An object, or one written as JSON text. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (isFields(value)) return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new RecordError("a field that should hold a JSON object does not");
  }
  if (!isFields(parsed)) throw new RecordError("a field that should hold a JSON object does not");
  return parsed;
}

/** A time as ISO 8601: from milliseconds, from MongoDB's `{"$date"}`, or a text as it is. */
export function timeOf(value: unknown): string | undefined {
  const given = isFields(value) ? (value.$date ?? value.iso) : value;
  const text = isFields(given) ? textOf(given.$numberLong) : textOf(given);
  if (text === undefined) return undefined;
  if (!/^-?\d{10,}$/.test(text)) return text;
  const time = new Date(Number(text));
  if (Number.isNaN(time.getTime())) throw new RecordError("a time is malformed");
  return time.toISOString();
}
