import { reasonOf } from "../../kernel/reason.ts";
import type { Values } from "../../kernel/settings.ts";
import {
  type ClaimedJob,
  FinalJobError,
  type JobHandler,
  type JobOutcome,
  type JobRun,
  RetryLaterError,
} from "../../platform/jobs/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { redact } from "../../platform/observe/redact.ts";
import { OutboundError, type OutboundReply, webhookHeaders } from "../../platform/outbound/index.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { type CallOut, NotListeningError } from "./destination.ts";
import type { Endpoints } from "./endpoints.ts";
import { retryAfterMs, storable } from "./retry-after.ts";
import type { WebhookSecrets } from "./secrets.ts";
import type { webhooksSettings } from "./settings.ts";
import { type Attempted, type DueDelivery, webhooksStore } from "./store.ts";
import { webhookJobs } from "./types.ts";

export interface DeliverNeeds {
  readonly db: Database;
  readonly settings: Values<typeof webhooksSettings>;
  readonly callOut: CallOut;
  readonly secrets: WebhookSecrets;
  readonly endpoints: Endpoints;
  readonly observe: Observe;
}

/** Characters of an error that the log keeps. */
const errorMaxLength = 500;
/** How long a delivery to this very server waits for it to listen, in ms. */
const listeningMs = 500;
/** The endpoint says that it is gone for good (Standard Webhooks, Deliverability). */
const gone = 410;

/** Delivers messages of webhooks, at least once. Retries, order and crashes are the queue's business. */
export function deliveryHandler(needs: DeliverNeeds): JobHandler {
  const { db, settings, callOut, secrets, endpoints, observe } = needs;
  return {
    name: webhookJobs,
    concurrency: settings.webhookConcurrency,
    maxAttempts: settings.webhookMaxAttempts,
    retryFirstMs: settings.webhookRetryFirstMs,
    retryMaxMs: settings.webhookRetryMaxMs,
    async run(job, run) {
      const id = (job.payload as { readonly delivery?: unknown }).delivery;
      const delivery = await webhooksStore.due(db, String(id));
      // Dropped with its webhook, or out already: its node died before it could say so.
      if (delivery === null || delivery.state !== "pending") return { kind: "done" };
      if (!delivery.isEnabled) {
        await webhooksStore.giveUp(db, delivery.id, `the webhook is off: ${delivery.disabledReason ?? "turned off"}`);
        return { kind: "done" };
      }
      const place = endpoints.enter(delivery.webhookId);
      if (typeof place === "number") return { kind: "sleeping", wakeAtMs: Date.now() + place };
      try {
        return await attempt(job, run, delivery, place);
      } finally {
        place.leave();
      }
    },
  };

  async function attempt(
    job: ClaimedJob,
    run: JobRun,
    delivery: DueDelivery,
    place: { succeeded(): void; failed(retryAfterMs: number | null): void },
  ): Promise<JobOutcome> {
    const startedMs = performance.now();
    let reply: OutboundReply | null = null;
    let failure: string | null = null;
    try {
      reply = await send(delivery, run.signal);
      if (reply.status < 200 || reply.status > 299) failure = `the answer was ${reply.status}`;
    } catch (error) {
      if (run.signal.aborted) throw error;
      if (error instanceof NotListeningError) return { kind: "sleeping", wakeAtMs: Date.now() + listeningMs };
      failure = redact(error instanceof OutboundError ? error.message : reasonOf(error)).slice(0, errorMaxLength);
    }
    const attempted: Attempted = {
      status: reply?.status ?? null,
      durationMs: performance.now() - startedMs,
      error: failure,
      answer: reply === null ? null : storable(reply.body.toString("utf8")),
    };
    if (failure === null) {
      place.succeeded();
      await db.transaction(async (tx) => {
        await webhooksStore.attempted(tx, delivery, attempted, "delivered");
        await run.settle(tx);
      });
      return { kind: "settled" };
    }
    const waitMs = reply === null ? null : retryAfterMs(reply.headers, Date.now(), settings.webhookRetryMaxMs);
    place.failed(waitMs);
    const isLast = job.attempt >= job.maxAttempts || reply?.status === gone;
    const failingMs = await webhooksStore.attempted(db, delivery, attempted, isLast ? "failed" : "pending");
    if (reply?.status === gone) await disable(delivery, "the endpoint answered 410 Gone");
    else if (failingMs >= settings.webhookDisableAfterSeconds * 1_000) {
      await disable(delivery, `no delivery has succeeded for ${Math.round(failingMs / 1_000)} s`);
    }
    if (isLast) throw new FinalJobError(failure);
    throw waitMs === null ? new Error(failure) : new RetryLaterError(failure, waitMs);
  }

  async function send(delivery: DueDelivery, signal: AbortSignal): Promise<OutboundReply> {
    const keys = (await secrets.of(db, delivery.webhookId)).map(({ key }) => key);
    if (keys.length === 0) throw new Error("the webhook has no secret");
    const signed = webhookHeaders({ id: delivery.id, nowMs: Date.now(), body: delivery.body, keys });
    return callOut(delivery.url, {
      method: "POST",
      headers: {
        "User-Agent": "Mainstay-Webhooks",
        ...delivery.headers,
        "Content-Type": "application/json",
        ...signed,
      },
      body: delivery.body,
      timeoutMs: delivery.timeoutMs ?? settings.webhookTimeoutMs,
      maxBytes: settings.webhookAnswerBytes,
      cutsOff: true,
      takesRedirects: true,
      signal,
    });
  }

  async function disable({ webhookId, name }: DueDelivery, reason: string): Promise<void> {
    if (await webhooksStore.disable(db, webhookId, reason))
      observe({ kind: "webhook.disabled", webhook: name, reason });
  }
}
