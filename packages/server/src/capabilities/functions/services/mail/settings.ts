import { integer, type Settings } from "../../../../kernel/settings.ts";

/** Mails that functions send (`ctx.mail`). */
export const mailSettings = {
  functionsMailBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_MAIL_BYTES"],
    default: 262_144,
    unit: "bytes",
    min: 1_024,
    max: 10_485_760,
    summary: "Largest mail of a function: its subject, text and HTML together.",
  }),
  functionsMailsPerMinute: integer({
    env: ["MAINSTAY_FUNCTIONS_MAILS_PER_MINUTE"],
    default: 1_000,
    unit: "mails",
    min: 0,
    max: 1_000_000,
    summary:
      "Most mails that functions of one node send in a minute, so that a loop costs no sender its name. What is refused is for the function to send later: a job that throws comes again.",
  }),
} satisfies Settings;
