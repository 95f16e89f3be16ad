import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../kernel/principal.ts";
import type { Call, Method } from "../../kernel/route.ts";
import type { Identity } from "../identity/types.ts";
import type { Observe } from "../observe/observation.ts";
import { admit, identifyIfPossible } from "./access.ts";
import { type BodyMemory, decodeBody, decoderFor } from "./body.ts";
import type { Target } from "./call.ts";
import { problems } from "./problems.ts";
import type { Params } from "./router.ts";

/** A request that this process makes to itself. */
export interface InternalRequest {
  /** Of whatever it is made for: joins its log lines. */
  readonly id: string;
  readonly method: string;
  /** Path and query as a request line has them: `/rest/v1/places?select=id`. */
  readonly target: string;
  /** Flat: name, value, name, value … */
  readonly headers: readonly string[];
  readonly body: Buffer | AsyncIterable<Uint8Array> | null;
  /** Where the project is reached, for URLs in the answer. */
  readonly origin: string;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** How many requests of this kind have led to this one; 0 for the first. */
  readonly depth: number;
}

export interface InternalPlatform {
  readonly identity: Identity;
  readonly observe: Observe;
  readonly bodyMemory: BodyMemory;
  readonly requestTimeoutMs: number;
}

/** What stands where an address would: nobody's, so that everything the app's own code asks for counts as one caller. */
const address = "internal";

const emptyBody = Promise.resolve(Buffer.alloc(0));

/** A request that never was on a socket, as routes see it. */
export class InternalCall implements Call {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly query: string;
  readonly params: Params;
  readonly headers: IncomingHttpHeaders;
  readonly address = address;
  readonly origin: string;
  readonly target: Target;
  readonly platform: InternalPlatform;
  /** How many requests within this process have led to this one, itself included. */
  readonly depth: number;
  replyTimeoutMs: number;
  readonly #request: InternalRequest;
  #who: Principal | null = null;
  #abort: AbortController | null = null;
  #onAbort: (() => void) | null = null;
  #body: Promise<Buffer> | null = null;
  #isRead = false;
  #heldBytes = 0;

  constructor(
    request: InternalRequest,
    headers: IncomingHttpHeaders,
    found: { readonly target: Target; readonly params: Params },
    platform: InternalPlatform,
  ) {
    const mark = request.target.indexOf("?");
    this.id = request.id;
    this.method = request.method as Method; // the router finds no others
    this.path = mark === -1 ? request.target : request.target.slice(0, mark);
    this.query = mark === -1 ? "" : request.target.slice(mark + 1);
    this.params = found.params;
    this.headers = headers;
    this.origin = request.origin;
    this.target = found.target;
    this.platform = platform;
    this.replyTimeoutMs = platform.requestTimeoutMs;
    this.depth = request.depth + 1;
    this.#request = request;
  }

  /** Settles who comes in. Throws the Problem for who may not. */
  admit(): void {
    this.#who = admit(this.target.route.access, this.platform.identity, this.headers, this.query);
  }

  get who(): Principal {
    this.#who ??= identifyIfPossible(this.platform.identity, this.headers, this.query);
    return this.#who;
  }

  get isPrivate(): boolean {
    return this.target.route.access !== "open" || this.#who?.isAuthenticated === true;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      const { signal } = this.#request;
      this.#abort = new AbortController();
      if (signal.aborted) this.abort();
      else {
        this.#onAbort = () => this.abort();
        signal.addEventListener("abort", this.#onAbort, { once: true });
      }
    }
    return this.#abort.signal;
  }

  /** Tells whoever holds the signal that nobody waits for the reply any more. */
  abort(reason: unknown = problems.callerLeft()): void {
    this.#abort?.abort(reason);
  }

  body(): Promise<Buffer> {
    if (this.#body === null) {
      this.#begin();
      this.#body = this.#request.body === null ? emptyBody : this.#receive(this.#request.body);
    }
    return this.#body;
  }

  stream(): AsyncIterable<Buffer> {
    this.#begin();
    return this.#chunks(this.#request.body);
  }

  /** Lets go of what it holds. Called once, when the reply is complete or left. */
  release(): void {
    if (this.#onAbort !== null) this.#request.signal.removeEventListener("abort", this.#onAbort);
    if (this.#heldBytes > 0) this.platform.bodyMemory.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #begin(): void {
    if (this.#isRead) throw new Error("The body of this request is read already.");
    this.#isRead = true;
  }

  async #receive(body: Buffer | AsyncIterable<Uint8Array>): Promise<Buffer> {
    const limitBytes = this.target.bodyLimitBytes;
    const encoding = this.headers["content-encoding"];
    const decode = encoding === undefined ? null : decoderFor(encoding);
    const chunks: Buffer[] = [];
    for await (const chunk of this.#chunks(body)) {
      if (!Buffer.isBuffer(body)) this.#take(chunk.length);
      chunks.push(chunk);
    }
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (decode === null) return bytes;
    const decoded = await decodeBody(bytes, decode, limitBytes);
    this.#take(decoded.length);
    return decoded;
  }

  #take(bytes: number): void {
    if (!this.platform.bodyMemory.take(bytes)) throw problems.busy();
    this.#heldBytes += bytes;
  }

  /** The body in pieces, none longer than the route's limit allows. */
  async *#chunks(body: Buffer | AsyncIterable<Uint8Array> | null): AsyncGenerator<Buffer, void> {
    if (body === null) return;
    const limitBytes = this.target.bodyLimitBytes;
    // What a stream announces it is held to, as by the parser of a socket.
    const announced = this.headers["content-length"];
    const wholeBytes = announced === undefined ? null : Number(announced);
    if (wholeBytes !== null && wholeBytes > limitBytes) throw problems.bodyTooLarge(limitBytes);
    let sizeBytes = 0;
    for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw problems.bodyTooLarge(limitBytes);
      if (wholeBytes !== null && sizeBytes > wholeBytes) throw problems.malformedRequest();
      if (this.#request.signal.aborted) throw problems.callerLeft();
      if (chunk.length > 0) {
        yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      }
    }
    if (wholeBytes !== null && sizeBytes < wholeBytes) throw problems.bodyIncomplete();
  }
}
