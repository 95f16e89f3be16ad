/** How one request to another service is made. */
export interface HttpOptions {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Of one attempt; 10,000 when left out. */
  readonly timeoutMs?: number;
  /** Attempts after the first, for what may be repeated (GET, HEAD, PUT, DELETE, or with `Idempotency-Key`); 2 when left out. */
  readonly retries?: number;
  /** How long an answer counts as fresh and is shared by all who ask on any node. Only GET; 0, the default, caches nothing. */
  readonly cacheMs?: number;
  /** How long after that it may still be answered when the service fails. 0 when left out. */
  readonly staleIfErrorMs?: number;
  /** Answer what is stale at once, and fetch anew behind it. */
  readonly staleWhileRevalidateMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from: the service now, the cache, or the cache since the service fails. */
  readonly source: "network" | "cache" | "stale";
  /** When the service gave it. */
  readonly fetchedAt: Date;
  text(): string;
  json<T = unknown>(): T;
  bytes(): Uint8Array;
}

/**
 * Asks other services: each origin has a circuit breaker, failures are retried with growing waits and `Retry-After` is respected.
 * Rejects with an Error whose `code` says why: `timeout`, `network`, `address`, `too-large`, `redirect`, `open` (the breaker is).
 */
export interface HttpClient {
  request(url: string | URL, options?: HttpOptions): Promise<HttpAnswer>;
  /** `request`, and an Error with `status` for an answer outside 2xx. */
  json<T = unknown>(url: string | URL, options?: HttpOptions): Promise<T>;
}
