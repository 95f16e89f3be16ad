/** One mail, written out. */
export interface OutgoingMail {
  /** One address, as stored. */
  readonly to: string;
  readonly from: { readonly address: string; readonly name: string };
  /** One line. */
  readonly subject: string;
  readonly html: string;
  readonly text: string;
  /** `<id@domain>` (RFC 5322 §3.6.4): the same at every try, so that a second copy is known for one. */
  readonly messageId: string;
  /** More, by name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The way to mailboxes. */
export interface MailTransport {
  /**
   * Hands one mail over, once: whoever calls decides about another try.
   * @throws DeliveryError, final when this mail will never be taken
   */
  send(mail: OutgoingMail, signal?: AbortSignal): Promise<void>;
  /** Lets go of connections. */
  close(): Promise<void>;
}
