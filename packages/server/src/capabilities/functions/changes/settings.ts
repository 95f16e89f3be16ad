import { integer, type Settings } from "../../../kernel/settings.ts";

/** Options of functions on change. */
export const changesSettings = {
  functionsForgetHandlersMs: integer({
    env: ["MAINSTAY_FUNCTIONS_FORGET_HANDLERS_MS"],
    default: 3_600_000,
    unit: "ms",
    min: 1_000,
    summary:
      "After how long without a server that has it, a function on change that is gone from the project gets no more jobs, and its table is left out of the log.",
  }),
  functionsFilterTimeoutMs: integer({
    env: ["MAINSTAY_FUNCTIONS_FILTER_TIMEOUT_MS"],
    default: 2_000,
    unit: "ms",
    min: 1,
    summary:
      "How long PostgreSQL may take over a filter of a function on change that only it can decide, such as a regular expression.",
  }),
  functionsKeepGapsMs: integer({
    env: ["MAINSTAY_FUNCTIONS_KEEP_GAPS_MS"],
    default: 2_592_000_000,
    unit: "ms",
    min: 1_000,
    summary: "How long it is remembered which changes functions could not be told of.",
  }),
} satisfies Settings;
