import type { Call } from "../../kernel/route.ts";
import { problems } from "./problems.ts";

export type Fields = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The body as an object; flows read the fields they know from it, one by one (threat A18). @throws Problem `bad_json` */
export async function readFields(call: Call): Promise<Fields> {
  const bytes = await call.body();
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    throw problems.badJson();
  }
  if (!isObject(value)) throw problems.badJson();
  return value;
}

/** As `readFields`, and no body counts as an empty object. */
export async function readOptionalFields(call: Call): Promise<Fields> {
  return (await call.body()).length === 0 ? {} : readFields(call);
}

/** A text, `""` when left out or null: GoTrue makes no difference. @throws Problem when it is of another type */
export function textField(fields: Fields, name: string): string {
  const value = own(fields, name);
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw problems.badJson();
  return value;
}

/** @returns `undefined` when left out or null */
export function flagField(fields: Fields, name: string): boolean | undefined {
  const value = own(fields, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw problems.badJson();
  return value;
}

/** Deepest metadata: what PostgreSQL and every client read without trouble. */
const maxDepth = 32;

/**
 * An object for a jsonb column, `null` when left out.
 * @throws Problem when it is no object, larger than `maxBytes`, nested too deep, or holds text PostgreSQL cannot.
 */
export function objectField(fields: Fields, name: string, maxBytes: number): Fields | null {
  const value = own(fields, name);
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw problems.badJson();
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) {
    throw problems.validationFailed(`${name} is larger than ${maxBytes} bytes`);
  }
  if (!isStorable(value)) {
    throw problems.validationFailed(`${name} is nested too deep or holds characters that cannot be stored`);
  }
  return value;
}

/** Whether jsonb takes it: it has no U+0000 and no lone surrogates. Names that objects inherit are kept out for the sake of whoever reads it. */
export function isStorable(value: unknown, depth = maxDepth): boolean {
  if (typeof value === "string") return isStorableText(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  return Object.entries(value).every(
    ([key, item]) => key !== "__proto__" && isStorableText(key) && isStorable(item, depth - 1),
  );
}

const isStorableText = (text: string): boolean => text.isWellFormed() && !text.includes("\0");

const own = (fields: Fields, name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined);

/** A JSON object: no list, no `null`. */
export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isUuid = (text: string): boolean => uuid.test(text);

/** Whether the caller said who they are, beyond the project key. */
export function hasBearer(call: Pick<Call, "headers">): boolean {
  const authorization = call.headers.authorization;
  return authorization !== undefined && /^bearer\s+\S/i.test(authorization);
}
