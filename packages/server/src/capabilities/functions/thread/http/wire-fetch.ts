import { STATUS_CODES } from "node:http";
import type { HttpInput, HttpOutput } from "../../types.ts";
import type { Wire } from "../wire.ts";
import { chunksOf, streamOf } from "./body.ts";
import { flatOf, flatOfInit, headersOf } from "./flat-headers.ts";
import { RealRequest, realRequestOf } from "./request.ts";
import { lightResponse, RealResponse } from "./response.ts";

/** A `fetch` for clients of this project: their requests go to the server's own routes, over the thread's socket, with its principal. */
export function wireFetch(wire: Wire, as: Parameters<Wire["fetch"]>[1]): typeof fetch {
  return async (input, init) => {
    const { request, signal } = requestOf(input, init);
    signal?.throwIfAborted();
    return responseOf(await wire.fetch(request, as, signal));
  };
}

interface Asked {
  readonly request: HttpInput;
  readonly signal?: AbortSignal;
}

function requestOf(input: string | URL | Request, init: RequestInit | undefined): Asked {
  const plain = typeof input === "string" || input instanceof URL ? plainRequest(String(input), init) : null;
  if (plain !== null) return { request: plain, ...(init?.signal ? { signal: init.signal } : {}) };
  // Forms, blobs and streams: the real one knows their types and boundaries. `duplex` is for streams (Fetch Standard, RequestInit).
  const options = init === undefined ? undefined : ({ ...init, duplex: "half" } as RequestInit);
  const request = new RealRequest(realRequestOf(input) as Request, options);
  const headers = flatOf(request.headers);
  if (init?.body instanceof Blob) headers.push("content-length", String(init.body.size));
  const body = request.body === null ? null : chunksOf(request.body);
  return { request: { method: request.method, url: request.url, headers, body }, signal: request.signal };
}

/** Most requests of clients: a text or nothing as body. `null` for all others. */
function plainRequest(url: string, init: RequestInit = {}): HttpInput | null {
  const { body = null, headers: named, method = "GET" } = init;
  if (body !== null && typeof body !== "string" && !Buffer.isBuffer(body)) return null;
  const headers = flatOfInit(named);
  if (headers === null) return null;
  if (typeof body === "string" && !headers.includes("content-type")) {
    headers.push("content-type", "text/plain;charset=UTF-8");
  }
  return { method, url, headers, body: typeof body === "string" ? Buffer.from(body) : body };
}

const withoutBody: readonly number[] = [204, 205, 304];

function responseOf({ body, headers, status }: HttpOutput): Response {
  const statusText = STATUS_CODES[status] ?? "";
  if (body === null || withoutBody.includes(status)) return lightResponse({ status, statusText, headers, body: null });
  if (Buffer.isBuffer(body)) return lightResponse({ status, statusText, headers, body });
  return new RealResponse(streamOf(body), { status, statusText, headers: headersOf(headers) });
}
