import type { Json } from "./json.ts";

/** The log does not hold it, or only PostgreSQL could say. Something else may still decide. */
export const absent = Symbol("absent");
/** PostgreSQL would raise an error, or might: whatever the rest says, nothing is decided here. */
export const failed = Symbol("failed");

export type Unsure = typeof absent | typeof failed;

/** A value of type json or jsonb that is not SQL's NULL. */
export interface JsonValue {
  readonly json: Json;
}

export type ArrayValue = readonly (string | boolean | null)[];

/** Text of PostgreSQL for most types, booleans as such. */
export type Value = string | boolean | null | JsonValue | ArrayValue | Unsure;

/** One that is there, and certain. */
export type Known = Exclude<Value, null | Unsure>;

export type Truth = boolean | null | Unsure;

export const isUnsure = (value: Value): value is Unsure => typeof value === "symbol";

/** For a value whose expression has type boolean. */
export const truthOf = (value: Value): Truth =>
  typeof value === "boolean" || value === null || typeof value === "symbol" ? value : failed;
