export interface DeliveryErrorOptions {
  readonly cause?: unknown;
  /** No further attempt: the other side has refused this very message. */
  readonly isFinal?: boolean;
  /** It is the provider that fails, and would fail with any other message too: unreachable, busy, credentials refused. */
  readonly isProviderDown?: boolean;
  /** What the provider asked us to wait, as `Retry-After` says it. */
  readonly retryAfterSeconds?: number;
}

/**
 * Why a message did not get out. Adapters throw it; anything else they throw counts as trouble that may pass. The message
 * goes into the log and the database: it says no code, link or credential.
 */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  readonly isFinal: boolean;
  readonly isProviderDown: boolean;
  readonly retryAfterSeconds: number | null;

  constructor(message: string, options: DeliveryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.isFinal = options.isFinal ?? false;
    this.isProviderDown = options.isProviderDown ?? false;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}
