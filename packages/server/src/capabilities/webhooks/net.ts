import type { Values } from "../../kernel/settings.ts";
import { type JobHandler, type JobOutcome, type JobRun, RetryLaterError } from "../../platform/jobs/types.ts";
import { OutboundError, type OutboundReply } from "../../platform/outbound/index.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { type CallOut, NotListeningError } from "./destination.ts";
import { type NetRequest, type NetResponse, netStore } from "./net-store.ts";
import { retryAfterMs, storable } from "./retry-after.ts";
import type { webhooksSettings } from "./settings.ts";
import { netJobs } from "./types.ts";

export interface NetNeeds {
  readonly db: Database;
  readonly settings: Values<typeof webhooksSettings>;
  readonly callOut: CallOut;
}

/** Runs besides those that are asked for: of nodes that died before they could write down what came of it. */
const runsForCrashes = 5;
/** Waits between retries, in ms; and for this server to listen. */
const retryMs = { first: 1_000, max: 300_000 };
const listeningMs = 500;
/** What the request itself decides. */
const ownHeaders = new Set(["content-length", "transfer-encoding", "connection"]);

/** Sends what `net.http_get`, `http_post` and `http_delete` have kept: once, or as often as the setting allows. */
export function netHandler({ db, settings, callOut }: NetNeeds): JobHandler {
  return {
    name: netJobs,
    concurrency: settings.netConcurrency,
    maxAttempts: settings.netRetries + runsForCrashes,
    async run(job, run) {
      const id = (job.payload as { readonly request?: unknown }).request;
      const request = await netStore.find(db, String(id));
      if (request === null) return { kind: "done" };
      return attempt(run, request);
    },
  };

  async function attempt(run: JobRun, request: NetRequest): Promise<JobOutcome> {
    const timeoutMs = Math.min(request.timeoutMs, settings.netTimeoutMaxMs);
    let reply: OutboundReply;
    try {
      reply = await callOut(request.url, {
        method: request.method,
        headers: headersOf(request),
        ...(request.body === null ? {} : { body: request.body }),
        timeoutMs,
        maxBytes: settings.netAnswerBytes,
        takesRedirects: true,
        signal: run.signal,
      });
    } catch (error) {
      if (error instanceof NotListeningError) return { kind: "sleeping", wakeAtMs: Date.now() + listeningMs };
      if (!(error instanceof OutboundError)) throw error;
      // An address that may not be called is none the next time either.
      if (error.reason !== "address" && request.tries < settings.netRetries)
        throw await later(request, error.message, null);
      const isTimedOut = error.reason === "timeout";
      const text = isTimedOut ? `Timeout of ${timeoutMs} ms reached` : error.message;
      return end(run, request, { ...none, isTimedOut, error: storable(text).slice(0, 500) });
    }
    if ((reply.status === 429 || reply.status >= 500) && request.tries < settings.netRetries) {
      throw await later(request, `status ${reply.status}`, retryAfterMs(reply.headers, Date.now(), retryMs.max));
    }
    return end(run, request, responseOf(reply));
  }

  async function later({ id, tries }: NetRequest, reason: string, askedMs: number | null): Promise<RetryLaterError> {
    await netStore.failedTry(db, id);
    const ownMs = Math.min(retryMs.max, retryMs.first * 2 ** tries) * (0.5 + Math.random() / 2);
    return new RetryLaterError(reason, Math.max(ownMs, askedMs ?? 0));
  }

  async function end(run: JobRun, { id }: NetRequest, response: NetResponse): Promise<JobOutcome> {
    await db.transaction(async (tx) => {
      await netStore.answer(tx, id, response);
      await run.settle(tx);
    });
    return { kind: "settled" };
  }
}

const none = { status: null, contentType: null, headers: null, content: null } as const;

function responseOf({ status, headers, body }: OutboundReply): NetResponse {
  return {
    status,
    contentType: headers.get("content-type"),
    headers: Object.fromEntries([...headers].map(([name, value]) => [name, storable(value)])),
    content: storable(body.toString("utf8")),
    isTimedOut: false,
    error: null,
  };
}

function headersOf({ headers }: NetRequest): Record<string, string> {
  const given = Object.entries(headers ?? {}).filter(
    ([name, value]) => value !== null && !ownHeaders.has(name.toLowerCase()),
  );
  return {
    "User-Agent": "Mainstay",
    ...Object.fromEntries(
      given.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
  };
}
