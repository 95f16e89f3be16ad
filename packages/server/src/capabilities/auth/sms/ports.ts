/** One text message, ready to leave. */
export interface OutgoingSms {
  /** Ours; the same at every try, so that a receiver who knows it can tell a repetition. */
  readonly id: string;
  /** E.164 digits without `+`. */
  readonly to: string;
  readonly body: string;
  readonly channel: "sms" | "whatsapp";
  /** The code in `body`, for gateways that fill in a template of their own. */
  readonly otp: string;
}

export interface SentSms {
  /** What the gateway calls the message; `null` when it does not say. */
  readonly id: string | null;
}

/** The way to telephones. */
export interface SmsGateway {
  /** `twilio`, `vonage` …: shown by `GET /auth/v1/settings`. */
  readonly name: string;
  /**
   * Hands one message over, once: whoever calls decides about another try.
   * @throws SmsRejected when this message will never go
   * @throws SmsDelayed when it may go later. It may also have gone already: an answer can get lost.
   */
  send(message: OutgoingSms, signal?: AbortSignal): Promise<SentSms>;
}

/** The gateway will not send this message, now or later: no such number, a channel it does not have, unsubscribed. */
export class SmsRejected extends Error {
  override readonly name = "SmsRejected";
}

/** The gateway cannot send now: too busy, out of order, out of reach, or our account with it is. */
export class SmsDelayed extends Error {
  override readonly name = "SmsDelayed";
  /** What the gateway asks to wait; `null` when it does not say. */
  readonly retryAfterSeconds: number | null;

  constructor(message: string, options: { readonly retryAfterSeconds?: number | null; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}
