import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of webhooks that functions take in. */
export const inboundSettings = {
  functionsWebhookBodyBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_WEBHOOK_BODY_BYTES"],
    default: 1_000_000,
    unit: "bytes",
    min: 1_024,
    summary: "Largest event that a provider's webhook may send to a function; it must fit into a job.",
  }),
  functionsKeepEventsMs: integer({
    env: ["MAINSTAY_FUNCTIONS_KEEP_EVENTS_MS"],
    default: 2_592_000_000,
    unit: "ms",
    min: 60_000,
    summary:
      "How long it is remembered which events providers have sent, so that one that comes again is not handled again.",
  }),
} satisfies Settings;
