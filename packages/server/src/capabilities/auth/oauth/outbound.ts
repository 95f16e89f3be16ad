import { OutboundError, outboundRequest } from "../../../platform/outbound/index.ts";
import { oauthProblems } from "./problems.ts";

/** How long and how much one answer of a provider may take. */
export interface Bounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Statuses whose answer has no body; a `Response` must not be given one. */
const bodiless: readonly number[] = [204, 205, 304];

type FetchOptions = {
  readonly method?: string | undefined;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
};

/** `fetch` as libraries want it, that follows no redirect and is bounded (threat A30). @throws OutboundError */
export function boundedFetch(bounds: Bounds): (url: string | URL, options: FetchOptions) => Promise<Response> {
  return async (url, options) => {
    const method = options.method ?? "GET";
    if (method !== "GET" && method !== "POST") throw new TypeError(`Nobody sends ${method} to a provider.`);
    const reply = await outboundRequest(url, {
      ...bounds,
      method,
      headers: Object.fromEntries(new Headers(options.headers)),
      ...(options.body === undefined || options.body === null ? {} : { body: String(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const body = bodiless.includes(reply.status) ? null : new Uint8Array(reply.body);
    return new Response(body, { status: reply.status, headers: reply.headers });
  };
}

/** A whole JSON answer. @throws Problem 503 when it is something else */
export async function askJson(
  bounds: Bounds,
  url: string,
  request: {
    readonly method: "GET" | "POST";
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  },
): Promise<{ readonly status: number; readonly value: unknown }> {
  const reply = await outboundRequest(url, {
    ...bounds,
    ...request,
    headers: { Accept: "application/json", "User-Agent": "Mainstay", ...request.headers },
  }).catch((error: unknown) => {
    throw error instanceof OutboundError ? oauthProblems.providerUnavailable(error) : error;
  });
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(reply.headers.get("content-type") ?? "")) {
    throw oauthProblems.providerUnavailable(new Error(`${url} answered ${reply.status} without JSON`));
  }
  try {
    return { status: reply.status, value: JSON.parse(reply.body.toString("utf8")) };
  } catch (cause) {
    throw oauthProblems.providerUnavailable(cause);
  }
}
