import type { Queryable } from "../../platform/postgres/database.ts";
import { webhooksStore } from "./store.ts";

/** A webhook that delivers nothing. */
export interface WebhookTrouble {
  readonly name: string;
  readonly isEnabled: boolean;
  /** Why it was turned off. */
  readonly reason: string | null;
  /** ISO 8601: since when every attempt has failed. */
  readonly failingSince: string | null;
}

/** Webhooks that are off, or fail. Looks, and changes nothing. */
export async function examineWebhooks(db: Pick<Queryable, "query">): Promise<readonly WebhookTrouble[]> {
  const webhooks = await webhooksStore.all(db);
  return webhooks
    .filter(({ isEnabled, failingSince }) => !isEnabled || failingSince !== null)
    .map(({ name, isEnabled, disabledReason: reason, failingSince }) => ({ name, isEnabled, reason, failingSince }));
}
