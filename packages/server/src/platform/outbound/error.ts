/**
 * - `timeout`: no complete answer in time.
 * - `too-large`: the answer has more bytes than were asked for.
 * - `redirect`: the answer sends us elsewhere, where we do not go.
 * - `address`: the name stands for an address that this caller may not reach.
 * - `network`: no connection, a broken one, no valid certificate, or no HTTP.
 */
export type OutboundFailure = "timeout" | "too-large" | "redirect" | "address" | "network";

/** A call to another server that brought no answer to work with. Says nothing of what was sent. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  readonly reason: OutboundFailure;

  constructor(reason: OutboundFailure, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

export const notAllowed = () => new OutboundError("address", "the address is not one that may be called");
