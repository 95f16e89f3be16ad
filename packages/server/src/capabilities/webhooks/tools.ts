import { randomUUID } from "node:crypto";
import type { Jobs } from "../../platform/jobs/types.ts";
import type { Database } from "../../platform/postgres/database.ts";
import type { WebhookSecret, WebhookSecrets } from "./secrets.ts";
import { webhooksStore } from "./store.ts";
import { type Delivery, type DeliveryAttempt, type Webhook, webhookJobs } from "./types.ts";

/** What people look at and do about webhooks: the command line, and the console later. */
export interface WebhookTools {
  list(): Promise<readonly Webhook[]>;
  /** The newest first. */
  deliveries(filter: {
    readonly webhook?: string;
    readonly state?: Delivery["state"];
    readonly limit: number;
  }): Promise<readonly Delivery[]>;
  attempts(deliveryId: string): Promise<readonly DeliveryAttempt[]>;
  /** Sends a message again that is over, under its old id. @returns whether there is one */
  replay(deliveryId: string): Promise<boolean>;
  /** Sends again what has failed since then (Unix ms), the oldest first. @returns how many messages */
  replayFailed(filter: {
    readonly webhook?: string;
    readonly sinceMs: number;
    readonly limit: number;
  }): Promise<number>;
  /** Sends a message of the type `TEST`. @returns its id; `null` when there is no such webhook */
  test(name: string): Promise<string | null>;
  /** What its messages are signed with, the newest first; `null` when there is no such webhook. */
  secrets(name: string): Promise<readonly WebhookSecret[] | null>;
}

const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

export function createWebhookTools(needs: {
  readonly db: Database;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly secrets: WebhookSecrets;
}): WebhookTools {
  const { db, jobs, secrets } = needs;

  const replay = (which: Parameters<typeof webhooksStore.replayable>[1]): Promise<number> =>
    db.transaction(async (tx) => {
      const ids = await webhooksStore.replayable(tx, which);
      if (ids.length === 0) return 0;
      const made = await jobs.enqueue(
        tx,
        ids.map((id) => ({ name: webhookJobs, payload: { delivery: id } })),
      );
      await webhooksStore.again(
        tx,
        ids.map((id, at) => ({ id, jobId: made[at]!.id })),
      );
      return ids.length;
    });

  return {
    list: () => webhooksStore.all(db),
    deliveries: ({ webhook = null, state = null, limit }) => webhooksStore.deliveries(db, { webhook, state, limit }),
    attempts: async (id) => (isUuid(id) ? webhooksStore.attempts(db, id) : []),
    replay: async (id) => isUuid(id) && (await replay({ id })) > 0,
    replayFailed: ({ webhook = null, sinceMs, limit }) => replay({ webhook, sinceMs, limit }),
    async test(name) {
      const webhook = await webhooksStore.named(db, name);
      if (webhook === null) return null;
      const id = randomUUID();
      const { schema, table } = webhook;
      const body = {
        type: "TEST",
        table,
        schema,
        record: null,
        old_record: null,
        id,
        timestamp: new Date().toISOString(),
      };
      await db.transaction(async (tx) => {
        const [job] = await jobs.enqueue(tx, [{ name: webhookJobs, payload: { delivery: id } }]);
        await webhooksStore.put(tx, [
          { id, webhookId: webhook.id, eventId: `test/${id}`, body: JSON.stringify(body), jobId: job!.id },
        ]);
      });
      return id;
    },
    async secrets(name) {
      const webhook = await webhooksStore.named(db, name);
      return webhook === null ? null : secrets.of(db, webhook.id);
    },
  };
}
