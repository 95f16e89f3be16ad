import type { Queryable } from "../../platform/postgres/database.ts";

/** A mail that a function sends. One of `text` and `html` is there. */
export interface FunctionMail {
  /** One address. */
  readonly to: string;
  /** One line. */
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  readonly replyTo: string | null;
}

/** The way out of mails. */
export interface OutgoingMails {
  /** False where none leaves. */
  readonly canLeave: boolean;
  /** Keeps a mail in `tx`: it leaves once that is committed, at least once. @returns its id */
  put(tx: Queryable, mail: FunctionMail): Promise<string>;
}
