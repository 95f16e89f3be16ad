import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Principal } from "../../kernel/principal.ts";
import type { Problem } from "../../kernel/problem.ts";
import type { Call, Method, Route, RouteGroup } from "../../kernel/route.ts";
import type { Identity } from "../identity/types.ts";
import type { Observe } from "../observe/observation.ts";
import { identifyIfPossible } from "./access.ts";
import { callerAddress, canonicalAddress, type IsTrusted } from "./address.ts";
import { type BodyMemory, decodeBody, decoderFor, type Request, receive } from "./body.ts";
import { BodyStream } from "./body-stream.ts";
import type { Cors } from "./cors.ts";
import type { Held, InFlight } from "./in-flight.ts";
import { requestOrigin } from "./origin.ts";
import { problems } from "./problems.ts";

/** Where a request goes: a route of a group, or one of ours that says why there is none. Made once, at start. */
export interface Target {
  readonly group: RouteGroup;
  readonly cors: Cors;
  readonly route: Route;
  readonly bodyLimitBytes: number;
  readonly receiveTimeoutMs: number;
}

/** What all requests share. */
export interface Platform {
  readonly identity: Identity;
  readonly observe: Observe;
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
  readonly isTrusted: IsTrusted;
  readonly nextRequestId: () => string;
  readonly urlLimitBytes: number;
  readonly headersLimitCount: number;
  readonly requestsPerConnectionLimit: number;
  readonly inFlightLimit: number;
  readonly bodyAheadBytes: number;
  readonly bodyStallMs: number;
  readonly requestTimeoutMs: number;
  readonly replyStallMs: number;
  /** Whether anybody reads `request.finished`: building it is not free. */
  readonly isWatched: boolean;
  /** True while the server stops: every reply then ends its connection. */
  isDraining: boolean;
}

export type Refuse = (call: HttpCall, thrown: unknown) => void;

const emptyBody = Promise.resolve(Buffer.alloc(0));

/**
 * One request, and the state of answering it. Whatever costs something is made when first asked for: the abort signal, the
 * caller's address, the body, and on `open` routes the principal.
 */
export class HttpCall implements Call, Held {
  id = "";
  readonly method: Method;
  readonly path: string;
  readonly query: string;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;

  readonly request: Request;
  readonly response: ServerResponse;
  readonly target: Target;
  readonly platform: Platform;
  /** Performance clock, when the request came; 0 when nobody watches. */
  readonly startedAtMs: number;
  /** Announced length of the body; 0 for none, -1 when it is sent in chunks. */
  readonly expectedBytes: number;
  /** Headers the CORS stage adds to whatever is replied. */
  corsHeaders: readonly string[] | null = null;
  /** The caller waits for `100 Continue` before it sends the body. */
  isAwaitingContinue: boolean;
  /** The connection cannot carry another request: what followed was not HTTP, or never came. */
  isConnectionBroken = false;
  /** The connection has carried as many requests as it may. */
  isLastOfConnection = false;
  isReplying = false;

  replyTimeoutMs: number;
  waitsSinceTick = 0;
  isReceivingBody = false;
  windowSinceTick = 0;
  windowBytes = 0;
  receivesSinceTick = 0;
  receivedTicks = 0;
  previous: Held | null = null;
  next: Held | null = null;
  isLinked = false;
  /** Sends the reply for something thrown, unless a reply has begun. */
  readonly refuse: Refuse;

  #who: Principal | null = null;
  #address: string | null = null;
  #abort: AbortController | null = null;
  #body: Promise<Buffer> | null = null;
  #stream: BodyStream | null = null;
  #isBodyLeft = false;
  #heldBytes = 0;

  constructor(
    request: Request,
    response: ServerResponse,
    params: Readonly<Record<string, string>>,
    target: Target,
    platform: Platform,
    refuse: Refuse,
  ) {
    const url = originForm(request.url!);
    const mark = url.indexOf("?");
    this.method = request.method as Method; // the router serves no others
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? "" : url.slice(mark + 1);
    this.params = params;
    this.headers = request.headers;
    this.request = request;
    this.response = response;
    this.target = target;
    this.platform = platform;
    this.replyTimeoutMs = platform.requestTimeoutMs;
    this.refuse = refuse;
    this.startedAtMs = platform.isWatched ? performance.now() : 0;
    const length = request.headers["content-length"];
    this.expectedBytes = length !== undefined ? +length : request.headers["transfer-encoding"] === undefined ? 0 : -1;
    this.isAwaitingContinue = request.headers.expect !== undefined && request.httpVersionMinor === 1;
  }

  get who(): Principal {
    this.#who ??= identifyIfPossible(this.platform.identity, this.headers, this.query);
    return this.#who;
  }

  set who(principal: Principal) {
    this.#who = principal;
  }

