import type { HttpInput } from "../../types.ts";
import { alreadyRead, bytesOf, streamOf, textOf } from "./body.ts";
import { delegate } from "./delegate.ts";
import { headersOf } from "./flat-headers.ts";

export const RealRequest = globalThis.Request;

/** Gives the signal that ends the request; asked for it only when somebody asks the request. */
export type SignalOf = () => AbortSignal;

/**
 * A request as it came, which becomes a real `Request` when something is asked for that only the real one does: a real one costs more
 * than all the rest of a small invocation, and most handlers look at method, URL, a header, and the body as text.
 */
class LightRequest {
  readonly #input: HttpInput;
  readonly #signalOf: SignalOf | null;
  #url: string | null = null;
  #headers: Headers | null = null;
  #isRead = false;
  #real: Request | null = null;

  constructor(input: HttpInput, signalOf: SignalOf | null) {
    this.#input = input;
    this.#signalOf = signalOf;
  }

  static isLight(value: unknown): value is LightRequest {
    return typeof value === "object" && value !== null && #input in value;
  }

  /** The real one, made at the first call; its headers are what the light one's are now. */
  static real(light: LightRequest): Request {
    const hadReal = light.#real !== null;
    light.#real ??= light.#make();
    if (hadReal && light.#headers !== null) copyHeaders(light.#headers, light.#real.headers);
    return light.#real;
  }

  #make(): Request {
    const { method, body } = this.#input;
    const hasBody = body !== null && method !== "GET" && method !== "HEAD";
    const real = new RealRequest(this.url, {
      method,
      headers: this.#headers ?? headersOf(this.#input.headers),
      ...(hasBody ? { body: Buffer.isBuffer(body) ? new Uint8Array(body) : streamOf(body), duplex: "half" } : {}),
      ...(this.#signalOf === null ? {} : { signal: this.#signalOf() }),
    });
    // What was read already is read in the real one too.
    if (this.#isRead) real.arrayBuffer().catch(() => {});
    return real;
  }

  /** The whole body when it is there, nobody has read it, and the real one need not be asked; `undefined` otherwise. */
  #take(): Buffer | null | undefined {
    const { method, body } = this.#input;
    if (this.#real !== null) return undefined;
    if (body === null || method === "GET" || method === "HEAD") return null;
    if (!Buffer.isBuffer(body)) return undefined;
    if (this.#isRead) throw alreadyRead();
    this.#isRead = true;
    return body;
  }

  get method(): string {
    return this.#input.method;
  }

  get url(): string {
    this.#url ??= new URL(this.#input.url).href;
    return this.#url;
  }

  get headers(): Headers {
    this.#headers ??= this.#real?.headers ?? headersOf(this.#input.headers);
    return this.#headers;
  }

  get signal(): AbortSignal {
    return this.#signalOf === null ? LightRequest.real(this).signal : this.#signalOf();
  }

  get bodyUsed(): boolean {
    return this.#real === null ? this.#isRead : this.#real.bodyUsed;
  }

  get body(): ReadableStream | null {
    return this.#input.body === null ? null : LightRequest.real(this).body;
  }

  async text(): Promise<string> {
    const body = this.#take();
    return body === undefined ? LightRequest.real(this).text() : textOf(body);
  }

  async json(): Promise<unknown> {
    const body = this.#take();
    return body === undefined ? LightRequest.real(this).json() : JSON.parse(textOf(body));
  }

  async bytes(): Promise<Uint8Array> {
    const body = this.#take();
    return body === undefined ? LightRequest.real(this).bytes() : bytesOf(body);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const body = this.#take();
    return body === undefined ? LightRequest.real(this).arrayBuffer() : bytesOf(body).buffer;
  }
}

delegate(LightRequest.prototype, RealRequest.prototype, (light) => LightRequest.real(light as LightRequest));

function copyHeaders(from: Headers, to: Headers): void {
  if (from === to) return;
  for (const name of [...to.keys()]) to.delete(name);
  for (const [name, value] of from) to.append(name, value);
}

/** The request that a handler gets. @param signalOf without it, the request is never aborted */
export function createRequest(input: HttpInput, signalOf: SignalOf | null = null): Request {
  // Its prototype is `Request.prototype`, and what is not here is there: `request.test.ts` holds it against the real one.
  return new LightRequest(input, signalOf) as unknown as Request;
}

/** What only takes real requests gets one: `fetch`, `new Request`. */
export const realRequestOf = (value: unknown): unknown =>
  LightRequest.isLight(value) ? LightRequest.real(value) : value;

/** `Request`, as the world of a function has it: the real one, which also takes what handlers are given. */
function World(this: unknown, input: unknown, init?: RequestInit): Request {
  if (new.target === undefined) throw new TypeError("Class constructor Request cannot be invoked without 'new'");
  const args = [realRequestOf(input), ...(init === undefined ? [] : [init])];
  return Reflect.construct(RealRequest, args, new.target === World ? RealRequest : new.target);
}
Object.defineProperties(World, {
  name: { value: "Request" },
  length: { value: RealRequest.length },
  prototype: { value: RealRequest.prototype, writable: false },
});
Object.setPrototypeOf(World, RealRequest);

// A function where TypeScript wants a class: `new.target` tells, and the prototype is the real one's.
export const WorldRequest = World as unknown as typeof Request;
