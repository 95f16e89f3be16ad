import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of what is kept in `realtime.messages`. */
export const messagesSettings = {
  realtimeMessagesKeepDays: integer({
    env: ["MAINSTAY_REALTIME_MESSAGES_KEEP_DAYS"],
    default: 3,
    unit: "days",
    min: 1,
    max: 365,
    summary: "How long messages sent from SQL are kept, for channels that replay them.",
  }),
  realtimeMessagesMaintainMs: integer({
    env: ["MAINSTAY_REALTIME_MESSAGES_MAINTAIN_MS"],
    default: 3_600_000,
    unit: "ms",
    min: 1_000,
    summary: "How often old messages are dropped and room is made for those of the next days.",
  }),
} satisfies Settings;
