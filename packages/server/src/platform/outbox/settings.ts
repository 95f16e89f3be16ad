import { integer, type Settings } from "../../kernel/settings.ts";

/** How messages to the outside are delivered: mails, text messages, calls that must not be lost. */
export const outboxSettings = {
  outboxConcurrency: integer({
    env: ["MAINSTAY_OUTBOX_CONCURRENCY"],
    default: 4,
    unit: "messages",
    min: 1,
    max: 64,
    summary: "Messages of one kind that one node delivers at once.",
  }),
  outboxPollMs: integer({
    env: ["MAINSTAY_OUTBOX_POLL_MS"],
    default: 5_000,
    unit: "ms",
    min: 100,
    max: 10_000,
    summary: "How often to look for messages nobody announced: retries, and what a node that died left behind.",
  }),
  outboxLeaseMs: integer({
    env: ["MAINSTAY_OUTBOX_LEASE_MS"],
    default: 15_000,
    unit: "ms",
    min: 1_000,
    max: 20_000,
    summary: "How long a message is one node's before another may take it. Renewed while it is being delivered.",
  }),
  outboxAttemptMs: integer({
    env: ["MAINSTAY_OUTBOX_ATTEMPT_MS"],
    default: 60_000,
    unit: "ms",
    min: 1_000,
    max: 600_000,
    summary: "Longest single attempt to deliver a message.",
  }),
  outboxRetryFirstMs: integer({
    env: ["MAINSTAY_OUTBOX_RETRY_FIRST_MS"],
    default: 2_000,
    unit: "ms",
    min: 10,
    max: 60_000,
    summary: "Wait after the first failed attempt; it doubles with each further one.",
  }),
  outboxRetryMaxMs: integer({
    env: ["MAINSTAY_OUTBOX_RETRY_MAX_MS"],
    default: 300_000,
    unit: "ms",
    min: 10,
    max: 3_600_000,
    summary: "Longest wait between two attempts.",
  }),
  outboxMaxAgeSeconds: integer({
    env: ["MAINSTAY_OUTBOX_MAX_AGE_SECONDS"],
    default: 86_400,
    unit: "s",
    min: 10,
    max: 2_592_000,
    summary:
      "How long delivery is tried before a message is given up. One with a code is given up when the code expires.",
  }),
  outboxBreakerFailures: integer({
    env: ["MAINSTAY_OUTBOX_BREAKER_FAILURES"],
    default: 5,
    unit: "failures",
    min: 1,
    max: 1_000,
    summary: "Failures of a provider in a row after which it is left alone for a while, then asked with one message.",
  }),
} satisfies Settings;
