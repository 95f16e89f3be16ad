import type { MailTransport, OutgoingMail } from "../../capabilities/auth/ports.ts";
import { isLoopback } from "../../kernel/loopback.ts";
import { SettingError } from "../../kernel/settings.ts";
import { DeliveryError } from "../../platform/outbox/index.ts";
import { failureOf } from "./failure.ts";

export interface SmtpSettings {
  readonly smtpHost: string | null;
  readonly smtpPort: number;
  readonly smtpUser: string | null;
  readonly smtpPassword: string | null;
  readonly smtpTls: "auto" | "starttls" | "implicit" | "none";
  readonly smtpConnections: number;
  readonly smtpTimeoutMs: number;
  readonly mailFrom: string | null;
}

/** Loaded with the first mail: a start should not wait for it. */
const library = () => import("nodemailer");

/** Mails over one connection before it is given up: servers close old ones, and a fresh one finds a new address. */
const mailsPerConnection = 100;

/**
 * Sends by a mail server (RFC 5321). Connections are made when there is a mail, and kept for a while.
 * @returns `null` when no mail server is set
 * @throws SettingError when there is no sender, or a password would go out in the clear
 */
export function smtpTransport(settings: SmtpSettings): MailTransport | null {
  if (settings.smtpHost === null) return null;
  checked(settings, settings.smtpHost);
  const connection = connectionOf(settings, settings.smtpHost);
  let opened: ReturnType<typeof open> | null = null;
  const open = async () => {
    const { createTransport } = await library();
    return createTransport({
      pool: true,
      ...connection,
      maxConnections: settings.smtpConnections,
      maxMessages: mailsPerConnection,
      // A mail is what it says: nothing in it is a file of ours or an address to be fetched.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  };
  return {
    async send(mail, signal) {
      signal?.throwIfAborted();
      refuseInjection(mail);
      opened ??= open();
      const pool = await opened;
      try {
        await pool.sendMail({
          // As objects: text would be taken apart, and a comma in it would make two.
          from: { name: mail.from.name, address: mail.from.address },
          to: { name: "", address: mail.to },
          envelope: { from: mail.from.address, to: [mail.to] },
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          messageId: mail.messageId,
          headers: { ...mail.headers },
        });
      } catch (error) {
        throw failureOf(error);
      }
    },
    async close() {
      (await opened)?.close();
    },
  };
}

/**
 * Connects, encrypts and logs in as for a mail, and sends none.
 * @returns what went wrong, in a sentence; `null` when the server would take mails, or none is set
 */
export async function checkMailServer(settings: SmtpSettings): Promise<string | null> {
  if (settings.smtpHost === null) return null;
  checked(settings, settings.smtpHost);
  const { createTransport } = await library();
  const transport = createTransport(connectionOf(settings, settings.smtpHost));
  try {
    await transport.verify();
    return null;
  } catch (error) {
    return failureOf(error).message;
  } finally {
    transport.close();
  }
}

function connectionOf(settings: SmtpSettings, host: string) {
  const { smtpPort: port, smtpTls: tls } = settings;
  const isLocal = isLoopback(host);
  const isImplicit = tls === "implicit" || (tls === "auto" && port === 465);
  return {
    host,
    port,
    secure: isImplicit,
    requireTLS: !isImplicit && (tls === "starttls" || (tls === "auto" && !isLocal)),
    ignoreTLS: tls === "none",
    // A server on this machine has a certificate of its own making, if any.
    tls: { rejectUnauthorized: !isLocal, minVersion: "TLSv1.2" as const },
    ...(settings.smtpUser === null ? {} : { auth: { user: settings.smtpUser, pass: settings.smtpPassword ?? "" } }),
    connectionTimeout: settings.smtpTimeoutMs,
    greetingTimeout: settings.smtpTimeoutMs,
    socketTimeout: settings.smtpTimeoutMs,
  };
}

function checked(settings: SmtpSettings, host: string): void {
  if (settings.mailFrom === null) {
    throw new SettingError("MAINSTAY_SMTP_HOST is set, and MAINSTAY_SMTP_FROM is not: mails need a sender.");
  }
  if (!isAddress(settings.mailFrom)) throw new SettingError("MAINSTAY_SMTP_FROM must be an e-mail address.");
  if (settings.smtpTls === "none" && settings.smtpUser !== null && !isLoopback(host)) {
    throw new SettingError(
      "MAINSTAY_SMTP_TLS is none, and MAINSTAY_SMTP_USER is set: a password is not sent in the clear.",
    );
  }
}

/** One mailbox: nothing that begins another address, a comment, a route or another line. */
const isAddress = (text: string): boolean =>
  /^[^\s@"(),:;<>[\]\\]+@[^\s@"(),:;<>[\]\\]+$/.test(text) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text);

const hasControls = (text: string): boolean => /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text);

/** A line break in a header begins another header, and in an address another command (CWE-93). */
function refuseInjection({ to, from, subject, messageId, headers }: OutgoingMail): void {
  const isClean =
    isAddress(to) &&
    isAddress(from.address) &&
    ![subject, from.name, messageId].some(hasControls) &&
    Object.entries(headers).every(([name, value]) => /^[\w-]+$/.test(name) && !hasControls(value));
  if (!isClean) throw new DeliveryError("The mail has an address or a header that cannot be one.", { isFinal: true });
}
