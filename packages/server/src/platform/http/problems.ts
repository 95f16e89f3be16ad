import { Problem } from "../../kernel/problem.ts";

/** What the HTTP platform itself refuses, before or around a route. Every boundary renders these in its own shape. */
export const problems = {
  /** No route has this path. Check the path and the mount: data is under `/rest/v1`, sign-in under `/auth/v1`. */
  notFound: () => new Problem("http/not-found", 404, "Nothing is served at this path."),
  /** The path exists, but not for this method. `Allow` lists those it has. */
  methodNotAllowed: (method: string, allowed: readonly string[]) =>
    new Problem("http/method-not-allowed", 405, `${method} is not possible here.`, {
      hint: allowed.length === 0 ? null : `Use ${allowed.join(", ")}.`,
      headers: { Allow: allowed.join(", ") },
    }),
  /** The request target is not a URL path: a broken percent-encoding, or a fragment. */
  malformedUrl: () =>
    new Problem("http/malformed-url", 400, "The URL is malformed.", {
      hint: "Percent-encode it as UTF-8, and leave out the fragment (`#`).",
    }),
  /** The bytes sent are not HTTP, or HTTP that two parsers could read in two ways (RFC 9112 §11.2). */
  malformedRequest: (cause?: unknown) =>
    new Problem("http/malformed-request", 400, "The request is not well-formed HTTP.", { cause }),
  /** A header that must be single was sent twice; which of them counts would be a guess. */
  repeatedHeader: (name: string) =>
    new Problem("http/repeated-header", 400, `The header ${name} was sent more than once.`),
  /** The request target exceeds `urlLimitBytes`. Long filters can be sent as a function call with POST instead. */
  urlTooLong: (limitBytes: number) =>
    new Problem("http/url-too-long", 414, `The URL is longer than ${limitBytes} bytes.`, {
      hint: "Send long lists in a body: call a function with POST.",
    }),
  /** Headers exceed `headersLimitBytes` or `headersLimitCount`. */
  headersTooLarge: () => new Problem("http/headers-too-large", 431, "The request's headers are too large or too many."),
  /** The body exceeds the route's limit, as sent or once decompressed. */
  bodyTooLarge: (limitBytes: number) =>
    new Problem("http/body-too-large", 413, `The body is larger than ${limitBytes} bytes.`, {
      hint: "Send it in parts, or raise MAINSTAY_BODY_LIMIT_BYTES.",
    }),
  /** The body is compressed in a way we do not read: RFC 9110 §15.5.16 asks for the list of those we do. */
  bodyEncoding: () =>
    new Problem("http/body-encoding", 415, "The body's Content-Encoding is not supported.", {
      hint: "Use gzip, deflate, br, or none, and only one of them.",
      headers: { "Accept-Encoding": "gzip, deflate, br" },
    }),
  /** The body says it is compressed, but does not decompress. */
  bodyNotDecodable: (cause: unknown) =>
    new Problem("http/body-not-decodable", 400, "The body does not match its Content-Encoding.", { cause }),
  /** The body ended before its announced length: the caller went away. Nobody reads this reply. */
  bodyIncomplete: () => new Problem("http/body-incomplete", 400, "The body ended too early."),
  /** The caller closed the connection before its reply. Nobody reads this; the log does, under nginx's number for it. */
  callerLeft: () => new Problem("http/caller-left", 499, "The caller left before the reply."),
  /** The request was sent too slowly. */
  tooSlow: () => new Problem("http/too-slow", 408, "The request was sent too slowly."),
  /** No reply within `requestTimeoutMs`. What the request was doing may or may not have happened. */
  deadline: (timeoutMs: number) =>
    new Problem("http/deadline", 504, `The request took longer than ${timeoutMs} ms.`, {
      hint: "Ask for less at once, or raise MAINSTAY_REQUEST_TIMEOUT_MS.",
    }),
  /** More requests, or more body bytes, are in flight than one process should hold. */
  busy: () =>
    new Problem("http/busy", 503, "The server is busy.", { hint: "Retry shortly.", headers: { "Retry-After": "1" } }),
  /** The route is for the service role only. */
  serviceOnly: () =>
    new Problem("http/service-only", 403, "Only the service role may do this.", {
      hint: "Send the service key, from a server of yours and never from an app.",
    }),
  /** Functions have called each other so many times in a row (`functionsDepthLimit`): mostly one that calls itself without end. */
  tooDeep: (limit: number) =>
    new Problem("http/too-deep", 508, `More than ${limit} functions have called each other in a row.`, {
      hint: "Let a function enqueue a job instead of calling another, or raise MAINSTAY_FUNCTIONS_DEPTH_LIMIT.",
    }),
  /** Our mistake. The log has the whole error under the request's id. */
  internal: (cause: unknown) => new Problem("internal", 500, "Something went wrong on our side.", { cause }),
  /** Another program listens on the port already. */
  portBusy: (host: string, port: number, cause: unknown) =>
    new Problem("http/port-busy", 503, `Port ${port} on ${host} is already in use.`, {
      hint: "Stop the other program, or choose another port with --port.",
      details: { host, port },
      cause,
    }),
  /** The operating system does not let us listen there. */
  portForbidden: (host: string, port: number, cause: unknown) =>
    new Problem("http/port-forbidden", 503, `Listening on port ${port} of ${host} is not allowed.`, {
      hint: "Choose a port above 1023 with --port.",
      details: { host, port },
      cause,
    }),
  /** This machine has no such address. */
  hostUnknown: (host: string, cause: unknown) =>
    new Problem("http/host-unknown", 503, `${host} is not an address of this machine.`, {
      hint: "Choose another with --host: 127.0.0.1 for this machine only, 0.0.0.0 for every interface.",
      details: { host },
      cause,
    }),
};
