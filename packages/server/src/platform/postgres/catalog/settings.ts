import { integer, type Settings, text } from "../../../kernel/settings.ts";

export const catalogSettings = {
  catalogPollMs: integer<number | null>({
    env: ["MAINSTAY_CATALOG_POLL_MS"],
    default: null,
    unit: "ms",
    min: 0,
    summary:
      "How often to look for schema changes that nobody announces; 0 never. When not set: every second where no event trigger announces DDL, otherwise never.",
  }),
  catalogTimeoutMs: integer({
    env: ["MAINSTAY_CATALOG_TIMEOUT_MS"],
    default: 30_000,
    unit: "ms",
    min: 100,
    summary: "Longest time a load of the catalogue may take; afterwards the old one stays and loading is tried again.",
  }),
  configurationRole: text({
    env: ["MAINSTAY_CONFIGURATION_ROLE"],
    default: "authenticator",
    summary: "Role whose `pgrst.…` settings (`alter role … set pgrst.db_max_rows = …`) configure the data API.",
  }),
} satisfies Settings;
