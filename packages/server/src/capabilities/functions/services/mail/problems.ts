import { Problem } from "../../../../kernel/problem.ts";

/** Why a mail of a function was not taken. */
export const mailProblems = {
  /** No mail can leave, nor is there an inbox to catch it. A hook that sends mails is not asked for those of functions. */
  noMailServer: () =>
    new Problem("functions/no-mail-server", 503, "No mail can leave: no mail server is set.", {
      hint: "Set MAINSTAY_SMTP_HOST and MAINSTAY_SMTP_FROM.",
    }),
  /** The mail is larger than mails of functions may be (`functionsMailBytes`). */
  tooLarge: (limitBytes: number) =>
    new Problem("functions/mail-too-large", 413, `The mail has more than ${limitBytes} bytes.`, {
      hint: "Put what is large into storage, and link to it.",
    }),
  /** Functions have sent as many mails as they may in a minute (`functionsMailsPerMinute`). */
  tooMany: (limit: number) =>
    new Problem("functions/too-many-mails", 429, `Functions may send ${limit} mails in a minute.`, {
      hint: "Send them from a job: one that throws comes again. The limit is MAINSTAY_FUNCTIONS_MAILS_PER_MINUTE.",
    }),
};
