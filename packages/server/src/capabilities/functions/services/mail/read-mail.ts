import type { Json } from "../../../../platform/jobs/types.ts";
import type { FunctionMail } from "../../ports.ts";
import { Arguments } from "../arguments.ts";
import { mailProblems } from "./problems.ts";

/** Longest address (RFC 5321 §4.5.3.1, a path without its brackets) and subject, in characters. */
const addressLength = 254;
const subjectLength = 250;
const fields = new Set(["to", "subject", "text", "html", "replyTo"]);
/** One mailbox: nothing that begins another address, a name, a comment, a route or another line. */
const address = /^[^\s@"(),:;<>[\]\\]+@[^\s@"(),:;<>[\]\\]+$/;
const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * A mail, as a thread has sent it. What it does not know it refuses: a `cc` that is left out without a word would be missed by its reader.
 * @throws Problem `functions/invalid-argument`, `functions/mail-too-large`
 */
export function readMail(service: string, args: readonly Json[], limitBytes: number): FunctionMail {
  const given = new Arguments(service, args);
  const mail = given.options(0);
  const raw = Object.entries(args[0] ?? {});
  const unknown = raw.find(([name]) => !fields.has(name));
  if (unknown !== undefined) given.refuse(`a mail has no "${unknown[0]}": it has ${[...fields].join(", ")}`);
  const bytes = raw.reduce((sum, [, value]) => sum + (typeof value === "string" ? Buffer.byteLength(value) : 0), 0);
  if (bytes > limitBytes) throw mailProblems.tooLarge(limitBytes);
  const addressIn = (name: string): string | undefined => {
    const text = mail.text(name, addressLength);
    if (text !== undefined && (!address.test(text) || control.test(text))) {
      given.refuse(`${name} must be one address, such as ada@example.com`);
    }
    return text;
  };
  const to = addressIn("to") ?? given.refuse("to must be one address, such as ada@example.com");
  const subject = mail.text("subject", subjectLength) ?? given.refuse("a mail needs a subject");
  if (control.test(subject)) given.refuse("subject must be one line");
  const text = mail.text("text", limitBytes) ?? null;
  const html = mail.text("html", limitBytes) ?? null;
  if (text === null && html === null) given.refuse("a mail needs a text, or html");
  return { to, subject, text, html, replyTo: addressIn("replyTo") ?? null };
}
