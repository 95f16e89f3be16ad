import { setTimeout as sleep } from "node:timers/promises";
import type { Capability } from "../../kernel/capability.ts";
import type { Values } from "../../kernel/settings.ts";
import type { ChangeLog } from "../../platform/changes/index.ts";
import type { Jobs } from "../../platform/jobs/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Database } from "../../platform/postgres/database.ts";
import type { StopListening } from "../../platform/postgres/listener.ts";
import { deliveryHandler } from "./deliver.ts";
import { createCallOut, type OwnPlaces, webhookGuard } from "./destination.ts";
import { createEndpoints } from "./endpoints.ts";
import { netHandler } from "./net.ts";
import { netStore } from "./net-store.ts";
import { webhooksReader } from "./reader.ts";
import { createWebhookSecrets } from "./secrets.ts";
import type { webhooksSettings } from "./settings.ts";
import { webhooksNews, webhooksStore } from "./store.ts";
import { createWebhookTools, type WebhookTools } from "./tools.ts";

export { examineWebhooks, type WebhookTrouble } from "./examine.ts";
export type { WebhookSecret } from "./secrets.ts";
export { createWebhookTools, type WebhookTools } from "./tools.ts";
export type { Delivery, DeliveryAttempt, Webhook } from "./types.ts";
export { createWebhookSecrets, webhookGuard };

export interface WebhooksNeeds {
  readonly db: Database;
  readonly jobs: Jobs;
  readonly log: Pick<ChangeLog, "followDurably">;
  /** 32 secret bytes, the same on every node: `signer.deriveKey("webhooks")`. */
  readonly key: Buffer;
  readonly places: OwnPlaces;
  readonly settings: Values<typeof webhooksSettings>;
  readonly observe: Observe;
}

/** Between looks for what is old and what was left behind, in ms, at most. */
const sweepMaxMs = 600_000;
/** How long a start waits for the reader's place in the log, and how often it looks, in ms. */
const enrolMs = 10_000;
const enrolLookMs = 20;

/** Webhooks, and requests that SQL makes. @throws SettingError naming an entry of `webhookAllowedHosts` that is no host */
export function createWebhooks(needs: WebhooksNeeds): Capability & { readonly tools: WebhookTools } {
  const { db, jobs, log, settings, observe } = needs;
  const secrets = createWebhookSecrets(needs.key);
  const callOut = createCallOut(webhookGuard(settings.webhookAllowedHosts), needs.places);
  const stops: (() => Promise<void>)[] = [];
  let stopListening: StopListening | null = null;
  let sweeps: NodeJS.Timeout | null = null;
  let isReading = false;
  let hasNet = false;
  let isStopped = false;

  // The log is followed on every node that reads it: a project without webhooks does without.
  const readIfWanted = async (): Promise<void> => {
    if (isReading || !(await webhooksStore.hasWebhooks(db.background))) return;
    if (isReading) return;
    isReading = true;
    log.followDurably(webhooksReader({ db, jobs, settings, observe }));
    await enrolled();
  };

  /** For the first time in this database the reader begins where the log is by then: what commits before is told to nobody. */
  const enrolled = async (): Promise<void> => {
    const untilMs = performance.now() + enrolMs;
    while (!isStopped && performance.now() < untilMs && !(await webhooksStore.isEnrolled(db))) await sleep(enrolLookMs);
  };

  const sweep = async (): Promise<void> => {
    if (hasNet) await netStore.sweep(db.background, settings.netResponseTtlSeconds);
    if (!isReading) return;
    await webhooksStore.settleStranded(db.background);
    await webhooksStore.sweep(db.background, {
      keepSeconds: settings.webhookKeepDeliveriesSeconds,
      keep: settings.webhookKeepDeliveries,
    });
  };

  return {
    name: "webhooks",
    routes: [],
    tools: createWebhookTools({ db, jobs, secrets }),
    async start() {
      hasNet = await netStore.isOurs(db);
      if (hasNet) stops.push(jobs.handle(netHandler({ db, settings, callOut })));
      const endpoints = createEndpoints(settings);
      stops.push(jobs.handle(deliveryHandler({ db, settings, callOut, secrets, endpoints, observe })));
      // Whoever was away looks again: news may have come meanwhile.
      stopListening = await db.listen([webhooksNews], () => void readIfWanted().catch(() => {}));
      await readIfWanted();
      const everyMs = Math.min(
        sweepMaxMs,
        settings.netResponseTtlSeconds * 500,
        settings.webhookKeepDeliveriesSeconds * 500,
      );
      sweeps = setInterval(() => void sweep().catch(() => {}), Math.max(1_000, everyMs));
      sweeps.unref();
    },
    async stop() {
      isStopped = true;
      if (sweeps !== null) clearInterval(sweeps);
      await stopListening?.();
      await Promise.all(stops.splice(0).map((stop) => stop()));
    },
  };
}
