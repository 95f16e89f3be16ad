import type { Database } from "../../../platform/postgres/database.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import type { AuthPart } from "../part.ts";
import type { OutgoingMail } from "../ports.ts";
import { inboxGroup } from "./routes.ts";
import { inboxStore } from "./store.ts";

export { hasInbox } from "./enabled.ts";

/** Where development catches what would go out; what has a way out goes there too. */
export interface Inbox {
  /** @param id the message's own: a second try keeps no second copy */
  keepMail(id: string, mail: OutgoingMail, template: string): Promise<void>;
  keepSms(id: string, sms: AuthSms, body: string): Promise<void>;
}

type Needs = { readonly db: Database; readonly settings: AuthSettings };

export function createInbox({ db, settings }: Needs): Inbox {
  const limits = { messages: settings.inboxMaxMessages, bytes: settings.inboxMaxBytes };
  return {
    keepMail: (id, { to, ...mail }, template) =>
      inboxStore.keep(db, { id, kind: "mail", to, content: { ...mail, template } }, limits),
    keepSms: (id, { to, channel, purpose }, body) =>
      inboxStore.keep(db, { id, kind: "sms", to, content: { body, channel, purpose } }, limits),
  };
}

/** The inbox to look at: a page and a JSON API at `/inbox`. */
export const inboxPart = ({ db }: Pick<Needs, "db">): AuthPart => ({ groups: [inboxGroup(db)] });
