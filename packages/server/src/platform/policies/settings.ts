import { integer, type Settings } from "../../kernel/settings.ts";

/** Options of what decides who sees which rows. */
export const policiesSettings = {
  policiesPollMs: integer({
    env: ["MAINSTAY_POLICIES_POLL_MS"],
    default: 3_000,
    unit: "ms",
    min: 50,
    summary:
      "How often a node looks whether roles, privileges or policies have changed, of which PostgreSQL does not tell, while anybody follows rows.",
  }),
  policyTimeoutMs: integer({
    env: ["MAINSTAY_POLICIES_TIMEOUT_MS"],
    default: 2_000,
    unit: "ms",
    min: 10,
    summary: "How long PostgreSQL may take to judge rows of changes by a policy; what takes longer is not seen.",
  }),
  policyRetryMs: integer({
    env: ["MAINSTAY_POLICIES_RETRY_MS"],
    default: 10_000,
    unit: "ms",
    min: 0,
    summary: "How long changes wait to be judged while PostgreSQL is away; afterwards they are not seen.",
  }),
  policySetLimitRows: integer({
    env: ["MAINSTAY_POLICIES_SET_LIMIT_ROWS"],
    default: 10_000,
    unit: "rows",
    min: 1,
    summary:
      "Most rows of one policy's sub-select that are kept in memory for a caller; where it has more, PostgreSQL is asked about each change.",
  }),
  policySetsRows: integer({
    env: ["MAINSTAY_POLICIES_SETS_ROWS"],
    default: 1_000_000,
    unit: "rows",
    min: 1,
    summary: "Most rows of sub-selects that are kept in memory for all callers together.",
  }),
  policyQuestionsInFlight: integer({
    env: ["MAINSTAY_POLICIES_QUESTIONS_IN_FLIGHT"],
    default: 16,
    unit: "statements",
    min: 1,
    summary: "Most statements at a time that ask PostgreSQL about policies.",
  }),
  policyParserIdleMs: integer({
    env: ["MAINSTAY_POLICIES_PARSER_IDLE_MS"],
    default: 10_000,
    unit: "ms",
    min: 0,
    summary: "How long the parser of policies, which takes some 60 MB, waits for more.",
  }),
} satisfies Settings;
