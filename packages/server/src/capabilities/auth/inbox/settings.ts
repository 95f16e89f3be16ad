import { integer, type Settings, text } from "../../../kernel/settings.ts";

/** Where development catches what would go out. */
export const inboxSettings = {
  inbox: text<"auto" | "on" | "off">({
    env: ["MAINSTAY_INBOX"],
    choices: ["auto", "on", "off"],
    default: "auto",
    summary:
      "Mails and text messages are shown at /inbox, with their codes: auto under `mainstay dev` only. Only for callers of this machine, and never in production.",
  }),
  environment: text<string | null>({
    env: ["MAINSTAY_ENVIRONMENT", "NODE_ENV"],
    default: null,
    summary: "production turns off what is for development only: the inbox.",
  }),
  inboxMaxMessages: integer<number>({
    env: ["MAINSTAY_INBOX_MAX_MESSAGES"],
    default: 500,
    unit: "messages",
    min: 1,
    max: 100_000,
    summary: "Messages the inbox keeps; the oldest go first.",
  }),
  inboxMaxBytes: integer<number>({
    env: ["MAINSTAY_INBOX_MAX_BYTES"],
    default: 33_554_432,
    unit: "bytes",
    min: 1_048_576,
    summary: "Bytes of messages the inbox keeps; the oldest go first.",
  }),
} satisfies Settings;
