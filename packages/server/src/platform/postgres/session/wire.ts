import type { Param } from "./types.ts";

/**
 * The frontend half of the PostgreSQL protocol 3.0, as bytes.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
const PARSE = 0x50; // P
const BIND = 0x42; // B
const EXECUTE = 0x45; // E
const CLOSE = 0x43; // C

/** Execute of the unnamed portal without a row limit: the same ten bytes every time. */
const executeMessage = Buffer.from([EXECUTE, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4]);

export const terminateMessage = Buffer.from([0x58, 0, 0, 0, 4]);
export const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Strings up to this length are written by hand: the call into native code costs more than the bytes. */
const SHORT_TEXT = 24;

/**
 * Collects the messages of every flight that leaves in one turn of the event loop, so that they go out in one write.
 * The buffer is reused when the kernel took the last write whole.
 */
export class WireWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(sizeBytes = 16_384) {
    this.#buffer = Buffer.allocUnsafeSlow(sizeBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What has been written, as a view. Call `reuse` or `replace` afterwards. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The bytes are with the kernel: start over in the same memory, unless one large flight has made it large. */
  reuse(): void {
    if (this.#buffer.length > 1_048_576) this.#buffer = Buffer.allocUnsafeSlow(16_384);
    this.#length = 0;
  }

  /** The bytes are still being sent from this memory: go on in another. */
  replace(): void {
    this.#buffer = Buffer.allocUnsafeSlow(16_384);
    this.#length = 0;
  }

  parse(name: string, text: string): void {
    const start = this.#begin(PARSE, name.length + text.length * 3 + 16);
    this.#text(name);
    this.#buffer[this.#length++] = 0;
    this.#text(text);
    this.#buffer[this.#length++] = 0;
    this.#int16(0);
    this.#end(start);
  }

  /** Binds the unnamed portal; all parameters and results in text format. */
  bind(name: string, values: readonly Param[]): void {
    let bound = name.length + 32;
    for (const value of values)
      bound += 4 + (value === null ? 0 : typeof value === "string" ? value.length * 3 : value.length);
    const start = this.#begin(BIND, bound);
    this.#buffer[this.#length++] = 0;
    this.#text(name);
    this.#buffer[this.#length++] = 0;
    this.#int16(0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
    this.#end(start);
  }

  execute(): void {
    this.#reserve(10);
    executeMessage.copy(this.#buffer, this.#length);
    this.#length += 10;
  }

  closeStatement(name: string): void {
    const start = this.#begin(CLOSE, name.length + 16);
    this.#buffer[this.#length++] = 0x53; // S: a statement, not a portal
    this.#text(name);
    this.#buffer[this.#length++] = 0;
    this.#end(start);
  }

  sync(): void {
    this.#reserve(5);
    syncMessage.copy(this.#buffer, this.#length);
    this.#length += 5;
  }

  #begin(type: number, boundBytes: number): number {
    this.#reserve(boundBytes + 5);
    this.#buffer[this.#length++] = type;
    this.#length += 4;
    return this.#length - 4;
  }

  #end(start: number): void {
    this.#buffer.writeInt32BE(this.#length - start, start);
  }

  #int16(value: number): void {
    this.#buffer[this.#length++] = value >> 8;
    this.#buffer[this.#length++] = value;
  }

  #value(value: Param): void {
    if (value === null) {
      this.#buffer.writeInt32BE(-1, this.#length);
      this.#length += 4;
      return;
    }
    const start = this.#length;
    this.#length += 4;
    if (typeof value === "string") this.#text(value);
    else {
      value.copy(this.#buffer, this.#length);
      this.#length += value.length;
    }
    this.#buffer.writeInt32BE(this.#length - start - 4, start);
  }

  #text(value: string): void {
    const length = value.length;
    if (length <= SHORT_TEXT) {
      const buffer = this.#buffer;
      let at = this.#length;
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        buffer[at++] = code;
      }
      if (i === length) {
        this.#length = at;
        return;
      }
    }
    this.#length += this.#buffer.write(value, this.#length, "utf8");
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** StartupMessage: protocol 3.0 and its parameters. */
export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Object.entries(parameters)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join("");
  const message = Buffer.alloc(8 + Buffer.byteLength(body) + 1);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(196_608, 4);
  message.write(body, 8, "utf8");
  return message;
}

/** CancelRequest: goes over a connection of its own. */
export function cancelMessage(processId: number, secretKey: Buffer): Buffer {
  const message = Buffer.alloc(12 + secretKey.length);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(80_877_102, 4);
  message.writeInt32BE(processId, 8);
  secretKey.copy(message, 12);
  return message;
}

/** A `p` message: passwords and SASL answers. */
export function passwordMessage(body: Buffer): Buffer {
  const message = Buffer.alloc(5 + body.length);
  message[0] = 0x70;
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}
