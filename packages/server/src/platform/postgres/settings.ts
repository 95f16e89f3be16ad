import { flag, integer, type Settings, text } from "../../kernel/settings.ts";

export const postgresSettings = {
  databaseUrl: text<string | null>({
    env: ["MAINSTAY_DATABASE_URL", "DATABASE_URL", "PGRST_DB_URI"],
    default: null,
    isSecret: true,
    summary: "An existing PostgreSQL (15 or newer) to use instead of the embedded one.",
  }),
  apiDatabaseUrl: text<string | null>({
    env: ["MAINSTAY_API_DATABASE_URL"],
    default: null,
    isSecret: true,
    summary:
      "Login of the API's connections, where it differs from the database URL: best the `authenticator` role, which owns nothing.",
  }),
  readConnections: integer({
    env: ["MAINSTAY_READ_CONNECTIONS"],
    default: 3,
    unit: "connections",
    min: 1,
    max: 64,
    summary: "Connections shared by short reads. Each carries many requests at once, so a few are enough.",
  }),
  writeConnections: integer({
    env: ["MAINSTAY_WRITE_CONNECTIONS"],
    default: 16,
    unit: "connections",
    min: 1,
    max: 200,
    summary: "Connections for writes. Each waits for the disk, and those that wait together are written together.",
  }),
  slowConnections: integer({
    env: ["MAINSTAY_SLOW_CONNECTIONS", "PGRST_DB_POOL"],
    default: 8,
    unit: "connections",
    min: 1,
    max: 200,
    summary:
      "Connections for exports, functions and whatever has turned out to be slow; one statement at a time on each.",
  }),
  readDepth: integer({
    env: ["MAINSTAY_READ_DEPTH"],
    default: 32,
    unit: "requests",
    min: 1,
    max: 1024,
    summary: "Most requests in flight on one read connection.",
  }),
  queueLimit: integer({
    env: ["MAINSTAY_QUEUE_LIMIT"],
    default: 4096,
    unit: "requests",
    min: 1,
    summary: "Most requests waiting for a connection, per lane; more are answered 503.",
  }),
  queueTimeoutMs: integer({
    env: ["MAINSTAY_QUEUE_TIMEOUT_MS"],
    default: 10_000,
    unit: "ms",
    min: 1,
    summary: "Longest wait for a connection before a request is answered 504.",
  }),
  statementTimeoutMs: integer({
    env: ["MAINSTAY_STATEMENT_TIMEOUT_MS"],
    default: 8_000,
    unit: "ms",
    min: 0,
    summary:
      "Longest a statement of the API may run, where its role has no `statement_timeout` of its own; 0 for no limit.",
  }),
  listenerHeartbeatMs: integer({
    env: ["MAINSTAY_LISTENER_HEARTBEAT_MS"],
    default: 2_000,
    unit: "ms",
    min: 100,
    max: 600_000,
    summary:
      "After how long a silence the connection that hears of changes is asked whether it still lives, and how long it may take to answer.",
  }),
  statementCacheSize: integer({
    env: ["MAINSTAY_STATEMENT_CACHE_SIZE"],
    default: 256,
    unit: "statements",
    min: 8,
    summary: "Prepared statements kept per connection.",
  }),
  preparedStatements: flag({
    env: ["MAINSTAY_PREPARED_STATEMENTS", "PGRST_DB_PREPARED_STATEMENTS"],
    default: true,
    summary: "Prepare statements by name. Turn off behind a pooler in transaction mode.",
  }),
} satisfies Settings;
