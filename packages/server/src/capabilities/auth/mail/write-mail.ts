import type { AuthSettings } from "../context.ts";
import type { AuthMail } from "../messages.ts";
import { mailData } from "./data.ts";
import { htmlToText } from "./html-to-text.ts";
import type { MailTemplates } from "./template-places.ts";

/** A mail's words. */
export interface WrittenMail {
  readonly subject: string;
  readonly html: string;
  readonly text: string;
}

/** Longest subject, in characters: longer ones are cut by every mailbox anyway. */
const subjectMaxLength = 250;

/**
 * Fills the templates in.
 * @throws TemplateError when a template runs for too long, or calls one that is not there
 */
export function writeMail(mail: AuthMail, templates: MailTemplates, settings: AuthSettings): WrittenMail {
  const template = templates[mail.kind];
  const data = mailData(mail, settings);
  const html = template.html.render(data);
  return {
    subject: oneLine(template.subject.render(data)),
    html,
    text: template.text?.render(data) ?? htmlToText(html),
  };
}

/** A subject is one line of a header: whatever would begin another one is a space. */
const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, subjectMaxLength);
