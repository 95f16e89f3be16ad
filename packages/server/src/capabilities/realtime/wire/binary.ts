import { isUtf8 } from "node:buffer";
import type { UserBroadcast } from "../types.ts";
import { WireError } from "./wire-error.ts";

/**
 * Binary messages of version 2.0.0 (`shared/protocols`: framing): a kind, the lengths of some names in a byte each, for broadcasts how the
 * payload is encoded, the names, and the payload to the end.
 */
const kinds = { push: 0, reply: 1, broadcast: 2, userBroadcastPush: 3, userBroadcast: 4 } as const;
const encodings = ["bytes", "json"] as const;

/** Of one name in a header: its length is one byte. */
export const nameLimitBytes = 255;

/** What a client has sent as bytes. */
export type BinaryIncoming = {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
} & (
  | { readonly kind: "push"; readonly event: string; readonly data: Buffer }
  | { readonly kind: "broadcast"; readonly broadcast: UserBroadcast }
);

/**
 * Reads a frame of kind 0 or 3, the two that clients send. The payload is a view of `frame`, not a copy.
 * @throws WireError
 */
export function decodeBinary(frame: Buffer): BinaryIncoming {
  switch (frame[0]) {
    case kinds.push: {
      const { names, data } = readHeader(frame, 4, 0);
      const [joinRef, ref, topic, event] = names as [string, string, string, string];
      return { kind: "push", joinRef: joinRef || null, ref: ref || null, topic, event, data };
    }
    case kinds.userBroadcastPush: {
      const { names, data } = readHeader(frame, 5, 1);
      const [joinRef, ref, topic, event, metadata] = names as [string, string, string, string, string];
      const encoding = encodings[frame[6]!];
      if (encoding === undefined) throw new WireError(`There is no encoding ${frame[6]}`);
      const broadcast = { event, metadata, encoding, payload: data };
      return { kind: "broadcast", joinRef: joinRef || null, ref: ref || null, topic, broadcast };
    }
    case undefined:
      throw new WireError("An empty binary frame", 1007);
    default:
      throw new WireError(`Clients send no binary frames of kind ${frame[0]}`);
  }
}

/** @param extra bytes between the lengths and the names */
function readHeader(frame: Buffer, count: number, extra: number): { names: string[]; data: Buffer } {
  let offset = 1 + count + extra;
  if (frame.length < offset) throw new WireError("A binary frame ends within its header", 1007);
  const names: string[] = [];
  for (let i = 1; i <= count; i++) {
    const end = offset + frame[i]!;
    if (end > frame.length) throw new WireError("A binary frame ends within its names", 1007);
    names.push(textOf(frame.subarray(offset, end)));
    offset = end;
  }
  return { names, data: frame.subarray(offset) };
}

/** @throws WireError for what is no UTF-8: two names must not become one by replacing what cannot be read */
export function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new WireError("Text that is not UTF-8", 1007);
  return bytes.toString();
}

/** Kind 4. @throws WireError when a name is too long */
export const userBroadcastParts = (topic: string, broadcast: UserBroadcast): readonly Uint8Array[] => [
  header(
    kinds.userBroadcast,
    { topic, event: broadcast.event, metadata: broadcast.metadata },
    encodings.indexOf(broadcast.encoding),
  ),
  broadcast.payload,
];

/** Kind 0, as servers send it: without `ref`. @throws WireError when a name is too long */
export const pushParts = (message: {
  readonly joinRef: string | null;
  readonly topic: string;
  readonly event: string;
  readonly data: Uint8Array;
}): readonly Uint8Array[] => [
  header(kinds.push, { joinRef: message.joinRef ?? "", topic: message.topic, event: message.event }),
  message.data,
];

/** Kind 1. @throws WireError when a name is too long */
export const replyParts = (reply: {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly status: "ok" | "error";
  readonly data: Uint8Array;
}): readonly Uint8Array[] => [
  header(kinds.reply, {
    joinRef: reply.joinRef ?? "",
    ref: reply.ref ?? "",
    topic: reply.topic,
    status: reply.status,
  }),
  reply.data,
];

/** Kind 2. @throws WireError when a name is too long */
export const broadcastParts = (message: {
  readonly topic: string;
  readonly event: string;
  readonly data: Uint8Array;
}): readonly Uint8Array[] => [header(kinds.broadcast, { topic: message.topic, event: message.event }), message.data];

function header(kind: number, names: Readonly<Record<string, string>>, encoding?: number): Buffer {
  const encoded = Object.entries(names).map(([name, text]) => {
    const bytes = Buffer.from(text);
    if (bytes.length > nameLimitBytes) {
      throw new WireError(`The ${name} takes ${bytes.length} bytes, of at most ${nameLimitBytes}`);
    }
    return bytes;
  });
  const lengths = encoded.map(({ length }) => length);
  return Buffer.concat([Buffer.from([kind, ...lengths, ...(encoding === undefined ? [] : [encoding])]), ...encoded]);
}
