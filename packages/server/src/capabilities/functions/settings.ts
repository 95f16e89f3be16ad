import { flag, integer, list, type Settings, text } from "../../kernel/settings.ts";
import { changesSettings } from "./changes/settings.ts";
import { inboundSettings } from "./inbound/settings.ts";
import { functionLogsSettings } from "./logs/settings.ts";
import { httpClientSettings } from "./services/http-client/settings.ts";
import { mailSettings } from "./services/mail/settings.ts";

/** The app's own code. */
export const functionsSettings = {
  functionsEnabled: flag({
    env: ["MAINSTAY_FUNCTIONS_ENABLED", "FUNCTIONS_ENABLED"],
    default: true,
    summary: "Run what is in the project's folder `functions/`.",
  }),
  functionsTimeoutMs: integer({
    env: ["MAINSTAY_FUNCTIONS_TIMEOUT_MS"],
    default: 150_000,
    unit: "ms",
    min: 10,
    summary:
      "Longest run of an endpoint, from its request to the last byte of its answer, where the function has no limit of its own.",
  }),
  functionsGraceMs: integer({
    env: ["MAINSTAY_FUNCTIONS_GRACE_MS"],
    default: 2_000,
    unit: "ms",
    min: 0,
    summary:
      "How long an invocation that nobody waits for any more may go on after its signal, before its thread is ended.",
  }),
  functionsBlockedMs: integer({
    env: ["MAINSTAY_FUNCTIONS_BLOCKED_MS"],
    default: 2_000,
    unit: "ms",
    min: 50,
    summary: "Longest time that a function may compute without a pause, in CPU time; then its thread is ended.",
  }),
  functionsHangMs: integer({
    env: ["MAINSTAY_FUNCTIONS_HANG_MS"],
    default: 10_000,
    unit: "ms",
    min: 500,
    summary: "How long the process that runs functions may answer nothing while one runs; then it is started anew.",
  }),
  functionsMemoryMb: integer({
    env: ["MAINSTAY_FUNCTIONS_MEMORY_MB"],
    default: 256,
    unit: "MiB",
    min: 16,
    summary:
      "Most memory of one thread, for its heap and as much again for buffers, where the function has no limit of its own.",
  }),
  functionsProcessMemoryMb: integer({
    env: ["MAINSTAY_FUNCTIONS_PROCESS_MEMORY_MB"],
    default: 1_024,
    unit: "MiB",
    min: 64,
    summary:
      "Most memory of all functions together; beyond it the thread that has most is ended. Twice as much is out of reach altogether.",
  }),
  functionsThreads: integer({
    env: ["MAINSTAY_FUNCTIONS_THREADS"],
    default: 32,
    unit: "threads",
    min: 1,
    summary: "Most threads that functions run in. One invocation that waits has one.",
  }),
  functionsSpareThread: flag({
    env: ["MAINSTAY_FUNCTIONS_SPARE_THREAD"],
    default: true,
    summary: "Keep one thread prepared for the next function that needs one: some 10 MiB for starts of a few ms.",
  }),
  functionsConcurrency: integer({
    env: ["MAINSTAY_FUNCTIONS_CONCURRENCY"],
    default: 24,
    unit: "threads",
    min: 1,
    summary: "Most threads of one function, where it has no limit of its own.",
  }),
  functionsQueueLimit: integer({
    env: ["MAINSTAY_FUNCTIONS_QUEUE_LIMIT"],
    default: 2_048,
    unit: "invocations",
    min: 0,
    summary: "Most invocations of one function that wait for a thread; further ones are asked to retry.",
  }),
  functionsQueueMs: integer({
    env: ["MAINSTAY_FUNCTIONS_QUEUE_MS"],
    default: 30_000,
    unit: "ms",
    min: 10,
    summary: "Longest time that an endpoint's invocation waits for a thread.",
  }),
  functionsIdleMs: integer({
    env: ["MAINSTAY_FUNCTIONS_IDLE_MS"],
    default: 60_000,
    unit: "ms",
    min: 100,
    summary: "How long a thread without work is kept; a call that finds none starts one.",
  }),
  functionsBootMs: integer({
    env: ["MAINSTAY_FUNCTIONS_BOOT_MS"],
    default: 10_000,
    unit: "ms",
    min: 100,
    summary:
      "Longest time that a function's module may compute while it is loaded, in CPU time; three times as long in all.",
  }),
  functionsBodyLimitBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_BODY_LIMIT_BYTES"],
    default: 104_857_600,
    unit: "bytes",
    min: 0,
    summary: "Largest request body of an endpoint. It streams: a function that keeps all of it needs the memory.",
  }),
  functionsResponseLimitBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_RESPONSE_LIMIT_BYTES"],
    default: 1_073_741_824,
    unit: "bytes",
    min: 0,
    summary: "Largest answer of an endpoint; a longer one is cut off.",
  }),
  functionsLogLineBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_LOG_LINE_BYTES"],
    default: 16_384,
    unit: "bytes",
    min: 256,
    summary: "Longest line that a function writes into its log; the rest is cut.",
  }),
  functionsLogLines: integer({
    env: ["MAINSTAY_FUNCTIONS_LOG_LINES"],
    default: 1_000,
    unit: "lines",
    min: 0,
    summary: "Most log lines of one invocation; further ones are dropped.",
  }),
  functionsSecrets: list({
    env: ["MAINSTAY_FUNCTIONS_SECRETS"],
    default: [],
    summary:
      "Names of variables in the server's environment that functions may see, besides what is in `functions/.env`.",
  }),
  functionsAllowedHosts: list({
    env: ["MAINSTAY_FUNCTIONS_ALLOWED_HOSTS"],
    default: [],
    summary:
      "Private hosts that functions may reach besides the public internet: `host`, `*.host`, an address or a network (CIDR); the first three also with `:port`.",
  }),
  functionsDepthLimit: integer({
    env: ["MAINSTAY_FUNCTIONS_DEPTH_LIMIT"],
    default: 8,
    unit: "functions",
    min: 1,
    max: 100,
    summary: "How many functions may call each other in a row, so that one that calls itself comes to an end.",
  }),
  functionsTransactions: integer({
    env: ["MAINSTAY_FUNCTIONS_TRANSACTIONS"],
    default: 8,
    unit: "connections",
    min: 1,
    max: 200,
    summary:
      "Connections for transactions of functions, and so how many are open at once. Without work there are none.",
  }),
  functionsTransactionsEach: integer({
    env: ["MAINSTAY_FUNCTIONS_TRANSACTIONS_EACH"],
    default: 2,
    unit: "transactions",
    min: 1,
    max: 100,
    summary: "Most transactions that one invocation has open at once.",
  }),
  functionsTransactionWaitMs: integer({
    env: ["MAINSTAY_FUNCTIONS_TRANSACTION_WAIT_MS"],
    default: 5_000,
    unit: "ms",
    min: 1,
    summary: "Longest wait for a connection for a transaction.",
  }),
  functionsTransactionIdleMs: integer({
    env: ["MAINSTAY_FUNCTIONS_TRANSACTION_IDLE_MS"],
    default: 10_000,
    unit: "ms",
    min: 10,
    max: 3_600_000,
    summary:
      "Longest time that a transaction of a function may be open with nothing asked of it; then it is rolled back.",
  }),
  functionsRowsBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_ROWS_BYTES"],
    default: 33_554_432,
    unit: "bytes",
    min: 1_024,
    summary: "Most room that the rows of one statement in a transaction of a function take.",
  }),
  functionsDatabaseUrl: text<string | null>({
    env: ["MAINSTAY_FUNCTIONS_DATABASE_URL"],
    default: null,
    isSecret: true,
    summary: "What functions see as `SUPABASE_DB_URL`; nothing when left out.",
  }),
  functionsSourceLimitBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_SOURCE_LIMIT_BYTES"],
    default: 4_194_304,
    unit: "bytes",
    min: 1_024,
    summary: "Largest source file of a function, and of what it imports from the project.",
  }),
  functionsBundleLimitBytes: integer({
    env: ["MAINSTAY_FUNCTIONS_BUNDLE_LIMIT_BYTES"],
    default: 20_971_520,
    unit: "bytes",
    min: 1_024,
    summary: "Largest bundle of a function: its source with all it imports, without npm packages.",
  }),
  ...changesSettings,
  ...inboundSettings,
  ...functionLogsSettings,
  ...httpClientSettings,
  ...mailSettings,
} satisfies Settings;
