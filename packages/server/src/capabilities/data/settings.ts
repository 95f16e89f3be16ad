import { flag, integer, list, type Settings, text } from "../../kernel/settings.ts";

/** What changes the behaviour of the data API. The `PGRST_…` names are PostgREST's, so that its configuration carries over. */
export const dataSettings = {
  schemas: list({
    env: ["MAINSTAY_DATA_SCHEMAS", "PGRST_DB_SCHEMAS", "PGRST_DB_SCHEMA"],
    default: ["public"],
    summary: "Schemas served over REST; the first answers when a request names none.",
  }),
  extraSearchPath: list({
    env: ["MAINSTAY_DATA_EXTRA_SEARCH_PATH", "PGRST_DB_EXTRA_SEARCH_PATH"],
    default: ["public", "extensions"],
    summary: "Schemas searched after the one a request is for; their tables are not served.",
  }),
  maxRows: integer({
    env: ["MAINSTAY_DATA_MAX_ROWS", "PGRST_DB_MAX_ROWS"],
    default: 1000,
    unit: "rows",
    min: 0,
    summary: "The most rows one read, or one embedded list, returns; 0 for no limit.",
  }),
  preRequest: text<string | null>({
    env: ["MAINSTAY_DATA_PRE_REQUEST", "PGRST_DB_PRE_REQUEST"],
    default: null,
    summary:
      "A function without parameters, `schema.name`, called in every request's transaction before its statement.",
  }),
  txEnd: text<string>({
    env: ["MAINSTAY_DATA_TX_END", "PGRST_DB_TX_END"],
    default: "commit",
    choices: ["commit", "commit-allow-override", "rollback", "rollback-allow-override"],
    summary: "Whether a request's transaction commits, and whether `Prefer: tx=` may say otherwise.",
  }),
  planEnabled: flag({
    env: ["MAINSTAY_DATA_PLAN_ENABLED", "PGRST_DB_PLAN_ENABLED"],
    default: false,
    summary: "Answer `Accept: application/vnd.pgrst.plan` with the execution plan of the statement.",
  }),
  aggregatesEnabled: flag({
    env: ["MAINSTAY_DATA_AGGREGATES_ENABLED", "PGRST_DB_AGGREGATES_ENABLED"],
    default: false,
    summary: "Allow `sum()`, `avg()`, `min()`, `max()` and `count()` in `select`.",
  }),
  rootSpec: text<string | null>({
    env: ["MAINSTAY_DATA_ROOT_SPEC", "PGRST_DB_ROOT_SPEC"],
    default: null,
    summary: "A function without parameters that answers at the root in place of the OpenAPI document.",
  }),
  openApiMode: text<string>({
    env: ["MAINSTAY_DATA_OPENAPI_MODE", "PGRST_OPENAPI_MODE"],
    default: "follow-privileges",
    choices: ["follow-privileges", "ignore-privileges", "disabled"],
    summary: "What the OpenAPI document at the root shows.",
  }),
  openApiServerUrl: text<string | null>({
    env: ["MAINSTAY_DATA_OPENAPI_SERVER_URL", "PGRST_OPENAPI_SERVER_PROXY_URI"],
    default: null,
    summary: "The public URL the OpenAPI document names, when a proxy stands in front.",
  }),
  openApiSecurity: flag({
    env: ["MAINSTAY_DATA_OPENAPI_SECURITY", "PGRST_OPENAPI_SECURITY_ACTIVE"],
    default: false,
    summary: "Describe the bearer token in the OpenAPI document.",
  }),
  anonymousHints: flag({
    env: ["MAINSTAY_DATA_ANONYMOUS_HINTS"],
    default: false,
    summary: "Also tell anonymous callers which similarly named table or function they may have meant.",
  }),
  planCacheEntries: integer({
    env: ["MAINSTAY_DATA_PLAN_CACHE_ENTRIES"],
    default: 2000,
    unit: "entries",
    min: 1,
    summary: "How many request shapes keep their compiled statement.",
  }),
  maxEmbeds: integer({
    env: ["MAINSTAY_DATA_MAX_EMBEDS"],
    default: 50,
    unit: "embeds",
    min: 0,
    summary: "The most relations one request may embed, at all depths together.",
  }),
  maxSelectItems: integer({
    env: ["MAINSTAY_DATA_MAX_SELECT_ITEMS"],
    default: 500,
    unit: "items",
    min: 1,
    summary: "The most items one request may select, at all depths together.",
  }),
  maxBodyKeys: integer({
    env: ["MAINSTAY_DATA_MAX_BODY_KEYS"],
    default: 1600,
    unit: "keys",
    min: 1,
    summary: "The most different keys the objects of a request body may have.",
  }),
  streamAboveRows: integer({
    env: ["MAINSTAY_DATA_STREAM_ABOVE_ROWS"],
    default: 1000,
    unit: "rows",
    min: 1,
    summary: "A page that may be larger than this is streamed rather than built in memory.",
  }),
  streamChunkBytes: integer({
    env: ["MAINSTAY_DATA_STREAM_CHUNK_BYTES"],
    default: 65_536,
    unit: "bytes",
    min: 1024,
    summary: "Size of the pieces a streamed answer is written in.",
  }),
  bodyLimitBytes: integer({
    env: ["MAINSTAY_DATA_BODY_LIMIT_BYTES"],
    default: 52_428_800,
    unit: "bytes",
    min: 1024,
    summary: "The largest body a write or a call may carry.",
  }),
} satisfies Settings;
