/** One mail to one person. */
export interface Mail {
  /** One address, without a name: `ada@example.com`. */
  readonly to: string;
  /** One line, at most 250 characters. */
  readonly subject: string;
  /** Plain text; an empty line begins a paragraph. Alone it is shown in the server's own layout. */
  readonly text?: string;
  /** A whole document of your own: what of other people is in it has to be escaped. Alone, its text is made of it. */
  readonly html?: string;
  /** Where answers go, when it is not the sender: one address. */
  readonly replyTo?: string;
}

/**
 * Mails, from the server's own sender. Rejects with an Error whose `code` says why: `functions/invalid-argument`, `functions/no-mail-server`,
 * `functions/mail-too-large`, `functions/too-many-mails`.
 */
export interface Mails {
  /**
   * Keeps a mail until the mail server has taken it: at least once. It leaves also when the function throws afterwards, unless it was kept in a
   * transaction (`tx.mail`).
   * @returns its id, which the mail's `Message-ID` begins with
   */
  send(mail: Mail): Promise<{ readonly id: string }>;
}
