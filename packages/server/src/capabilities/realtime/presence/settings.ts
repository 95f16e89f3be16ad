import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of presence. */
export const presenceSettings = {
  realtimePresencePayloadBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_PAYLOAD_BYTES"],
    default: 65_536,
    unit: "bytes",
    min: 2,
    summary: "What one client may say of itself; beyond it the channel is closed. Every member of the room gets it.",
  }),
  realtimePresenceKeyBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_KEY_BYTES"],
    default: 1_024,
    unit: "bytes",
    min: 36,
    summary: "Longest key a client may choose for its presence.",
  }),
  realtimePresenceCalls: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_CALLS", "CLIENT_PRESENCE_MAX_CALLS"],
    default: 100,
    unit: "calls",
    min: 1,
    summary: "How often one connection may track and untrack within the window; beyond it the channel is closed.",
  }),
  realtimePresenceWindowMs: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_WINDOW_MS", "CLIENT_PRESENCE_WINDOW_MS"],
    default: 30_000,
    unit: "ms",
    min: 1,
    summary: "The window in which these calls are counted.",
  }),
  realtimePresencePerSecond: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_PER_SECOND"],
    default: 1_000,
    unit: "events",
    min: 1,
    summary: "How often a second all clients of one node together may track; beyond it a channel that does is closed.",
  }),
  realtimePresenceDiffMs: integer<number>({
    env: ["MAINSTAY_REALTIME_PRESENCE_DIFF_MS"],
    default: 10,
    unit: "ms",
    min: 0,
    max: 10_000,
    summary: "How long changes of a room are gathered before its members are told, so that a storm costs one message.",
  }),
} satisfies Settings;
