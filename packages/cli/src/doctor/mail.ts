import { Resolver } from "node:dns/promises";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

/** Name servers are on the way for so long at most, in ms. */
const lookupTimeoutMs = 3_000;

/** The mail server takes us, and other mail servers can tell that it may send for the sender's domain. */
export const checkMail: Check = async ({ config }) => {
  if (config === null) return [];
  const { smtpHost, smtpPort, mailFrom, sendEmailHookEnabled } = config.auth;
  if (smtpHost === null) {
    if (sendEmailHookEnabled) return [ok("mail", "the send-email hook delivers them")];
    return [ok("mail", "no mail server is set: none leaves, and `mainstay dev` shows them at /inbox")];
  }
  if (sendEmailHookEnabled) {
    return [
      warn("mail", "the send-email hook delivers mails, so that the mail server is not used", "Unset one of the two."),
    ];
  }
  // Without a sender nothing can be tried; the settings' own check has said so.
  if (mailFrom === null) return [];
  const { checkMailServer } = await import("@mainstay/server/preflight");
  const wrong = await checkMailServer(config);
  const at = `${smtpHost}:${smtpPort}`;
  const server =
    wrong === null
      ? ok("mail", `${at} takes mails`)
      : fail(
          "mail",
          `${at}: ${wrong.replace(/\.$/, "")}`,
          "See MAINSTAY_SMTP_HOST, …_PORT, …_USER, …_PASSWORD, …_TLS.",
        );
  return [server, ...(await senderFindings(mailFrom))];
};

async function senderFindings(sender: string): Promise<readonly Finding[]> {
  const domain = sender.slice(sender.lastIndexOf("@") + 1);
  const resolver = new Resolver({ timeout: lookupTimeoutMs, tries: 1 });
  try {
    const texts = (await resolver.resolveTxt(domain)).map((parts) => parts.join(""));
    if (texts.some((text) => /^v=spf1\b/i.test(text))) return [ok("mail-sender", `${sender}: its domain has SPF`)];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOTFOUND") {
      return [
        fail(
          "mail-sender",
          `${sender}: there is no domain ${domain}`,
          "Set MAINSTAY_SMTP_FROM to an address of yours.",
        ),
      ];
    }
    if (code !== "ENODATA") return [ok("mail-sender", `${sender}; its domain could not be looked up from here`)];
  }
  return [
    warn(
      "mail-sender",
      `${sender}: its domain says in no SPF record who may send for it, so mails land among the spam`,
      "Add the SPF, DKIM and DMARC records that your mail provider names.",
    ),
  ];
}
