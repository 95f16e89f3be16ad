import { createHash } from "node:crypto";
import type { Json } from "../../../../platform/jobs/types.ts";
import { Arguments } from "../arguments.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
export type AskMethod = (typeof methods)[number];

/** One call of `ctx.http`, checked. */
export interface Ask {
  readonly method: AskMethod;
  readonly url: URL;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
  /** After the first; 0 for what must not be sent twice. */
  readonly retries: number;
  /** 0: neither kept nor looked for. */
  readonly cacheMs: number;
  readonly staleIfErrorMs: number;
  readonly staleWhileRevalidateMs: number;
}

const maxTimeoutMs = 600_000;
const maxRetries = 10;
/** Nothing is kept for longer than a year. */
const maxKeptMs = 31_536_000_000;
const maxUrlLength = 16_384;
const maxHeaders = 100;

/** What HTTP itself makes of a request, and may not be given. */
const notGiven: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "keep-alive",
  "proxy-connection",
  "accept-encoding",
]);

const headerName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not stand in a header
const notInHeaders = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/;

/** @throws Problem `functions/invalid-argument` */
export function readAsk(args: readonly Json[]): Ask {
  const given = new Arguments("http.request", args);
  const text = given.text(0, "the URL", maxUrlLength);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return given.refuse("the URL must be absolute, and begin with https: or http:");
  }
  const options = given.options(1);
  const method = (options.text("method", 10) ?? "GET").toUpperCase() as AskMethod;
  if (!methods.includes(method)) return given.refuse(`the method must be one of ${methods.join(", ")}`);
  const headers = readHeaders(options.raw("headers") ?? {}, given);
  if (url.username !== "" || url.password !== "") {
    // Basic credentials in a URL (RFC 3986 §3.2.1): a header like any other from here on.
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization ??= `Basic ${Buffer.from(credentials).toString("base64")}`;
    url.username = url.password = "";
  }
  url.hash = "";
  const body = readBody(options.raw("body"), options.raw("bodyBase64"), given);
  if (body !== null && (method === "GET" || method === "HEAD")) return given.refuse(`${method} has no body`);
  const isRepeatable = (method !== "POST" && method !== "PATCH") || headers["idempotency-key"] !== undefined;
  return {
    method,
    url,
    headers,
    body,
    timeoutMs: options.number("timeoutMs", 1, maxTimeoutMs) ?? 10_000,
    retries: isRepeatable ? (options.integer("retries", 0, maxRetries) ?? 2) : 0,
    cacheMs: method === "GET" ? (options.number("cacheMs", 0, maxKeptMs) ?? 0) : 0,
    staleIfErrorMs: options.number("staleIfErrorMs", 0, maxKeptMs) ?? 0,
    staleWhileRevalidateMs: options.number("staleWhileRevalidateMs", 0, maxKeptMs) ?? 0,
  };
}

function readHeaders(given: Json, args: Arguments): Record<string, string> {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return args.refuse("headers must be an object");
  const headers: Record<string, string> = Object.create(null);
  const entries = Object.entries(given);
  if (entries.length > maxHeaders) return args.refuse(`there may be at most ${maxHeaders} headers`);
  for (const [written, value] of entries) {
    const name = written.toLowerCase();
    if (value === undefined || value === null) continue;
    if (typeof value !== "string" || notInHeaders.test(value))
      return args.refuse(`the header ${name} must be a text in Latin-1`);
    if (!headerName.test(name) || notGiven.has(name)) return args.refuse(`the header ${name} cannot be given`);
    headers[name] = value.trim();
  }
  return headers;
}

function readBody(text: Json | undefined, base64: Json | undefined, args: Arguments): Buffer | null {
  if (typeof text === "string") return Buffer.from(text);
  if (typeof base64 === "string") return Buffer.from(base64, "base64");
  return text === undefined && base64 === undefined ? null : args.refuse("the body must be a text or bytes");
}

/** Headers by which a service knows who asks, wherever it is not by the URL. */
const credentials: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);
const looksSecret = /(?:^|[-_])(?:api-?key|auth|key|secret|session|signature|token)(?:$|[-_])/;

/** Whether the answer may be meant for one asker alone. */
export const hasCredentials = ({ headers }: Pick<Ask, "headers">): boolean =>
  Object.keys(headers).some((name) => credentials.has(name) || looksSecret.test(name));

/**
 * What distinguishes an answer from all others: the URL and every header that is sent. More than `Vary` asks for, so that no two users' answers
 * are ever taken for each other. SHA-256, so that whoever reads the table learns no secret of it.
 */
export function keyOf({ headers, method, url }: Pick<Ask, "method" | "url" | "headers">): Buffer {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([method, url.href, sorted]))
    .digest();
}
