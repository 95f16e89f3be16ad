import type { Outgoing } from "../types.ts";
import { broadcastMessage, jsonMessage } from "../wire/index.ts";

/**
 * A broadcast that somebody was allowed to send, wherever it came from. How it was published decides how it is framed
 * (protocols: fan-out rules).
 */
export type Published = PublishedText | PublishedBytes;

/** By a text message or in a batch: everybody gets a text message. */
export interface PublishedText {
  readonly form: "text";
  readonly room: string;
  /** JSON text of all of it: `{"type":"broadcast","event":…,"payload":…}`. */
  readonly payload: Buffer;
}

/** By a frame of kind 3, one at a time by HTTP, or by the database: newer clients get kind 4. */
export interface PublishedBytes {
  readonly form: "bytes";
  readonly room: string;
  readonly event: string;
  readonly encoding: "json" | "bytes";
  /** JSON text, or `""`; at most 255 bytes. */
  readonly metadata: string;
  readonly payload: Buffer;
}

/** What a name may take in a frame of kind 4, in bytes of UTF-8. */
export const nameLimitBytes = 255;

const fits = (name: string): boolean => name.length * 3 <= nameLimitBytes || Buffer.byteLength(name) <= nameLimitBytes;

/**
 * The message for all members of its room; `null` for bytes under a name that no frame has room for. The database knows no such bound:
 * JSON under a long name goes as text to everybody.
 */
export function outgoingOf(published: Published): Outgoing | null {
  const topic = topicOf(published.room);
  const { payload } = published;
  if (published.form === "text") return jsonMessage({ topic, event: "broadcast", payload: payload.toString() });
  const { event, metadata, encoding } = published;
  if (fits(topic) && fits(event)) return broadcastMessage(topic, published);
  if (encoding === "bytes") return null;
  const meta = metadata === "" ? "" : `,"meta":${metadata}`;
  const text = `{"type":"broadcast","event":${JSON.stringify(event)},"payload":${payload.toString()}${meta}}`;
  return jsonMessage({ topic, event: "broadcast", payload: text });
}

/** `realtime:name` of `private:name`. */
const topicOf = (room: string): string => `realtime${room.slice(room.indexOf(":"))}`;
