import type { WebhookOptions } from "@mainstay/functions";
import type { Json } from "../../../platform/jobs/types.ts";

/** Jobs that handle what has come in have the function's name behind this. */
export const inboundJobs = "mainstay.inbound/";

/** A request at the entrance of a webhook, its body to the byte. */
export interface InboundRequest {
  /** Names in lower case; of a repeated one all values, joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** What a request is, once its signature holds. */
export interface InboundEvent {
  /** The provider's id, or the body's hash. */
  readonly id: string;
  readonly type: string | null;
  readonly body: Json;
  /**
   * What says that it came before. Besides the id, where the signature does not cover that: what is signed. Else whoever has seen one event
   * could send it again under another id.
   */
  readonly marks: readonly string[];
}

export type Provider = WebhookOptions["provider"];
