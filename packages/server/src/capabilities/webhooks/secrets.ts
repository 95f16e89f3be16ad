import { randomBytes } from "node:crypto";
import { createSeal } from "../../kernel/seal.ts";
import type { Queryable } from "../../platform/postgres/database.ts";
import { webhooksStore } from "./store.ts";

/** Bytes of a secret that the server makes (Standard Webhooks: 24 to 64). */
const secretBytes = 32;

/** One signing secret of a webhook. */
export interface WebhookSecret {
  /** `whsec_<base64>`, as receivers' libraries take it. */
  readonly text: string;
  readonly key: Buffer;
  /** ISO 8601; `null`: until another takes its place. */
  readonly expiresAt: string | null;
}

/** Knows what webhooks are signed with. In the database there are only sealed bytes (a dump opens nothing). */
export interface WebhookSecrets {
  /** All that count now, the newest first. Rejects with an Error when they were sealed with another server key. */
  of(db: Pick<Queryable, "query">, webhookId: string): Promise<readonly WebhookSecret[]>;
}

/** @param key 32 secret bytes, the same on every node: `signer.deriveKey("webhooks")` */
export function createWebhookSecrets(key: Buffer): WebhookSecrets {
  const seal = createSeal(key);
  const contextOf = (webhookId: string, id: string) => `webhook/${webhookId}/${id}`;
  return {
    async of(db, webhookId) {
      let rows = await webhooksStore.secrets(db, webhookId);
      for (const { id, sealed } of rows) {
        if (sealed !== null) continue;
        // SQL has asked for it and cannot make it. Of two nodes that do, the first one's stays.
        const made = seal.close(randomBytes(secretBytes).toString("base64"), contextOf(webhookId, id));
        await webhooksStore.fillSecret(db, id, made);
      }
      if (rows.some(({ sealed }) => sealed === null)) rows = await webhooksStore.secrets(db, webhookId);
      return rows.flatMap(({ id, sealed, expiresAt }) => {
        if (sealed === null) return [];
        const encoded = open(sealed, contextOf(webhookId, id));
        return [{ text: `whsec_${encoded}`, key: Buffer.from(encoded, "base64"), expiresAt }];
      });
    },
  };

  function open(sealed: Buffer, context: string): string {
    try {
      return seal.open(sealed, context);
    } catch (cause) {
      throw new Error(
        "The webhook's secret was made under another server key: make a new one with mainstay.rotate_webhook_secret.",
        { cause },
      );
    }
  }
}
