import type { WebhookOptions } from "@mainstay/functions";
import type { Clock } from "../../../kernel/clock.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Jobs, Json, NewJob } from "../../../platform/jobs/types.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { HttpInput, HttpOutput } from "../types.ts";
import { collect } from "./collect.ts";
import { eventOf } from "./event.ts";
import type { inboundSettings } from "./settings.ts";
import { isSigned, secretsOf } from "./signature.ts";
import { inboundStore } from "./store.ts";
import { type InboundEvent, type InboundRequest, inboundJobs } from "./types.ts";

export { inboundSettings } from "./settings.ts";
export { inboundJobs } from "./types.ts";

export interface InboundNeeds {
  readonly db: Database;
  readonly jobs: Pick<Jobs, "enqueue">;
  /** What the project has given its functions under this name. */
  readonly secretOf: (name: string) => string | undefined;
  readonly settings: Values<typeof inboundSettings>;
  readonly observe: Observe;
  readonly clock: Clock;
}

/** Webhooks of providers, at the entrance of functions that take them. */
export interface Inbound {
  /**
   * Verifies a request, keeps its event once, and makes a job of it: all before it answers, and in one transaction. Answers everything that
   * is wrong with the request itself. Rejects as the database does: the provider sends it again.
   */
  receive(functionName: string, options: WebhookOptions, request: HttpInput, requestId?: string): Promise<HttpOutput>;
  start(): void;
  stop(): Promise<void>;
}

/** Old events are looked for so often, in ms, and this many are forgotten at once. */
const sweepEveryMs = 3_600_000;
const sweepAtOnce = 5_000;
/** What is no signature, and nobody's business in a handler's hands. */
const withheld = new Set([
  "authorization",
  "apikey",
  "cookie",
  "stripe-signature",
  "x-hub-signature",
  "x-hub-signature-256",
]);
withheld.add("webhook-signature");

export function createInbound({ db, jobs, secretOf, settings, observe, clock }: InboundNeeds): Inbound {
  let sweeper: NodeJS.Timeout | null = null;
  let sweeping: Promise<void> = Promise.resolve();
  /** Said once, until it is there. */
  const silent = new Set<string>();

  const sweep = async (): Promise<void> => {
    while ((await inboundStore.sweep(db.background, settings.functionsKeepEventsMs, sweepAtOnce)) === sweepAtOnce);
  };

  const unready = (functionName: string, name: string, why: string): HttpOutput => {
    if (!silent.has(functionName)) {
      silent.add(functionName);
      observe({
        kind: "warning",
        area: "functions",
        message: `The webhook of ${functionName} takes nothing in: ${why}. Set ${name} in functions/.env.`,
      });
    }
    return answer(503, { code: "SECRET_MISSING", message: "This webhook is not set up yet." });
  };

  return {
    async receive(functionName, options, input, requestId) {
      if (input.method !== "POST") {
        return answer(405, { code: "METHOD_NOT_ALLOWED", message: "A webhook takes POST." }, ["allow", "POST"]);
      }
      const body = await collect(input.body, settings.functionsWebhookBodyBytes);
      if (body === null) return answer(413, { code: "BODY_TOO_LARGE", message: "The event is too large." });
      const request: InboundRequest = { headers: headersOf(input.headers), body };
      const secret = { name: options.secret, value: secretOf(options.secret) ?? "" };
      if (secretsOf(secret.value).length === 0) {
        return unready(functionName, options.secret, `there is no secret "${options.secret}"`);
      }
      let isGenuine: boolean;
      try {
        isGenuine = isSigned(options, secret, request, clock.nowMs());
      } catch (error) {
        return unready(functionName, options.secret, reasonOf(error));
      }
      silent.delete(functionName);
      if (!isGenuine) return answer(401, { code: "BAD_SIGNATURE", message: "The signature does not fit." });
      const event = eventOf(options, request);
      if (event === null) return answer(400, { code: "BAD_EVENT", message: "The body is no JSON." });
      const job = jobOf(functionName, options, event, request, clock.nowMs());
      await db.transaction(async (tx) => {
        if (!(await inboundStore.remember(tx, functionName, event.marks))) return;
        const [made] = await jobs.enqueue(tx, [{ ...job, causedBy: requestId ?? null }]);
        await inboundStore.handledBy(tx, functionName, event.marks, made!.id);
      });
      return answer(200, { received: true });
    },
    start() {
      sweeper = setInterval(() => {
        sweeping = sweep().catch(() => {});
      }, sweepEveryMs).unref();
    },
    async stop() {
      if (sweeper !== null) clearInterval(sweeper);
      await sweeping;
    },
  };
}

function jobOf(
  functionName: string,
  options: WebhookOptions,
  { id, type, body }: InboundEvent,
  { headers }: InboundRequest,
  nowMs: number,
): NewJob {
  const hidden = options.signature?.header.toLowerCase();
  const shown = [...headers].filter(([name]) => name !== hidden && !withheld.has(name));
  const { queue, priority, maxAttempts } = options;
  return {
    name: `${inboundJobs}${functionName}`,
    payload: { id, type, body, headers: Object.fromEntries(shown), receivedAt: new Date(nowMs).toISOString() },
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
}

function headersOf(flat: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at]!.toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? flat[at + 1]! : `${before}, ${flat[at + 1]!}`);
  }
  return headers;
}

const answer = (status: number, body: Json, headers: readonly string[] = []): HttpOutput => ({
  status,
  headers: ["content-type", "application/json; charset=utf-8", ...headers],
  body: Buffer.from(JSON.stringify(body)),
});
