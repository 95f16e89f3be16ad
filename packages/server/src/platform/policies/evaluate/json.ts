/** A number as it was written: neither its digits nor its scale are lost. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const isObject = (json: Json): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof JsonNumber);
export const isArray = (json: Json): json is readonly Json[] => Array.isArray(json);

type Reviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;
/** ECMAScript's "JSON.parse source text access": the types do not have it yet. */
const parseWith = JSON.parse as unknown as (text: string, reviver: Reviver) => Json;

/** What PostgreSQL refuses in JSON and JavaScript does not: NUL, and halves of a surrogate pair. Some that is fine is taken along. */
const refused = /\\u(?:0000|d[89a-f])/i;

/**
 * @returns `undefined` for what cannot be read, or might not be read as PostgreSQL does
 */
export function parseJson(text: string): Json | undefined {
  if (refused.test(text)) return undefined;
  try {
    return parseWith(text, (_, value, { source }) => (typeof value === "number" ? new JsonNumber(source) : value));
  } catch {
    return undefined;
  }
}

/** `->` with a key or a position; `undefined` when there is nothing, SQL's NULL. */
export function member(json: Json, at: string | number): Json | undefined {
  if (typeof at === "string") return isObject(json) && Object.hasOwn(json, at) ? json[at] : undefined;
  return isArray(json) ? json.at(at) : undefined;
}

/** A number whose text is the same in json and in jsonb. */
const plainNumber = /^(?:0|-?[1-9]\d*)(?:\.\d+)?$|^0\.\d+$/;

/**
 * `->>`: strings bare, JSON's null as SQL's NULL.
 * @returns `undefined` for objects, arrays and unusual numbers: their text is PostgreSQL's to write
 */
export function textOf(json: Json): string | null | undefined {
  if (json === null || typeof json === "string") return json;
  if (typeof json === "boolean") return String(json);
  return json instanceof JsonNumber && plainNumber.test(json.text) ? json.text : undefined;
}
