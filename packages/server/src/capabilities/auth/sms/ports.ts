/** One text message, ready to leave. */
export interface OutgoingSms {
  /** Ours; the same at every attempt, so that a receiver who knows it can tell a repetition. */
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
   * Hands one message over, in one attempt: whoever calls decides about another. A message whose attempt failed may have gone all
   * the same, since an answer can get lost.
   * @throws DeliveryError final when this message will never go (no such number, unsubscribed, a channel the gateway does not have),
   * else with what the gateway asks to wait and whether any other message would fail too
   */
  send(message: OutgoingSms, signal?: AbortSignal): Promise<SentSms>;
}
