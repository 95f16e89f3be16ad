import { integer, list, type Settings } from "../../../kernel/settings.ts";

/** How users leave. */
export const accountSettings = {
  accountFreshSeconds: integer<number>({
    env: ["MAINSTAY_ACCOUNT_FRESH_SECONDS"],
    default: 900,
    unit: "s",
    min: 60,
    max: 86_400,
    summary: "How long after signing in users may delete or export their account without proving themselves again.",
  }),
  accountGraceDays: integer<number>({
    env: ["MAINSTAY_ACCOUNT_GRACE_DAYS"],
    default: 0,
    unit: "days",
    min: 0,
    max: 90,
    summary: "How long a deleted account can be had back by signing in, 0 for not at all.",
  }),
  accountErasedTables: list({
    env: ["MAINSTAY_ACCOUNT_ERASED_TABLES"],
    default: [],
    summary:
      "Tables (`schema.table`) whose rows go with their user although their foreign key would not let the user go: restrict, or no action.",
  }),
} satisfies Settings;
