import { integer, type Settings } from "../../kernel/settings.ts";

/** Options of what decides who sees which rows. */
export const policiesSettings = {
  policiesParserIdleMs: integer({
    env: ["MAINSTAY_POLICIES_PARSER_IDLE_MS"],
    default: 5_000,
    unit: "ms",
    min: 0,
    summary: "How long the parser of policies, some 60 MB, stays in memory for the next schema change.",
  }),
} satisfies Settings;
