import { integer, list, type Settings } from "../../../kernel/settings.ts";

/** Options of websockets and their limits (threats R09, R10, R11, R12). */
export const socketSettings = {
  realtimeOrigins: list({
    env: ["MAINSTAY_REALTIME_ORIGINS"],
    default: [],
    summary:
      "Web origins whose pages may open a websocket, such as `https://app.example.com`; none named: all. Apps send no origin and always may.",
  }),
  realtimeConnectionsLimit: integer<number>({
    env: ["MAINSTAY_REALTIME_CONNECTIONS_LIMIT", "MAX_CONNECTIONS"],
    default: 16_384,
    unit: "connections",
    min: 1,
    summary: "Most open websockets of this node; further clients are asked to retry.",
  }),
  realtimeConnectionsPerAddressLimit: integer<number>({
    env: ["MAINSTAY_REALTIME_CONNECTIONS_PER_ADDRESS_LIMIT"],
    default: 4096,
    unit: "connections",
    min: 1,
    summary:
      "Most open websockets of one IPv4 address or one IPv6 network (/64); behind a proxy it has to be among the trusted ones.",
  }),
  realtimeUrlLimitBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_URL_LIMIT_BYTES"],
    default: 20_480,
    unit: "bytes",
    min: 256,
    summary: "Longest URL of a websocket, with the key in it.",
  }),
  realtimeMessageBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_MESSAGE_BYTES"],
    default: 5_000_000,
    unit: "bytes",
    min: 1024,
    summary: "Largest message a client may send; a larger one closes its websocket.",
  }),
  realtimeMessagesPerSecond: integer<number>({
    env: ["MAINSTAY_REALTIME_MESSAGES_PER_SECOND", "TENANT_MAX_EVENTS_PER_SECOND"],
    default: 100,
    unit: "messages/s",
    min: 1,
    summary: "How many messages one websocket may send for long; one that sends more is closed.",
  }),
  realtimeMessagesBurst: integer<number>({
    env: ["MAINSTAY_REALTIME_MESSAGES_BURST"],
    default: 500,
    unit: "messages",
    min: 1,
    summary: "How many messages one websocket may send at once: clients that come back join all their channels.",
  }),
  realtimeInboxMessages: integer<number>({
    env: ["MAINSTAY_REALTIME_INBOX_MESSAGES"],
    default: 1000,
    unit: "messages",
    min: 1,
    summary:
      "Messages of one websocket that may wait for the one before them; with more of them it is not read further.",
  }),
  realtimeInboxBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_INBOX_BYTES"],
    default: 1_048_576,
    unit: "bytes",
    min: 1024,
    summary:
      "Bytes of one websocket's messages that may wait for the one before them; with more it is not read further.",
  }),
  realtimeReceivingBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_RECEIVING_BYTES"],
    default: 268_435_456,
    unit: "bytes",
    min: 1_048_576,
    summary:
      "Most memory that messages not yet received whole may take together; beyond it those that take most are cut off.",
  }),
  realtimeQueueBytes: integer<number>({
    env: ["MAINSTAY_REALTIME_QUEUE_BYTES"],
    default: 1_048_576,
    unit: "bytes",
    min: 1024,
    summary: "Most bytes that wait for one reader, and one message more; a slower one is cut off and has to come back.",
  }),
  realtimeIdleMs: integer<number>({
    env: ["MAINSTAY_REALTIME_IDLE_MS"],
    default: 60_000,
    unit: "ms",
    min: 100,
    summary: "How long a websocket may say nothing, not even an answer to a ping, before it is closed.",
  }),
  realtimeCloseMs: integer<number>({
    env: ["MAINSTAY_REALTIME_CLOSE_MS"],
    default: 5_000,
    unit: "ms",
    min: 10,
    summary: "How long a connection that is being closed, or was refused, may take to take in what is left for it.",
  }),
  realtimeDrainMs: integer<number>({
    env: ["MAINSTAY_REALTIME_DRAIN_MS"],
    default: 5_000,
    unit: "ms",
    min: 0,
    summary: "Time over which a stopping server closes its websockets, so that clients do not all come back at once.",
  }),
} satisfies Settings;
