import { type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http";
import { request as secureRequest } from "node:https";
import { isIP } from "node:net";
import { checkedLookup } from "./checked-lookup.ts";
import { notAllowed, OutboundError } from "./error.ts";

export interface OutboundRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** From the first look at the name to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Longest body of an answer, in bytes. */
  readonly maxBytes: number;
  /** Gives up; the promise rejects with the signal's own reason. */
  readonly signal?: AbortSignal;
  /**
   * Which addresses may be called, for URLs that did not come from the operator: `isPublicAddress`. All addresses of the name are
   * asked about, and the connection goes to one that was: a name that means another address the next moment gains nothing.
   */
  readonly isAllowedAddress?: (address: string) => boolean;
  /**
   * True when the other side may get it twice: then an idle connection is used again, and a new one where that turns out to be
   * closed. Never with `isAllowedAddress`: an idle connection was not checked.
   */
  readonly isRepeatable?: boolean;
  /** True: a redirect is an answer like any other, and not followed either. */
  readonly takesRedirects?: boolean;
  /** True: of a longer answer `maxBytes` are taken, and the rest is not waited for. */
  readonly cutsOff?: boolean;
}

export interface OutboundReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Answers that mean "go there instead". 300 and 304 do not. */
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/**
 * One HTTP request to another server: no redirect is followed (threat A30), time and size are bounded, and the address is checked
 * where the caller says so (X01). Any status is an answer; the body comes as sent, so no encoding is asked for.
 * @throws OutboundError
 */
export async function outboundRequest(url: string | URL, request: OutboundRequest): Promise<OutboundReply> {
  const target = targetOf(url, request);
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
  try {
    return await exchange(target, request, signal);
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    if (timeout.aborted) throw new OutboundError("timeout", `no answer within ${request.timeoutMs} ms`);
    if (error instanceof OutboundError) throw error;
    throw new OutboundError("network", messageOf(error), { cause: error });
  }
}

function targetOf(url: string | URL, { isAllowedAddress }: OutboundRequest): URL {
  if (typeof url === "string" && !URL.canParse(url)) throw new OutboundError("network", "not a URL");
  const target = new URL(url);
  if (target.protocol !== "https:" && target.protocol !== "http:") {
    throw new OutboundError("network", "neither http nor https");
  }
  // Node resolves no name that is an address already, so this one is asked about here. The parser has settled its spelling.
  const host = target.hostname.replace(/^\[|\]$/g, "");
  if (isAllowedAddress && isIP(host) !== 0 && !isAllowedAddress(host)) throw notAllowed();
  return target;
}

async function exchange(target: URL, request: OutboundRequest, signal: AbortSignal): Promise<OutboundReply> {
  const response = await send(target, request, signal, request.isRepeatable === true && !request.isAllowedAddress);
  try {
    const status = response.statusCode ?? 0;
    if (redirects.includes(status) && request.takesRedirects !== true) {
      throw new OutboundError("redirect", `the answer was a redirect (${status})`);
    }
    return { status, headers: headersOf(response), body: await read(response, request) };
  } finally {
    // Whatever was not read is not wanted; a response read to its end has given its connection back already.
    if (!response.complete) response.destroy();
  }
}

function send(target: URL, request: OutboundRequest, signal: AbortSignal, reuses: boolean): Promise<IncomingMessage> {
  const { method = "GET", headers, body, isAllowedAddress } = request;
  const options: RequestOptions = {
    method,
    signal,
    headers: {
      "Accept-Encoding": "identity",
      ...headers,
      ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
    },
    ...(reuses ? {} : { agent: false }),
    ...(isAllowedAddress ? { lookup: checkedLookup(isAllowedAddress) } : {}),
  };
  return new Promise((done, failed) => {
    const open = target.protocol === "https:" ? secureRequest : plainRequest;
    const sent = open(target, options, done);
    sent.once("error", (error) => {
      // The other side closed an idle connection at the moment it was used (Node docs, request.reusedSocket).
      const isStale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
      if (isStale && !signal.aborted) send(target, request, signal, false).then(done, failed);
      else failed(error);
    });
    sent.end(body);
  });
}

async function read(response: IncomingMessage, { maxBytes, cutsOff = false }: OutboundRequest): Promise<Buffer> {
  const tooLarge = () => new OutboundError("too-large", `the answer is larger than ${maxBytes} bytes`);
  if (!cutsOff && Number(response.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes <= maxBytes) continue;
    if (!cutsOff) throw tooLarge();
    break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  return headers;
}

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // An AggregateError (all addresses failed) has no message of its own.
  const code = (error as NodeJS.ErrnoException).code;
  return error.message || code || error.name;
};
