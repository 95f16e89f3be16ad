import { isUtf8 } from "node:buffer";
import { broadcastProblems, type FieldErrors } from "./problems.ts";
import { nameLimitBytes } from "./published.ts";

/** One message of a batch. */
export interface BatchMessage {
  readonly topic: string;
  readonly isPrivate: boolean;
  /** JSON text of the broadcast as clients get it. */
  readonly payload: Buffer;
}

export interface BatchLimits {
  readonly payloadBytes: number;
  readonly messages: number;
}

const isBlank = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === "string" && value.trim() === "");
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws Problem 422 for what is no JSON */
export function parseJson(body: Buffer): unknown {
  try {
    if (isUtf8(body)) return JSON.parse(body.toString());
  } catch {
    // said below
  }
  throw broadcastProblems.invalid({ body: ["is not JSON"] });
}

/**
 * The messages of a batch, all of them or none. Names and texts of what is wrong are Supabase's (Ecto's): `can't be blank`, `is invalid`.
 * @throws Problem 422 which says for each message what is wrong with it
 */
export function readBatch(body: unknown, limits: BatchLimits): readonly BatchMessage[] {
  const messages = isObject(body) ? body.messages : undefined;
  if (isBlank(messages)) throw broadcastProblems.invalid({ messages: ["can't be blank"] });
  if (!Array.isArray(messages)) throw broadcastProblems.invalid({ messages: ["is invalid"] });
  if (messages.length > limits.messages) {
    throw broadcastProblems.invalid({ messages: [`should have at most ${limits.messages} item(s)`] });
  }
  const errors: FieldErrors[] = [];
  const read: BatchMessage[] = [];
  for (const message of messages) {
    const result = readMessage(message, limits);
    if ("errors" in result) errors.push(result.errors);
    else {
      errors.push({});
      read.push(result);
    }
  }
  if (read.length < messages.length) throw broadcastProblems.invalid({ messages: errors });
  return read;
}

function readMessage(message: unknown, { payloadBytes }: BatchLimits): BatchMessage | { readonly errors: FieldErrors } {
  if (!isObject(message)) return { errors: { message: ["is invalid"] } };
  const { topic, event, payload, private: isPrivate = false, id } = message;
  const errors: Record<string, readonly string[]> = {};
  for (const [field, value] of Object.entries({ topic, event })) {
    if (isBlank(value)) errors[field] = ["can't be blank"];
    else if (typeof value !== "string") errors[field] = ["is invalid"];
  }
  if (typeof topic === "string" && Buffer.byteLength(topic) > nameLimitBytes) {
    errors.topic = [`should be at most ${nameLimitBytes} byte(s)`];
  }
  if (isBlank(payload)) errors.payload = ["can't be blank"];
  else if (!isObject(payload)) errors.payload = ["is invalid"];
  const flag = asFlag(isPrivate);
  if (flag === null) errors.private = ["is invalid"];
  const meta = typeof id === "string" ? { meta: { id } } : {};
  const text = Buffer.from(JSON.stringify({ type: "broadcast", event, payload, ...meta }));
  if (text.length > payloadBytes) errors.payload = ["Payload size exceeds tenant limit"];
  if (flag === null || Object.keys(errors).length > 0) return { errors };
  return { topic: topic as string, isPrivate: flag, payload: text };
}

function asFlag(value: unknown): boolean | null {
  if (value === true || value === "true") return true;
  return value === false || value === null || value === "false" ? false : null;
}

/** What a single broadcast carries. */
export interface SingleBody {
  readonly encoding: "json" | "bytes";
  readonly payload: Buffer;
}

/**
 * The body of a single broadcast: the payload itself. Without a content type it is JSON, as old callers send it.
 * @throws Problem 415, or 422 for what is no JSON or too large
 */
export function readSingle(contentType: string | undefined, body: Buffer, payloadBytes: number): SingleBody {
  const encoding = encodingOf(contentType);
  if (body.length > payloadBytes) throw broadcastProblems.invalid({ payload: ["Payload size exceeds tenant limit"] });
  if (encoding === "json") parseJson(body);
  return { encoding, payload: body };
}

/** @throws Problem 415 */
export function encodingOf(contentType: string | undefined): SingleBody["encoding"] {
  const [type] = (contentType ?? "application/json").toLowerCase().split(/\s*;/, 1);
  if (type === "application/json") return "json";
  if (type === "application/octet-stream") return "bytes";
  throw broadcastProblems.unsupportedMediaType();
}