  /** True when the reply may depend on who asked: then no shared cache may keep it (threat X06). */
  get isPrivate(): boolean {
    return this.target.route.access !== "open" || this.#who?.isAuthenticated === true;
  }

  /** The role for the log, without settling the principal for the log's sake. */
  get knownRole(): string {
    return this.#who?.role ?? "";
  }

  get address(): string {
    const forwarded = this.headers["x-forwarded-for"] as string | undefined; // Node joins repeated ones with a comma
    this.#address ??= callerAddress(this.request.socket.remoteAddress, forwarded, this.platform.isTrusted);
    return this.#address;
  }

  get origin(): string {
    return requestOrigin(
      this.headers,
      this.platform.isTrusted(canonicalAddress(this.request.socket.remoteAddress ?? "") ?? ""),
    );
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      const { response } = this;
      if (response.destroyed || this.request.socket.destroyed) this.abort();
      else response.once("close", () => response.writableFinished || this.abort());
    }
    return this.#abort.signal;
  }

  /** Tells whoever holds the signal that nobody waits for the reply any more. */
  abort(reason: unknown = problems.callerLeft()): void {
    this.#abort?.abort(reason);
  }

  body(): Promise<Buffer> {
    if (this.#body === null) {
      if (this.#stream !== null) throw new Error("The body of this request is read already.");
      const encoding = this.headers["content-encoding"];
      if (this.expectedBytes === 0) this.#body = emptyBody;
      else if (this.#isBodyLeft) this.#body = Promise.reject(problems.bodyIncomplete());
      else this.#body = encoding === undefined ? this.#receive() : this.#receiveEncoded(encoding);
    }
    return this.#body;
  }

  stream(): AsyncIterable<Buffer> {
    if (this.#stream !== null || this.#body !== null) throw new Error("The body of this request is read already.");
    const { platform, target } = this;
    this.#stream = new BodyStream({
      request: this.request,
      limitBytes: target.bodyLimitBytes,
      aheadBytes: platform.bodyAheadBytes,
      memory: platform.bodyMemory,
      onReceiving: () => this.#startReceiving(),
      onStopped: () => platform.inFlight.endReceiving(this),
      onBytes: (count) => {
        this.windowBytes += count;
      },
    });
    if (this.#isBodyLeft && this.expectedBytes !== 0) this.#stream.abandon();
    return this.#stream;
  }

  /** Nobody needs what is left of the body: the reply is there. Who reads it all the same must not take a part for the whole. */
  leaveBody(): void {
    this.#isBodyLeft = true;
    this.#stream?.abandon();
  }

  /** Forgets the request. Called once, when its reply is handed to the socket or its stream has ended. */
  release(): void {
    this.leaveBody();
    this.platform.inFlight.remove(this);
    if (this.#heldBytes > 0) this.platform.bodyMemory.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
  }

  get receiveTimeoutMs(): number {
    return this.target.receiveTimeoutMs;
  }

  onDeadline(): void {
    this.#giveUp(problems.deadline(this.replyTimeoutMs));
  }

  onSlowBody(): void {
    this.breakOff(problems.tooSlow());
  }

  /** Refuses a request whose connection is lost to HTTP. */
  breakOff(problem: Problem): void {
    this.isConnectionBroken = true;
    this.#giveUp(problem);
  }

  /** Answers for the route, and tells it why it has to stop: whoever reads the body, and whoever holds the signal. */
  #giveUp(problem: Problem): void {
    this.#stream?.fail(problem);
    this.refuse(this, problem);
    this.abort(problem);
  }

  async #receiveEncoded(encoding: string): Promise<Buffer> {
    const decode = decoderFor(encoding); // first: what cannot be read is not received either
    const bytes = await this.#receive();
    if (decode === null) return bytes;
    const decoded = await decodeBody(bytes, decode, this.target.bodyLimitBytes);
    if (!this.#take(decoded.length)) throw problems.busy();
    return decoded;
  }

  #startReceiving(): void {
    if (this.isAwaitingContinue) {
      this.isAwaitingContinue = false;
      this.response.writeContinue();
    }
    this.platform.inFlight.startReceiving(this);
  }

  #receive(): Promise<Buffer> {
    const { inFlight } = this.platform;
    this.#startReceiving();
    return receive(this.request, {
      limitBytes: this.target.bodyLimitBytes,
      take: (size) => this.#take(size),
      onSettled: () => inFlight.endReceiving(this),
    });
  }

  #take(bytes: number): boolean {
    this.windowBytes += bytes;
    if (this.isReplying || !this.platform.bodyMemory.take(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }
}

/** A proxy may ask with the whole URL, and a server must understand it (RFC 9112 §3.2.2). The authority is not believed. */
export function originForm(target: string): string {
  if (target.charCodeAt(0) === 47) return target;
  const path = /^https?:\/\/[^/?#]*(.*)$/is.exec(target)?.[1] ?? target;
  return path.startsWith("/") ? path : `/${path}`;
}
