import type { Call } from "../../../kernel/route.ts";
import { problems } from "../problems.ts";

/** Names and values of a JSON body. */
export type JsonBody = Readonly<Record<string, unknown>>;

/** A body as a JSON object. An empty one says nothing, whatever its type (protocols: conventions). @throws Problem `InvalidRequest` */
export async function readJsonBody(call: Pick<Call, "body">): Promise<JsonBody> {
  const bytes = await call.body();
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw problems.invalidRequest("Body is not valid JSON");
  }
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw problems.invalidRequest("body must be object");
  return value as JsonBody;
}

/** A text that must be there. @throws Problem `InvalidRequest` */
export function requiredText(body: JsonBody, name: string): string {
  const value = optionalText(body, name);
  if (value === undefined) throw problems.invalidRequest(`body must have required property '${name}'`);
  return value;
}

/** @throws Problem `InvalidRequest` when it is there and no text, or one PostgreSQL cannot hold */
export function optionalText(body: JsonBody, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw problems.invalidRequest(`body/${name} must be string`);
  return storable(value, `body/${name}`);
}

/** @throws Problem `InvalidRequest` */
export function optionalFlag(body: JsonBody, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw problems.invalidRequest(`body/${name} must be boolean`);
  return value;
}

/** A whole number, at least `min`. @throws Problem `InvalidRequest` */
export function optionalInteger(body: JsonBody, name: string, min: number): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw problems.invalidRequest(`body/${name} must be integer`);
  }
  if (value < min) throw problems.invalidRequest(`body/${name} must be >= ${min}`);
  return value;
}

/** @throws Problem `InvalidRequest` */
export function optionalObject(body: JsonBody, name: string): JsonBody | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) throw problems.invalidRequest(`body/${name} must be object`);
  return value as JsonBody;
}

/** @throws Problem `InvalidRequest` when there is something else than texts in it */
export function textList(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) throw problems.invalidRequest(`body/${name} must be array`);
  return value.map((item: unknown, at) => {
    if (typeof item !== "string") throw problems.invalidRequest(`body/${name}/${at} must be string`);
    return storable(item, `body/${name}/${at}`);
  });
}

/** PostgreSQL's texts have no U+0000 and no half of a surrogate pair. @throws Problem `InvalidRequest` */
function storable(text: string, name: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    throw problems.invalidRequest(`${name} has characters that no text can have`);
  }
  return text;
}
