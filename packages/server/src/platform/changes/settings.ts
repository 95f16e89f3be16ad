import { integer, type Settings } from "../../kernel/settings.ts";

/** Options of the log that readers follow. */
export const changesSettings = {
  logRingBytes: integer({
    env: ["MAINSTAY_LOG_RING_BYTES"],
    default: 64 * 1024 * 1024,
    unit: "bytes",
    min: 64 * 1024,
    summary: "Memory for recent changes: what readers have not read yet, and what serves clients that come back.",
  }),
  logRetentionMs: integer({
    env: ["MAINSTAY_LOG_RETENTION_MS"],
    default: 300_000,
    unit: "ms",
    min: 1_000,
    summary: "How long changes are kept for whoever comes back: a client, a node, PostgreSQL itself.",
  }),
  logRetainedBytes: integer({
    env: ["MAINSTAY_LOG_RETAINED_BYTES"],
    default: 1024 * 1024 * 1024,
    unit: "bytes",
    min: 16 * 1024 * 1024,
    summary:
      "Most write-ahead log that PostgreSQL is asked to keep for that; beyond it changes are kept for less long.",
  }),
  logBatchChanges: integer({
    env: ["MAINSTAY_LOG_BATCH_CHANGES"],
    default: 1_000,
    unit: "changes",
    min: 1,
    summary: "Most changes of one transaction that readers get at once.",
  }),
  logBatchBytes: integer({
    env: ["MAINSTAY_LOG_BATCH_BYTES"],
    default: 1024 * 1024,
    unit: "bytes",
    min: 1_024,
    summary: "Most bytes of one transaction that readers get at once, unless a single change has more.",
  }),
  logPatienceMs: integer({
    env: ["MAINSTAY_LOG_PATIENCE_MS"],
    default: 2_000,
    unit: "ms",
    min: 0,
    summary: "How long, when the memory for changes is full, a slow reader is waited for before it has to begin anew.",
  }),
  logHeartbeatMs: integer({
    env: ["MAINSTAY_LOG_HEARTBEAT_MS"],
    default: 2_000,
    unit: "ms",
    min: 50,
    max: 20_000,
    summary: "How often PostgreSQL is told how far the log has been read.",
  }),
  logSilenceMs: integer({
    env: ["MAINSTAY_LOG_SILENCE_MS"],
    default: 30_000,
    unit: "ms",
    min: 500,
    summary: "After how long a silence the connection to the log is taken for dead.",
  }),
  logSlotCheckMs: integer({
    env: ["MAINSTAY_LOG_SLOT_CHECK_MS"],
    default: 5_000,
    unit: "ms",
    min: 50,
    summary: "How often what PostgreSQL keeps for the log is looked at, and given up where it is too old or too much.",
  }),
  logIdleDropMs: integer({
    env: ["MAINSTAY_LOG_IDLE_DROP_MS"],
    default: 86_400_000,
    unit: "ms",
    min: 60_000,
    summary: "When no node has followed the log for so long, PostgreSQL keeps nothing for it any more.",
  }),
  logEmitQueueBytes: integer({
    env: ["MAINSTAY_LOG_EMIT_QUEUE_BYTES"],
    default: 32 * 1024 * 1024,
    unit: "bytes",
    min: 1024 * 1024,
    summary: "Most bytes of messages that wait to be written into the log; more are refused.",
  }),
  logLeaderPollMs: integer({
    env: ["MAINSTAY_LOG_LEADER_POLL_MS"],
    default: 2_000,
    unit: "ms",
    min: 20,
    summary: "How often a node looks whether one reads the log for webhooks and the like, to do it where none does.",
  }),
  logReaderQueueBytes: integer({
    env: ["MAINSTAY_LOG_READER_QUEUE_BYTES"],
    default: 8 * 1024 * 1024,
    unit: "bytes",
    min: 1_024,
    summary:
      "Memory for what one of those has not taken in yet; beyond it the log waits for it, or it reads on its own.",
  }),
  logReaderStreams: integer({
    env: ["MAINSTAY_LOG_READER_STREAMS"],
    default: 2,
    unit: "connections",
    min: 1,
    summary: "Most connections for those that have fallen behind and read on their own.",
  }),
  logReaderForgetMs: integer({
    env: ["MAINSTAY_LOG_READER_FORGET_MS"],
    default: 86_400_000,
    unit: "ms",
    min: 1_000,
    summary: "After how long without anybody reading for it, one of those that was removed keeps no log any more.",
  }),
} satisfies Settings;
