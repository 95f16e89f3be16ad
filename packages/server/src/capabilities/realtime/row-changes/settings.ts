import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of `postgres_changes`. */
export const rowChangesSettings = {
  realtimeBindingsPerChannel: integer({
    env: ["MAINSTAY_REALTIME_BINDINGS_PER_CHANNEL"],
    default: 100,
    unit: "bindings",
    min: 1,
    summary: "Most `postgres_changes` bindings that one channel may ask for.",
  }),
  realtimeFilterLength: integer({
    env: ["MAINSTAY_REALTIME_FILTER_LENGTH"],
    default: 8_192,
    unit: "characters",
    min: 1,
    summary: "Longest filter of a `postgres_changes` binding.",
  }),
  realtimeBatchesInFlight: integer({
    env: ["MAINSTAY_REALTIME_BATCHES_IN_FLIGHT"],
    default: 16,
    unit: "batches",
    min: 1,
    max: 1_024,
    summary:
      "How many parts of transactions may wait for PostgreSQL's word on who sees them before reading of the log pauses.",
  }),
  realtimeFilterTimeoutMs: integer({
    env: ["MAINSTAY_REALTIME_FILTER_TIMEOUT_MS"],
    default: 2_000,
    unit: "ms",
    min: 1,
    summary: "How long PostgreSQL may take over a filter that only it can decide, such as a regular expression.",
  }),
  realtimeAskedFiltersPerSocket: integer({
    env: ["MAINSTAY_REALTIME_ASKED_FILTERS_PER_SOCKET"],
    default: 50,
    unit: "filters",
    min: 0,
    summary:
      "Most filters of one connection that only PostgreSQL can decide (`match`, `ilike`): each costs a statement per change.",
  }),
  realtimeAskedFilters: integer({
    env: ["MAINSTAY_REALTIME_ASKED_FILTERS"],
    default: 1_000,
    unit: "filters",
    min: 0,
    summary: "Most different filters of one node that only PostgreSQL can decide.",
  }),
  realtimeRecordBytes: integer({
    env: ["MAINSTAY_REALTIME_RECORD_BYTES"],
    default: 1_048_576,
    unit: "bytes",
    min: 1_024,
    summary: "Largest row that is sent whole; of a larger one, values above 64 bytes are left out.",
  }),
  realtimeSubscribeRetryMs: integer({
    env: ["MAINSTAY_REALTIME_SUBSCRIBE_RETRY_MS"],
    default: 5_000,
    unit: "ms",
    min: 100,
    summary: "How soon a subscription to row changes is tried again when the database could not be asked about it.",
  }),
  realtimeSubscribeWaitMs: integer({
    env: ["MAINSTAY_REALTIME_SUBSCRIBE_WAIT_MS"],
    default: 2_000,
    unit: "ms",
    min: 0,
    summary:
      "How long the reply to a join waits for its row changes to be on; they come on afterwards when it takes longer.",
  }),
  realtimeSubscribeWaitLimitMs: integer({
    env: ["MAINSTAY_REALTIME_SUBSCRIBE_WAIT_LIMIT_MS"],
    default: 20_000,
    unit: "ms",
    min: 0,
    summary: "Longest a join waits that asks to be refused when its row changes do not come on in time.",
  }),
} satisfies Settings;
