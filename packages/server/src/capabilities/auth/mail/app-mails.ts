import type { Outbox } from "../../../platform/outbox/index.ts";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import type { AuthSettings } from "../context.ts";
import { createInbox } from "../inbox/index.ts";
import type { MailTransport } from "../ports.ts";
import { appNameOf } from "./data.ts";
import { envelopeOf } from "./envelope.ts";
import { htmlToText } from "./html-to-text.ts";
import { plainLayout } from "./layout.ts";
import { readTemplate, TrustedUrl } from "./templates/index.ts";

/** A mail that the app itself writes. One of `text` and `html` is there. */
export interface AppMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  readonly replyTo: string | null;
}

/** The way out of mails that are not about signing in. */
export interface AppMails {
  /** False where no mail leaves, and nothing catches them. */
  readonly canLeave: boolean;
  /** Keeps a mail in `tx`: it leaves once that is committed, at least once. @returns its id */
  put(tx: Queryable, mail: AppMail): Promise<string>;
}

export interface AppMailsNeeds {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly settings: AuthSettings;
  /** `null` where no mail leaves. */
  readonly transport: MailTransport | null;
  readonly hasInbox: boolean;
}

/**
 * A channel of their own in the outbox: however many an app sends, and however long the server of a recipient thinks about them, codes to sign in with do not
 * wait behind them.
 */
export function createAppMails({ db, outbox, settings, transport, hasInbox }: AppMailsNeeds): AppMails {
  const inbox = hasInbox ? createInbox({ db, settings }) : null;
  const plain = readTemplate("plain.html", plainLayout(), "html");
  const htmlOf = ({ to, subject, text }: AppMail): string =>
    plain.render({
      Subject: subject,
      Paragraphs: (text ?? "").trim().split(/\n\s*\n/),
      SendingTo: to,
      AppName: appNameOf(settings),
      SiteURL: new TrustedUrl(settings.siteUrl),
    });
  outbox.serve<AppMail>({
    name: "app-mail",
    async deliver(mail, { id, signal }) {
      const { headers, ...envelope } = envelopeOf(id, settings);
      const html = mail.html ?? htmlOf(mail);
      const outgoing = {
        to: mail.to,
        subject: mail.subject,
        html,
        text: mail.text ?? htmlToText(html),
        ...envelope,
        headers: mail.replyTo === null ? headers : { ...headers, "Reply-To": mail.replyTo },
      };
      await inbox?.keepMail(id, outgoing, "app");
      await transport?.send(outgoing, signal);
    },
  });
  return {
    canLeave: transport !== null || inbox !== null,
    put: (tx, mail) => outbox.put(tx, "app-mail", mail),
  };
}
