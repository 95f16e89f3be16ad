import type { Json } from "../../../platform/jobs/types.ts";
import type { FrameWriter } from "../channel/frame-writer.ts";
import { bodyFlag, joinHead, splitHead } from "../channel/heads.ts";
import { firstAskedNumber, frameKind } from "../channel/kinds.ts";
import type { Reply } from "../channel/messages.ts";
import { inPieces } from "../channel/pieces.ts";
import type { Streams } from "../channel/streams.ts";
import type { HttpInput, HttpOutput, LogLine } from "../types.ts";
import { ServiceError } from "./wire.ts";

type Asked =
  | { readonly kind: "call"; resolve(value: Json | undefined): void; reject(error: unknown): void }
  | { readonly kind: "fetch"; resolve(output: HttpOutput): void; reject(error: unknown): void };

/** What this thread has asked the server for, and the answers. */
export class Asking {
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #flush: () => void;
  readonly #limits: { readonly logLineBytes: number; readonly logLines: number };
  readonly #asked = new Map<number, Asked>();
  #next = firstAskedNumber;

  constructor(
    writer: FrameWriter,
    streams: Streams,
    limits: { readonly logLineBytes: number; readonly logLines: number },
    flush: () => void,
  ) {
    this.#writer = writer;
    this.#streams = streams;
    this.#limits = limits;
    this.#flush = flush;
  }

  call(invocation: number, service: string, args: readonly Json[]): Promise<Json | undefined> {
    const text = JSON.stringify([service, args]);
    return new Promise((resolve, reject) => {
      const number = this.#number({ kind: "call", resolve, reject });
      this.#writer.begin(frameKind.call, number).u32(invocation).text(text).end();
      this.#flush();
    });
  }

  fetch(
    invocation: number,
    input: HttpInput,
    as: "caller" | "admin" | "sent",
    signal?: AbortSignal,
  ): Promise<HttpOutput> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const body = inPieces(input.body);
    const isWhole = Buffer.isBuffer(body);
    return new Promise((resolve, reject) => {
      const number = this.#number({ kind: "fetch", resolve, reject });
      const flags =
        (as === "admin" ? bodyFlag.mark : as === "sent" ? bodyFlag.sent : 0) |
        (body === null ? 0 : isWhole ? bodyFlag.whole : bodyFlag.streams);
      this.#writer
        .begin(frameKind.fetch, number)
        .u32(invocation)
        .u8(flags)
        .latin1(joinHead([input.method, input.url, ...input.headers]));
      if (isWhole) this.#writer.bytes(body);
      this.#writer.end();
      this.#flush();
      if (body !== null && !isWhole) this.#streams.send(number, body).catch(() => {});
      signal?.addEventListener(
        "abort",
        () => {
          // Answered already: whoever reads the body stops by itself.
          if (!this.#asked.delete(number)) return;
          this.#writer.begin(frameKind.cancel, number).end();
          this.#flush();
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** Most lines of one invocation that are worth sending: the server takes no more, and says of one that there were others. */
  get mostLines(): number {
    return this.#limits.logLines + 1;
  }

  /** Lines are cut: a log is no store. */
  log(
    invocation: number,
    id: string,
    level: LogLine["level"],
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const limit = this.#limits.logLineBytes;
    const short = message.length > limit ? `${message.slice(0, limit)}…` : message;
    let told = textOf(fields);
    if (told.length > limit) told = JSON.stringify({ cut: told.slice(0, limit) });
    const text = `[${JSON.stringify(id)},${JSON.stringify(level)},${JSON.stringify(short)},${Date.now()},${told}]`;
    this.#writer.begin(frameKind.log, invocation).text(text).end();
    this.#flush();
  }

  /** Whether a frame was an answer to something. */
  take(kind: number, number: number, bytes: Buffer, start: number, end: number): boolean {
    if (kind !== frameKind.reply && kind !== frameKind.fetched) return false;
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (kind === frameKind.reply) {
      const reply = JSON.parse(bytes.toString("utf8", start, end)) as Reply;
      if ("error" in reply) {
        const { code, message, detail, hint } = reply.error;
        asked?.reject(new ServiceError(code, message, detail, hint));
      } else if (asked?.kind === "call") asked.resolve(reply.value);
    } else if (asked?.kind === "fetch") asked.resolve(this.#readFetched(number, bytes, start, end));
    else if ((bytes[start + 2]! & bodyFlag.streams) !== 0) void this.#streams.receive(number).return();
    return true;
  }

  #readFetched(number: number, bytes: Buffer, start: number, end: number): HttpOutput {
    const flags = bytes[start + 2]!;
    const headStart = start + 7;
    const headEnd = headStart + bytes.readUInt32LE(start + 3);
    return {
      status: bytes.readUInt16LE(start),
      headers: splitHead(bytes, headStart, headEnd),
      body:
        (flags & bodyFlag.whole) !== 0
          ? bytes.subarray(headEnd, end)
          : (flags & bodyFlag.streams) !== 0
            ? this.#streams.receive(number)
            : null,
    };
  }

  #number(asked: Asked): number {
    const number = this.#next;
    this.#next = number === 0xffff_ffff ? firstAskedNumber : number + 1;
    this.#asked.set(number, asked);
    return number;
  }
}

/** Fields may hold what JSON cannot say, and things that throw when looked at. */
function textOf(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)) ?? "{}";
  } catch {
    return "{}";
  }
}
