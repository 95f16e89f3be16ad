import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of what clients get that come back. */
export const resumeSettings = {
  realtimeResumeMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_MS"],
    default: 300_000,
    unit: "ms",
    min: 0,
    summary:
      "How long a channel that was lost may come back for what it missed, as far as the log is kept (0: not at all).",
  }),
  realtimeResumeTellMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_TELL_MS"],
    default: 86_400_000,
    unit: "ms",
    min: 0,
    summary:
      "How long a channel that comes back too late for what it missed is told, at least, that it missed something.",
  }),
  realtimeResumeDepartures: integer({
    env: ["MAINSTAY_REALTIME_RESUME_DEPARTURES"],
    default: 100_000,
    unit: "channels",
    min: 0,
    summary: "Lost channels that a node remembers itself, some 300 bytes each; of more, only the database knows.",
  }),
  realtimeResumeChanges: integer({
    env: ["MAINSTAY_REALTIME_RESUME_CHANGES"],
    default: 100_000,
    unit: "changes",
    min: 1,
    summary:
      "Most changes of the log that are looked through for one channel; one that missed more is told to read anew.",
  }),
  realtimeResumeAtOnce: integer({
    env: ["MAINSTAY_REALTIME_RESUME_AT_ONCE"],
    default: 32,
    unit: "channels",
    min: 1,
    summary: "Channels that are sent what they missed at the same time; others wait for their turn.",
  }),
  realtimeResumeTimeoutMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_TIMEOUT_MS"],
    default: 30_000,
    unit: "ms",
    min: 100,
    summary: "How long a channel may take to read what it missed before it is told to read anew.",
  }),
  realtimeResumeQueueBytes: integer({
    env: ["MAINSTAY_REALTIME_RESUME_QUEUE_BYTES"],
    default: 262_144,
    unit: "bytes",
    min: 1_024,
    summary: "How much of what was missed may wait in a socket's queue before the rest waits in the log.",
  }),
  realtimeResumeRejoinMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_REJOIN_MS"],
    default: 60_000,
    unit: "ms",
    min: 0,
    summary: "How long after a socket's first join its channels are taken for those of a lost socket.",
  }),
  realtimeResumeConfirmMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_CONFIRM_MS"],
    default: 2_000,
    unit: "ms",
    min: 50,
    summary:
      "How often a socket that was sent something is asked whether it has arrived: what was not is sent again to a client that comes back.",
  }),
  realtimeResumeWriteMs: integer({
    env: ["MAINSTAY_REALTIME_RESUME_WRITE_MS"],
    default: 250,
    unit: "ms",
    min: 10,
    summary: "How often the database is told, all at once, which channels have come and gone.",
  }),
} satisfies Settings;
