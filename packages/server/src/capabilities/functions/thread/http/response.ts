import { alreadyRead, bytesOf, textOf } from "./body.ts";
import { delegate } from "./delegate.ts";
import { flatOf, flatOfInit, has, headersOf } from "./flat-headers.ts";

export const RealResponse = globalThis.Response;

/** What an answer is made of, when all of it is there at once. */
export interface Plain {
  readonly status: number;
  readonly statusText: string;
  /** Flat: name in lower case, value … */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | null;
}

/**
 * An answer whose body was there when it was made: it leaves without a stream being made of it and read again. Becomes a real `Response` when
 * something is asked for that only the real one does.
 */
class LightResponse {
  readonly #plain: Plain;
  #isRead = false;
  #real: Response | null = null;
  /** Once the real one's stream may be in somebody's hands, only the real one knows what is left of it. */
  #isBodyShared = false;

  constructor(plain: Plain) {
    this.#plain = plain;
  }

  static isLight(value: unknown): value is LightResponse {
    return typeof value === "object" && value !== null && #plain in value;
  }

  /** The real one, for all that is not about the body. */
  static #head(light: LightResponse): Response {
    if (light.#real !== null) return light.#real;
    const { body, headers, status, statusText } = light.#plain;
    const init = { status, statusText, headers: headersOf(headers) };
    light.#real = new RealResponse(typeof body === "string" ? body : body && bytesOf(body), init);
    return light.#real;
  }

  /** The real one, body and all. */
  static real(light: LightResponse): Response {
    const real = LightResponse.#head(light);
    if (light.#isRead && !light.#isBodyShared) real.arrayBuffer().catch(() => {});
    light.#isBodyShared = true;
    return real;
  }

  /** What leaves, whose body counts as read from now on; `null` when the real one is to be asked. */
  static take(light: LightResponse): Plain | null {
    if (light.#isBodyShared) return null;
    const body = light.#take();
    return light.#real === null ? light.#plain : { ...light.#plain, headers: flatOf(light.#real.headers), body };
  }

  #take(): string | Uint8Array | null {
    const { body } = this.#plain;
    if (body === null) return null;
    if (this.#isRead) throw alreadyRead();
    this.#isRead = true;
    return body;
  }

  get status(): number {
    return this.#plain.status;
  }

  get statusText(): string {
    return this.#plain.statusText;
  }

  get ok(): boolean {
    return this.#plain.status >= 200 && this.#plain.status < 300;
  }

  get headers(): Headers {
    return LightResponse.#head(this).headers;
  }

  get bodyUsed(): boolean {
    return this.#isRead || (this.#isBodyShared && LightResponse.#head(this).bodyUsed);
  }

  get body(): ReadableStream | null {
    return this.#plain.body === null ? null : LightResponse.real(this).body;
  }

  async text(): Promise<string> {
    return this.#isBodyShared ? LightResponse.real(this).text() : textOf(this.#take());
  }

  async json(): Promise<unknown> {
    return this.#isBodyShared ? LightResponse.real(this).json() : JSON.parse(textOf(this.#take()));
  }

  async bytes(): Promise<Uint8Array> {
    return this.#isBodyShared ? LightResponse.real(this).bytes() : bytesOf(this.#take());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#isBodyShared ? LightResponse.real(this).arrayBuffer() : bytesOf(this.#take()).buffer;
  }
}

delegate(LightResponse.prototype, RealResponse.prototype, (light) => LightResponse.real(light as LightResponse));

/** An answer of what is right already: for those of the server, which need no second look. */
export const lightResponse = (plain: Plain): Response => new LightResponse(plain) as unknown as Response;

/** What a light answer is made of, taken from it; `null` for every other, and for one whose stream somebody has. */
export const takePlain = (value: unknown): Plain | null =>
  LightResponse.isLight(value) ? LightResponse.take(value) : null;

export const realResponseOf = (value: unknown): unknown =>
  LightResponse.isLight(value) ? LightResponse.real(value) : value;

/** Answers with these have no body (Fetch Standard, "null body status"). */
const withoutBody: readonly number[] = [101, 103, 204, 205, 304];
const noInit: ResponseInit = {};

/** What `new Response(body, init)` makes, when it is plainly right; `null` when the real one is to look at it, or to refuse it. */
function plainOf(body: unknown, init: unknown, ownType?: string): Plain | null {
  const given = init === undefined ? noInit : init;
  if (typeof given !== "object" || given === null) return null;
  const { status = 200, statusText = "", headers: named } = given as ResponseInit;
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) return null;
  if (typeof statusText !== "string" || !/^[\t\x20-\x7e]*$/.test(statusText)) return null;
  const [source, type] = sourceOf(body);
  if (source === undefined || (source !== null && withoutBody.includes(status))) return null;
  const headers = flatOfInit(named);
  if (headers === null) return null;
  if (type !== null && !has(headers, "content-type")) headers.push("content-type", ownType ?? type);
  return { status, statusText, headers, body: source };
}

/** A body that is all there, and the type it has by itself; `undefined` for every other. */
function sourceOf(body: unknown): [string | Uint8Array | null | undefined, string | null] {
  if (body === null || body === undefined) return [null, null];
  if (typeof body === "string") return [body.isWellFormed() ? body : body.toWellFormed(), "text/plain;charset=UTF-8"];
  // A copy: what the caller does to its bytes afterwards is not in the answer.
  if (ArrayBuffer.isView(body)) {
    const { buffer, byteOffset, byteLength } = body;
    return buffer instanceof ArrayBuffer
      ? [new Uint8Array(buffer, byteOffset, byteLength).slice(), null]
      : [undefined, null];
  }
  if (body instanceof ArrayBuffer) return [new Uint8Array(body.slice(0)), null];
  if (body instanceof URLSearchParams) {
    return [body.toString(), "application/x-www-form-urlencoded;charset=UTF-8"];
  }
  return [undefined, null];
}

/** `Response`, as the world of a function has it. */
function World(this: unknown, body?: unknown, init?: unknown): Response {
  if (new.target === undefined) throw new TypeError("Class constructor Response cannot be invoked without 'new'");
  const plain = new.target === World ? plainOf(body, init) : null;
  if (plain !== null) return lightResponse(plain);
  return Reflect.construct(RealResponse, [body, init], new.target === World ? RealResponse : new.target);
}

function json(data: unknown, init?: ResponseInit): Response {
  const text = JSON.stringify(data);
  const plain = text === undefined ? null : plainOf(text, init, "application/json");
  return plain === null ? RealResponse.json(data, init) : lightResponse(plain);
}

Object.defineProperties(World, {
  name: { value: "Response" },
  length: { value: RealResponse.length },
  prototype: { value: RealResponse.prototype, writable: false },
  json: { value: json, configurable: true, writable: true },
});
Object.setPrototypeOf(World, RealResponse);

// A function where TypeScript wants a class: `new.target` tells, and the prototype is the real one's.
export const WorldResponse = World as unknown as typeof Response;
