import type { Incoming } from "../types.ts";
import { nameLimitBytes, type Published } from "./published.ts";

/** What a client's message comes to: a broadcast, or why it is none. */
export type Reading = { readonly published: Published } | { readonly refusal: string };

/**
 * Reads a broadcast that came over a websocket. The metadata of a frame of kind 3 goes no further: what stands there tells receivers
 * that a message is stored or replayed, which is for the server to say.
 */
export function readBroadcast(message: Incoming, room: string, limitBytes: number): Reading {
  const { broadcast } = message;
  if (broadcast === null) return readText(message.payload, room, limitBytes);
  const { event, encoding, payload } = broadcast;
  if (payload.length > limitBytes) return tooLarge(limitBytes);
  if (Buffer.byteLength(event) > nameLimitBytes)
    return { refusal: `An event's name takes at most ${nameLimitBytes} bytes` };
  return { published: { form: "bytes", room, event, encoding, metadata: "", payload } };
}

function readText(payload: unknown, room: string, limitBytes: number): Reading {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload) || Buffer.isBuffer(payload)) {
    return { refusal: "A broadcast must be an object" };
  }
  const text = Buffer.from(JSON.stringify(payload));
  return text.length > limitBytes ? tooLarge(limitBytes) : { published: { form: "text", room, payload: text } };
}

const tooLarge = (limitBytes: number): Reading => ({ refusal: `A broadcast takes at most ${limitBytes} bytes` });
