import { flag, integer, type Settings } from "../../../kernel/settings.ts";

/** Options of broadcast. */
export const broadcastSettings = {
  realtimeBroadcastPayloadBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_PAYLOAD_BYTES"],
    default: 3_000_000,
    unit: "bytes",
    min: 1,
    summary: "Largest payload of one broadcast. A larger one is refused, and left out when it comes from the database.",
  }),
  realtimeBroadcastLoggedAlone: flag({
    env: ["MAINSTAY_REALTIME_BROADCAST_LOGGED_ALONE"],
    default: true,
    summary:
      "Whether broadcasts are written to the log although no other node is there, so that clients get what they missed while they were away.",
  }),
  realtimeBroadcastLogQueueBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_LOG_QUEUE_BYTES"],
    default: 16_777_216,
    unit: "bytes",
    min: 65_536,
    summary: "Broadcasts that may wait for the log. Those beyond it reach the clients of this node only.",
  }),
  realtimeBroadcastBodyBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_BODY_BYTES"],
    default: 8_388_608,
    unit: "bytes",
    min: 1,
    summary: "Largest body of a request that broadcasts.",
  }),
  realtimeBroadcastBatchMessages: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_BATCH_MESSAGES"],
    default: 1_000,
    unit: "messages",
    min: 1,
    summary: "Most messages in one request that broadcasts.",
  }),
  realtimeBroadcastCallerPerSecond: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_CALLER_PER_SECOND"],
    default: 500,
    unit: "messages",
    min: 1,
    summary: "Messages a second that one caller may broadcast by HTTP: a user, or an address without one.",
  }),
  realtimeBroadcastTotalPerSecond: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_TOTAL_PER_SECOND"],
    default: 5_000,
    unit: "messages",
    min: 1,
    summary: "Messages a second that all callers of this node together may broadcast by HTTP.",
  }),
  realtimeBroadcastReplayBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_REPLAY_BYTES"],
    default: 4_194_304,
    unit: "bytes",
    min: 1,
    summary: "Most payload that one join gets of stored broadcasts, and always the newest of them.",
  }),
  realtimeBroadcastStoreTimeoutMs: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_STORE_TIMEOUT_MS"],
    default: 5_000,
    unit: "ms",
    min: 1,
    summary: "Longest wait of a broadcast that its sender wants stored; then it is refused.",
  }),
  realtimeBroadcastReplayTimeoutMs: integer<number>({
    env: ["MAINSTAY_REALTIME_BROADCAST_REPLAY_TIMEOUT_MS"],
    default: 5_000,
    unit: "ms",
    min: 1,
    summary: "Longest wait of a join for the stored broadcasts it asks for.",
  }),
} satisfies Settings;
