import { DatabaseError } from "./types.ts";

/** Receives the backend's messages; `buffer` from `start` to `end` is the body. The buffer may be kept: it is never reused. */
export type MessageHandler = (type: number, buffer: Buffer, start: number, end: number) => void;

/**
 * Cuts what the socket gives into messages. A message that spans chunks is joined once, when its last byte is there, so a
 * large row costs one copy however many chunks it came in.
 */
export class MessageReader {
  readonly #onMessage: MessageHandler;
  #chunks: Buffer[] = [];
  #have = 0;
  #need = 0;

  constructor(onMessage: MessageHandler) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    let buffer = chunk;
    if (this.#have > 0) {
      this.#chunks.push(chunk);
      this.#have += chunk.length;
      if (this.#have < this.#need) return;
      buffer = Buffer.concat(this.#chunks, this.#have);
      this.#chunks = [];
      this.#have = 0;
    }
    const length = buffer.length;
    let offset = 0;
    while (length - offset >= 5) {
      const end = offset + 1 + readInt32(buffer, offset + 1);
      if (end > length) break;
      this.#onMessage(buffer[offset]!, buffer, offset + 5, end);
      offset = end;
    }
    if (offset === length) return;
    const rest = buffer.subarray(offset);
    this.#chunks = [rest];
    this.#have = rest.length;
    this.#need = rest.length >= 5 ? 1 + readInt32(rest, 1) : 5;
  }
}

/** Big-endian, signed. By hand: `readInt32BE` checks its bounds and type on every call. */
export function readInt32(buffer: Buffer, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}

/** The fields of a DataRow body. */
export function readRow(buffer: Buffer, start: number): (Buffer | null)[] {
  const count = (buffer[start]! << 8) | buffer[start + 1]!;
  const row = new Array<Buffer | null>(count);
  let at = start + 2;
  for (let i = 0; i < count; i++) {
    const length = readInt32(buffer, at);
    at += 4;
    if (length < 0) {
      row[i] = null;
    } else {
      row[i] = buffer.subarray(at, at + length);
      at += length;
    }
  }
  return row;
}

/** ErrorResponse or NoticeResponse: one-letter field codes, each with a zero-terminated text. */
export function readError(buffer: Buffer, start: number, end: number): DatabaseError {
  const fields = new Map<string, string>();
  let at = start;
  while (at < end && buffer[at] !== 0) {
    const code = String.fromCharCode(buffer[at]!);
    const stop = buffer.indexOf(0, at + 1);
    fields.set(code, buffer.toString("utf8", at + 1, stop));
    at = stop + 1;
  }
  return new DatabaseError({
    sqlstate: fields.get("C") ?? "XX000",
    severity: fields.get("V") ?? fields.get("S") ?? "ERROR",
    message: fields.get("M") ?? "PostgreSQL reported an error without a message.",
    detail: fields.get("D") ?? null,
    hint: fields.get("H") ?? null,
    schema: fields.get("s") ?? null,
    table: fields.get("t") ?? null,
    column: fields.get("c") ?? null,
    constraint: fields.get("n") ?? null,
  });
}

/** A zero-terminated text. */
export function readText(buffer: Buffer, start: number): string {
  return buffer.toString("utf8", start, buffer.indexOf(0, start));
}
