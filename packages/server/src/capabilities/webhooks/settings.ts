import { integer, type Settings } from "../../kernel/settings.ts";

/** Calls to other servers that are caused by what happens in the database. */
export const webhooksSettings = {
  webhookTimeoutMs: integer({
    env: ["MAINSTAY_WEBHOOK_TIMEOUT_MS"],
    default: 15_000,
    unit: "ms",
    min: 100,
    max: 120_000,
    summary: "Longest single attempt to deliver a webhook, where its definition says nothing else.",
  }),
} satisfies Settings;
