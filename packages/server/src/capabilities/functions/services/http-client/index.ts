import type { Values } from "../../../../kernel/settings.ts";
import { Turns } from "../../../../kernel/turns.ts";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { Guard } from "../../../../platform/outbound/index.ts";
import type { Database } from "../../../../platform/postgres/database.ts";
import type { Services } from "../../types.ts";
import { readAsk } from "./ask.ts";
import { attempt } from "./attempts.ts";
import { Breakers } from "./breakers.ts";
import { type Answer, HttpCache } from "./cached.ts";
import { ageMsOf, keptOf } from "./kept.ts";
import type { httpClientSettings } from "./settings.ts";

export interface HttpClientService {
  readonly services: Services;
  close(): Promise<void>;
}

/** `ctx.http`, for all functions of this node. */
export function createHttpClient(needs: {
  readonly db: Pick<Database, "query" | "execute">;
  readonly guard: Guard;
  readonly nodeId: string;
  readonly settings: Values<typeof httpClientSettings>;
}): HttpClientService {
  const { settings } = needs;
  const attempts = {
    guard: needs.guard,
    breakers: new Breakers({
      failures: settings.functionsHttpBreakerFailures,
      firstMs: settings.functionsHttpBreakerFirstMs,
      maxMs: settings.functionsHttpBreakerMaxMs,
    }),
    turns: new Turns(settings.functionsHttpConcurrency),
    limits: {
      answerBytes: settings.functionsHttpAnswerBytes,
      retryFirstMs: settings.functionsHttpRetryFirstMs,
      retryMaxMs: settings.functionsHttpRetryMaxMs,
    },
  };
  const cache = new HttpCache({
    db: needs.db,
    nodeId: needs.nodeId,
    limits: {
      entries: settings.functionsHttpCacheEntries,
      bytes: settings.functionsHttpCacheBytes,
      entryBytes: settings.functionsHttpCacheEntryBytes,
      memoryBytes: settings.functionsHttpMemoryBytes,
    },
    fetch: (ask, signal) => attempt(attempts, ask, signal),
  });
  return {
    services: {
      "http.request": async (args, { signal }) => {
        const ask = readAsk(args);
        if (ask.cacheMs > 0) return asJson(await unlessAborted(cache.answer(ask), signal));
        return asJson({ kept: keptOf(await attempt(attempts, ask, signal)), source: "network" });
      },
    },
    close: () => cache.close(),
  };
}

const asJson = ({ kept, source }: Answer): Json => ({
  status: kept.status,
  headers: kept.headers,
  body: kept.body.toString("base64"),
  source,
  fetchedAtMs: Math.round(Date.now() - ageMsOf(kept)),
});

/** An answer that others wait for too goes on without the one who leaves. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
