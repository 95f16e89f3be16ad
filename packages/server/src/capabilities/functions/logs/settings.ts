import { flag, integer, type Settings } from "../../../kernel/settings.ts";

/** Options of what is kept of functions' logs. */
export const functionLogsSettings = {
  functionsLogs: flag({
    env: ["MAINSTAY_FUNCTIONS_LOGS"],
    default: true,
    summary:
      "Keep in the database what functions log and how their invocations end, for `mainstay functions logs`. The server's own log has the lines in any case.",
  }),
  functionsLogsFlushMs: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_FLUSH_MS"],
    default: 500,
    unit: "ms",
    min: 10,
    max: 60_000,
    summary: "Longest time that log lines of functions wait before they are written together.",
  }),
  functionsLogsQueueBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_QUEUE_BYTES"],
    default: 8_388_608,
    unit: "bytes",
    min: 65_536,
    max: 1_073_741_824,
    summary:
      "Room for log lines of functions that wait to be written; what does not fit is dropped, and how much is said.",
  }),
  functionsLogsSlowMs: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_SLOW_MS"],
    default: 1_000,
    unit: "ms",
    min: 0,
    max: 86_400_000,
    summary: "An invocation that takes so long has its end kept, as has one that fails or logs something.",
  }),
  functionsLogsQuietPerSecond: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_QUIET_PER_SECOND"],
    default: 5,
    unit: "invocations/s",
    min: 0,
    max: 100_000,
    summary: "Of invocations that go well, quickly and without a word, so many have their end kept.",
  }),
  functionsLogsKeepMs: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_KEEP_MS"],
    default: 604_800_000,
    unit: "ms",
    min: 1_000,
    max: 31_536_000_000,
    summary: "How long log lines of functions are kept.",
  }),
  functionsLogsKeepDebugMs: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_KEEP_DEBUG_MS"],
    default: 21_600_000,
    unit: "ms",
    min: 1_000,
    max: 31_536_000_000,
    summary: "How long lines of the level debug are kept, and ends of invocations that went well without a word.",
  }),
  functionsLogsKeepRows: integer({
    env: ["MAINSTAY_FUNCTIONS_LOGS_KEEP_ROWS"],
    default: 500_000,
    unit: "lines",
    min: 100,
    max: 1_000_000_000,
    summary: "Log lines of functions that are kept, the newest.",
  }),
} satisfies Settings;
