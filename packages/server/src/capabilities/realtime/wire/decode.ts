import type { Incoming, UserBroadcast, WireVersion } from "../types.ts";
import { decodeBinary, textOf } from "./binary.ts";
import { WireError } from "./wire-error.ts";

/**
 * Reads one message of a client: JSON text of either version, or a binary frame of 2.0.0. A push of bytes (kind 0) has its `Buffer` as
 * payload. Binary payloads are views of `data`; whoever keeps them for long copies them.
 * @throws WireError which says what it means for the socket
 */
export function decode(version: WireVersion, data: Buffer, isBinary: boolean): Incoming {
  if (!isBinary) return version === "2.0.0" ? fromArray(parse(data)) : fromObject(parse(data));
  if (version !== "2.0.0") throw new WireError("Version 1.0.0 has no binary frames", 1003);
  const frame = decodeBinary(data);
  const { joinRef, ref, topic } = frame;
  if (frame.kind === "push") return { joinRef, ref, topic, event: frame.event, payload: frame.data, broadcast: null };
  refuseUnreadable(frame.broadcast);
  return { joinRef, ref, topic, event: "broadcast", payload: null, broadcast: frame.broadcast };
}

function parse(data: Buffer): unknown {
  const text = textOf(data);
  try {
    return JSON.parse(text);
  } catch {
    throw new WireError("Text that is not JSON", 1007);
  }
}

/** 2.0.0: `[join_ref, ref, topic, event, payload]`; what follows is ignored. */
function fromArray(message: unknown): Incoming {
  if (!Array.isArray(message)) throw new WireError("A message of version 2.0.0 is an array");
  return incoming(message[0], message[1], message[2], message[3], message[4]);
}

/** 1.0.0: `{topic, event, payload, ref, join_ref}` */
function fromObject(message: unknown): Incoming {
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new WireError("A message of version 1.0.0 is an object");
  }
  const { join_ref, ref, topic, event, payload } = message as Readonly<Record<string, unknown>>;
  return incoming(join_ref, ref, topic, event, payload);
}

function incoming(joinRef: unknown, ref: unknown, topic: unknown, event: unknown, payload: unknown): Incoming {
  if (typeof topic !== "string" || typeof event !== "string") throw new WireError("A message without topic or event");
  return { joinRef: refOf(joinRef), ref: refOf(ref), topic, event, payload: payload ?? {}, broadcast: null };
}

/** Some clients count in numbers; all of them understand text. */
function refOf(ref: unknown): string | null {
  if (typeof ref === "string") return ref;
  if (typeof ref === "number") return String(ref);
  if (ref === null || ref === undefined) return null;
  throw new WireError("A ref is text or null");
}

/**
 * What one client calls JSON must be JSON: the others parse it, and within a frame of 1.0.0 it stands among our own keys, where it could
 * otherwise close the object and add some. The bytes go on as they are.
 */
function refuseUnreadable({ encoding, payload, metadata }: UserBroadcast): void {
  if (encoding === "json") checkJson(textOf(payload), "payload");
  if (metadata !== "") checkJson(metadata, "metadata");
}

function checkJson(text: string, name: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new WireError(`A broadcast's ${name} is not JSON`);
  }
}
