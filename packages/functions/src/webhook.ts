import type { Json } from "./json.ts";

/** What a provider has sent, once. */
export interface WebhookEvent<Body extends Json = Json> {
  /** The provider's id of it. */
  readonly id: string;
  /** The provider's name for what has happened (`payment_intent.succeeded`); `null` where it names nothing. */
  readonly type: string | null;
  readonly body: Body;
  /** Lower-case names, without the signature, credentials and cookies. */
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedAt: Date;
}
