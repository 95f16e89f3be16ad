import { randomUUID } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { DeliveryError, type Outbox } from "../../../platform/outbox/index.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { Audit } from "../audit/index.ts";
import type { AuthSettings } from "../context.ts";
import type { Hooks } from "../hooks/index.ts";
import type { Inbox } from "../inbox/index.ts";
import type { AuthMail, AuthSms, Messages } from "../messages.ts";
import type { MailTransport } from "../ports.ts";
import { createSmsDelivery } from "../sms/index.ts";
import type { SmsGateway } from "../sms/ports.ts";
import { smsTemplate } from "../sms/template.ts";
import { envelopeOf } from "./envelope.ts";
import { isNotice, pascal } from "./kinds.ts";
import type { MailTemplates } from "./template-places.ts";
import { TemplateError } from "./templates/index.ts";
import { writeMail } from "./write-mail.ts";

/** How messages leave the server, and what mails say. */
export interface WaysOut {
  readonly templates: MailTemplates;
  /** `null` where no mail leaves. */
  readonly transport: MailTransport | null;
  /** `null` where no text message leaves. */
  readonly gateway: SmsGateway | null;
  /** Whether an inbox catches them, besides. */
  readonly hasInbox: boolean;
}

export interface MessagesNeeds extends Omit<WaysOut, "hasInbox"> {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly settings: AuthSettings;
  readonly hooks: Hooks;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly observe: Observe;
  /** `null` where nothing is caught. */
  readonly inbox: Inbox | null;
}

/**
 * What is told to people: kept by the outbox in the transaction it belongs to, and written and handed over afterwards, to the
 * app's hook, the mail server or the gateway, and the inbox.
 */
export function createMessages(needs: MessagesNeeds): Messages {
  const { outbox, settings, hooks, inbox, transport, gateway } = needs;
  outbox.serve<AuthMail>({
    name: "mail",
    deliver: (mail, { id, signal }) => deliverMail(needs, mail, id, signal),
    onGivenUp: (mail, _delivery, reason) => tell(needs, mail?.kind ?? null, mail?.user.id ?? null, "mail", reason),
  });
  const sms = createSmsDelivery({ gateway, settings, clock: needs.clock });
  const writeSms = smsTemplate(settings.smsTemplate);
  outbox.serve<AuthSms>({
    name: "sms",
    async deliver(message, { id, signal }) {
      if (hooks.sendsSms) return byHook(() => hooks.sendSms(message));
      await inbox?.keepSms(id, message, writeSms(message.otp));
      if (gateway !== null) await sms.deliver(message, id, signal);
    },
    onGivenUp: (message, _delivery, reason) =>
      tell(needs, message?.purpose ?? null, message?.user?.id ?? null, "sms", reason),
  });
  // Kept, a message without a way out would wait for its end; the code in it is worth nothing to anybody. The caller is not
  // told: who has an account would get another answer than who has none (threat A16).
  const warn = onceOf(needs.observe);
  return {
    async mail(tx, mail) {
      if (isNotice(mail.kind) && !settings[`mailNotice${pascal(mail.kind)}`]) return;
      if (!hooks.sendsMail && transport === null && inbox === null) return warn("mail", noMailServer);
      const lifetime = mail.otp === "" && mail.tokenHash === "" ? {} : { lifetimeSeconds: settings.mailCodeSeconds };
      await outbox.put(tx, "mail", mail, lifetime);
    },
    async sms(tx, message) {
      if (hooks.sendsSms || gateway !== null || inbox !== null) {
        return outbox.put(tx, "sms", message, { lifetimeSeconds: settings.smsCodeSeconds });
      }
      warn("sms", noGateway);
      return randomUUID();
    },
  };
}

const noMailServer = "A mail was not sent: no mail server is set (MAINSTAY_SMTP_HOST), and no hook sends mails.";
const noGateway =
  "A text message was not sent: nobody is set to do it (MAINSTAY_SMS_PROVIDER), and no hook sends them.";

function onceOf(observe: Observe): (area: "mail" | "sms", message: string) => void {
  const told = new Set<string>();
  return (area, message) => {
    if (!told.has(area)) observe({ kind: "warning", area, message });
    told.add(area);
  };
}

async function deliverMail(needs: MessagesNeeds, mail: AuthMail, id: string, signal: AbortSignal): Promise<void> {
  const { hooks, settings, templates, transport, inbox } = needs;
  if (hooks.sendsMail) return byHook(() => hooks.sendMail(mail));
  let written: ReturnType<typeof writeMail>;
  try {
    written = writeMail(mail, templates, settings);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new DeliveryError(`The template failed: ${error.message}`, { isFinal: true, cause: error });
  }
  const outgoing = { ...written, to: mail.to, ...envelopeOf(id, settings) };
  await inbox?.keepMail(id, outgoing, mail.kind);
  await transport?.send(outgoing, signal);
}

/** A hook that is out of order may come back; one that has refused has refused. */
async function byHook(ask: () => Promise<void>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const isPassing = error.status >= 500 || error.status === 429 || error.code.includes("timeout");
    throw new DeliveryError(error.message, { isFinal: !isPassing, isProviderDown: isPassing, cause: error });
  }
}

async function tell(
  { audit, db }: MessagesNeeds,
  kind: string | null,
  userId: string | null,
  channel: "mail" | "sms",
  reason: string,
): Promise<void> {
  await audit.record(db, {
    action: "message_undelivered",
    userId,
    actor: "system",
    caller: null,
    traits: { channel, kind, reason },
  });
}
