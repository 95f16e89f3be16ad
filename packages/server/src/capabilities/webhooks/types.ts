import type { Lsn } from "../../kernel/change.ts";

export type WebhookOperation = "insert" | "update" | "delete";

/** A webhook as the database has it. */
export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly schema: string;
  readonly table: string;
  readonly operations: readonly WebhookOperation[];
  /** In the words of the REST API; empty: every row. */
  readonly filter: string;
  /** Which columns are sent; `null`: all. */
  readonly columns: readonly string[] | null;
  readonly headers: Readonly<Record<string, string>>;
  /** `null`: the setting's. */
  readonly timeoutMs: number | null;
  readonly isEnabled: boolean;
  /** Why it is not. */
  readonly disabledReason: string | null;
  /** ISO 8601; `null` while it works. */
  readonly failingSince: string | null;
  /** What was committed before it is not sent. */
  readonly since: Lsn;
}

/** A message on its way, or what became of it. */
export interface Delivery {
  /** The message's id at the receiver: `webhook-id`. */
  readonly id: string;
  readonly webhook: string;
  /** `<lsn>/<n>` of the change; `test/…` of one that was asked for. */
  readonly eventId: string;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

/** One attempt to deliver. */
export interface DeliveryAttempt {
  /** ISO 8601. */
  readonly at: string;
  /** Of the answer; `null` when there was none. */
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
  /** The first bytes of the answer. */
  readonly answer: string | null;
}

/** Names of jobs: one message of a webhook, one request of `net`. */
export const webhookJobs = "mainstay.webhook";
export const netJobs = "mainstay.net";
