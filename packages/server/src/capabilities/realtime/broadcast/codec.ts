import type { Published } from "./published.ts";

/** Of our log messages that carry broadcasts. */
export const logPrefix = "mainstay.broadcast";

/** The first byte. A node that does not know it leaves the message alone: during an upgrade both kinds of node run. */
const version = 1;
const bytesForm = 1;
const bytesEncoding = 2;
/** flags, sender, lengths of room, event and metadata (2 bytes each), length of payload (4). */
const recordHeaderBytes = 1 + 8 + 2 + 2 + 2 + 4;
/** Somebody who is on no socket. */
export const noSender: Buffer = Buffer.alloc(8);

/** One broadcast as others read it from the log. */
export interface LoggedBroadcast {
  /** 8 bytes that tell one socket from others; all zero when no socket sent it. */
  readonly sender: Buffer;
  readonly published: Published;
}

/** What one node has written into the log together. */
export interface LoggedBatch {
  readonly nodeId: string;
  /** Of the first; the others follow one by one. Counts all broadcasts of the node since it started. */
  readonly firstSequence: number;
  readonly broadcasts: readonly LoggedBroadcast[];
}

/** One broadcast as a part of a message. Copies what it is given. */
export function encodeRecord(sender: Buffer, published: Published): Buffer {
  const isBytes = published.form === "bytes";
  const room = Buffer.from(published.room);
  const event = Buffer.from(isBytes ? published.event : "");
  const metadata = Buffer.from(isBytes ? published.metadata : "");
  const { payload } = published;
  const record = Buffer.allocUnsafe(recordHeaderBytes + room.length + event.length + metadata.length + payload.length);
  record[0] = (isBytes ? bytesForm : 0) | (isBytes && published.encoding === "bytes" ? bytesEncoding : 0);
  sender.copy(record, 1, 0, 8);
  record.writeUInt16BE(room.length, 9);
  record.writeUInt16BE(event.length, 11);
  record.writeUInt16BE(metadata.length, 13);
  record.writeUInt32BE(payload.length, 15);
  let at = recordHeaderBytes;
  for (const part of [room, event, metadata, payload]) at += part.copy(record, at);
  return record;
}

/** version, node (length, text), sequence (6 bytes), records. `records` are of consecutive numbers. */
export function encodeBatch(nodeId: string, firstSequence: number, records: readonly Buffer[]): Buffer {
  const node = Buffer.from(nodeId);
  const head = Buffer.alloc(2 + node.length + 6);
  head[0] = version;
  head[1] = node.length;
  node.copy(head, 2);
  head.writeUIntBE(firstSequence, 2 + node.length, 6);
  return Buffer.concat([head, ...records]);
}

/** `null` for what is not ours, or of another version. Payloads are views of `content`. */
export function decodeBatch(content: Buffer): LoggedBatch | null {
  if (content.length < 8 || content[0] !== version) return null;
  let at = 2 + content[1]!;
  if (at + 6 > content.length) return null;
  const nodeId = content.toString("utf8", 2, at);
  const firstSequence = content.readUIntBE(at, 6);
  at += 6;
  const broadcasts: LoggedBroadcast[] = [];
  while (at < content.length) {
    const lengths = lengthsAt(content, at);
    if (lengths === null) return null;
    broadcasts.push(recordAt(content, at, lengths));
    at += lengths.total;
  }
  return { nodeId, firstSequence, broadcasts };
}

interface Lengths {
  readonly room: number;
  readonly event: number;
  readonly metadata: number;
  readonly total: number;
}

function lengthsAt(content: Buffer, at: number): Lengths | null {
  if (at + recordHeaderBytes > content.length) return null;
  const room = content.readUInt16BE(at + 9);
  const event = content.readUInt16BE(at + 11);
  const metadata = content.readUInt16BE(at + 13);
  const total = recordHeaderBytes + room + event + metadata + content.readUInt32BE(at + 15);
  return at + total > content.length ? null : { room, event, metadata, total };
}

function recordAt(content: Buffer, start: number, lengths: Lengths): LoggedBroadcast {
  const flags = content[start]!;
  const sender = content.subarray(start + 1, start + 9);
  let at = start + recordHeaderBytes;
  const text = (length: number): string => {
    at += length;
    return content.toString("utf8", at - length, at);
  };
  const room = text(lengths.room);
  const event = text(lengths.event);
  const metadata = text(lengths.metadata);
  const payload = content.subarray(at, start + lengths.total);
  if ((flags & bytesForm) === 0) return { sender, published: { form: "text", room, payload } };
  const encoding = (flags & bytesEncoding) === 0 ? "json" : "bytes";
  return { sender, published: { form: "bytes", room, event, metadata, encoding, payload } };
}
