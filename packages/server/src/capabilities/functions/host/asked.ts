import { Problem } from "../../../kernel/problem.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { FrameWriter } from "../channel/frame-writer.ts";
import { bodyFlag, joinHead } from "../channel/heads.ts";
import { frameKind, frameLimitBytes } from "../channel/kinds.ts";
import type { Reply } from "../channel/messages.ts";
import { inPieces } from "../channel/pieces.ts";
import type { Streams } from "../channel/streams.ts";
import type { HttpInput, HttpOutput, InternalFetch, Invocation, Services } from "../types.ts";
import { assertBytes, callOf, headOf } from "./said.ts";

/** What one thread may have asked for at once. Beyond it is refused: it is a loop that does not wait. */
const askedLimit = 1_000;

export interface AskedNeeds {
  readonly services: Services;
  readonly internalFetch: InternalFetch;
  readonly observe: Observe;
}

/** Serves what a thread asks for, in the name of one of its invocations. */
export class Asked {
  readonly #needs: AskedNeeds;
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #flush: () => void;
  #count = 0;

  constructor(needs: AskedNeeds, writer: FrameWriter, streams: Streams, flush: () => void) {
    this.#needs = needs;
    this.#writer = writer;
    this.#streams = streams;
    this.#flush = flush;
  }

  /** `invocation`: `undefined` when it is over. */
  call(number: number, invocation: Invocation | undefined, text: string): void {
    const [name, args] = callOf(text);
    this.#serve(number, invocation, async (known) => {
      const own = known.services;
      const service =
        own !== undefined && Object.hasOwn(own, name)
          ? own[name]
          : Object.hasOwn(this.#needs.services, name)
            ? this.#needs.services[name]
            : undefined;
      if (service === undefined) throw new Problem("functions/no-service", 500, `There is no "${name}" here.`);
      const value = await service(args, known);
      this.#reply(number, value === undefined ? {} : { value });
    });
  }

  fetch(number: number, invocation: Invocation | undefined, bytes: Buffer, start: number, end: number): void {
    assertBytes(start, end, 5);
    const flags = bytes[start]!;
    const headBytes = bytes.readUInt32LE(start + 1);
    const headEnd = start + 5 + headBytes;
    // A head has at least two parts.
    const [method, url, ...headers] = headOf(bytes, start + 5, headBytes, end, 2) as [string, string, ...string[]];
    const body =
      (flags & bodyFlag.whole) !== 0
        ? bytes.subarray(headEnd, end)
        : (flags & bodyFlag.streams) !== 0
          ? this.#streams.receive(number)
          : null;
    /** Nobody reads what is left of it. */
    const leave = (): void => {
      if (body !== null && !Buffer.isBuffer(body)) void body.return();
    };
    const input: HttpInput = { method, url, headers, body };
    this.#serve(
      number,
      invocation,
      async (known) => {
        const as = (flags & bodyFlag.mark) !== 0 ? "admin" : (flags & bodyFlag.sent) !== 0 ? "sent" : "caller";
        this.#sendFetched(number, await this.#needs.internalFetch(input, known, as), leave);
      },
      leave,
    );
  }

  /** @param leave lets go of what came with it, when it is refused or fails */
  #serve(
    number: number,
    invocation: Invocation | undefined,
    work: (known: Invocation) => Promise<void>,
    leave: () => void = () => {},
  ): void {
    if (invocation === undefined || this.#count >= askedLimit) {
      const message =
        invocation === undefined ? "The invocation is over." : `More than ${askedLimit} calls are under way.`;
      leave();
      return this.#reply(number, { error: { code: "functions/refused", message, detail: null, hint: null } });
    }
    this.#count++;
    work(invocation)
      .catch((error: unknown) => {
        leave();
        this.#reply(number, { error: this.#told(error, invocation) });
      })
      .finally(() => {
        this.#count--;
      });
  }

  #reply(number: number, reply: Reply): void {
    let text = JSON.stringify(reply);
    if (text.length > frameLimitBytes / 3 && Buffer.byteLength(text) > frameLimitBytes - 64) {
      const message = `What it would give is larger than ${frameLimitBytes} bytes.`;
      text = JSON.stringify({ error: { code: "functions/too-large", message, detail: null, hint: null } });
    }
    this.#writer.begin(frameKind.reply, number).text(text).end();
    this.#flush();
  }

  #sendFetched(number: number, { status, headers, body: given }: HttpOutput, leave: () => void): void {
    const body = inPieces(given);
    const isWhole = Buffer.isBuffer(body);
    this.#writer
      .begin(frameKind.fetched, number)
      .u16(status)
      .u8(body === null ? 0 : isWhole ? bodyFlag.whole : bodyFlag.streams)
      .latin1(joinHead(headers));
    if (isWhole) this.#writer.bytes(body);
    this.#writer.end();
    this.#flush();
    if (body === null || isWhole) return leave();
    this.#streams
      .send(number, body)
      .catch(() => {})
      .finally(leave);
  }

  /** What a handler may know of a failure: ours by its code, PostgreSQL's by its SQLSTATE, of anything else that it happened. */
  #told(error: unknown, { id }: Invocation): Extract<Reply, { error: unknown }>["error"] {
    if (error instanceof Problem) {
      const { code, message, details, hint } = error;
      return {
        code,
        message,
        detail: details === null ? null : typeof details === "string" ? details : JSON.stringify(details),
        hint,
      };
    }
    if (isOfDatabase(error)) {
      return { code: error.code, message: error.message, detail: error.detail ?? null, hint: error.hint ?? null };
    }
    this.#needs.observe({ kind: "request.failed", id, error });
    return { code: "internal", message: "The server could not do it.", detail: null, hint: null };
  }
}

function isOfDatabase(error: unknown): error is Error & { code: string; detail?: string; hint?: string } {
  return error instanceof Error && /^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code));
}
