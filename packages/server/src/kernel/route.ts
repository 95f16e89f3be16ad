import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "./principal.ts";
import type { Problem } from "./problem.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";

/**
 * Who may come in.
 * - `open`: no key needed (health, JWKS, links in mails). `call.who` is anonymous unless a valid identity was presented.
 * - `key`: a valid project API key; a bearer token is not looked at (sign-in, refresh: an expired token must not hinder).
 * - `caller`: key and, when presented, a valid bearer token; `call.who` is the bearer.
 * - `service`: as `caller`, and the role must be the service role.
 */
export type Access = "open" | "key" | "caller" | "service";

/** One request on its way through. Everything about it lives here and nowhere else. */
export interface Call {
  /** Ours or the proxy's request id; in every log line and the `X-Request-Id` response header. */
  readonly id: string;
  readonly method: Method;
  /** The path as sent, still percent-encoded, with the mount: `/rest/v1/places`. */
  readonly path: string;
  /** What follows `?`, still percent-encoded; `""` when there is none. */
  readonly query: string;
  /** Values of the route's `:name` parts, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Lower-case names, as Node parses them. */
  readonly headers: IncomingHttpHeaders;
  readonly who: Principal;
  /** The caller's address: the socket's, or the rightmost untrusted hop when a trusted proxy forwards (threat A13). */
  readonly address: string;
  /**
   * Where the caller has reached us, for URLs in the answer: `https://api.example.com/prefix`, as a trusted proxy forwards or else by the Host
   * header; `""` without one. The caller chooses it, so nobody else may be told what is built from it.
   */
  readonly origin: string;
  /**
   * Longest time from the request's last byte to the reply's first, in ms: the platform's, unless a handler with a clock of its own has set another,
   * before it gave its promise.
   */
  replyTimeoutMs?: number;
  /** Aborted when the caller goes away or the deadline passes. Made on first use: most requests never ask. */
  readonly signal: AbortSignal;
  /** The whole body, at most the route's `bodyLimitBytes`; empty buffer when there is none. Throws a 413 Problem beyond it. */
  body(): Promise<Buffer>;
  /**
   * The body as it comes, for what is too large to be held: instead of `body`, and once. The sender is read from no faster than the loop goes.
   * Throws a 413 Problem beyond the route's limit, and when the caller leaves or dawdles. `Content-Encoding` is not undone.
   */
  stream(): AsyncIterable<Buffer>;
}

/** Bytes to send. A stream is pulled as the socket drains; an error in it after the first chunk aborts the socket. */
export type ReplyBody = string | Buffer | AsyncIterable<Uint8Array | string> | null;

export interface Reply {
  readonly status: number;
  /** Reason phrase, where a dialect lets the app choose it. */
  readonly statusText?: string;
  /** Flat name, value, name, value …: what Node writes without another copy. `Content-Length` is set by the platform. */
  readonly headers: readonly string[];
  readonly body: ReplyBody;
  /** Bytes that a stream will give, where that is known: sent as `Content-Length`. A stream that gives others is cut. */
  readonly lengthBytes?: number;
}

export interface Route {
  readonly method: Method | readonly Method[];
  /** Below the group's mount; `:name` takes one segment, a final `*` the rest. */
  readonly path: string;
  readonly access: Access;
  /** One sentence: OpenAPI, the console and the reference docs derive from it. */
  readonly summary: string;
  /** Upper bound of the request body in bytes; the platform's default when left out. */
  readonly bodyLimitBytes?: number;
  /** Longest time to receive the whole request, in ms, for those that are long by their nature; the platform's default when left out. */
  readonly receiveTimeoutMs?: number;
  handle(call: Call): Promise<Reply> | Reply;
}

/** Renders a Problem in one protocol's own shape. `call` is null when the request never became one. */
export interface Boundary {
  readonly name: string;
  render(problem: Problem, call: Pick<Call, "method" | "headers" | "id"> | null): Reply;
}

/** How one protocol wants its CORS answers. Lists are ready to be sent. */
export interface CorsPolicy {
  readonly allowMethods: string;
  /** `*`-free list of request headers always allowed; what a preflight asks for is allowed besides. */
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAgeSeconds: number;
}

/** All routes of one protocol: one mount, one error shape, one CORS policy. */
export interface RouteGroup {
  /** `/rest/v1`: no trailing slash. */
  readonly mount: string;
  readonly boundary: Boundary;
  /** `null` where no page of another origin may look or call. A reply that says itself who may read it is left as it is. */
  readonly cors: CorsPolicy | null;
  /** Whether preflights for a path are its route's to answer; left out: none. */
  readonly ownsPreflight?: (path: string) => boolean;
  readonly routes: readonly Route[];
  /**
   * Host names that are this group's alone (lower case, without port): its one route, `*` at the mount `""`, gets everything that is asked there,
   * and nothing else of ours is served there. Hence content that we do not trust has an origin of its own.
   */
  readonly hosts?: readonly string[];
}

/** A JSON reply. `value` is serialised at once. */
export function json(value: unknown, status = 200, headers: readonly string[] = []): Reply {
  return {
    status,
    headers: ["Content-Type", "application/json; charset=utf-8", ...headers],
    body: JSON.stringify(value),
  };
}

/** A reply without a body. */
export function empty(status = 204, headers: readonly string[] = []): Reply {
  return { status, headers, body: null };
}
