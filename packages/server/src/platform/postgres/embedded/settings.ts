import { flag, integer, type Settings, text, type Values } from "../../../kernel/settings.ts";

const MEGABYTE = 1024 * 1024;

/** Options of the embedded PostgreSQL. None applies when a database URL is given. */
export const embeddedPostgresSettings = {
  postgresUser: text<string | null>({
    env: ["MAINSTAY_POSTGRES_USER"],
    default: null,
    summary:
      "When started as root, the user (name, or uid:gid) PostgreSQL runs as; otherwise the owner of its files, `postgres` or `nobody`.",
  }),
  postgresInstallation: text<string | null>({
    env: ["MAINSTAY_POSTGRES_INSTALLATION"],
    default: null,
    summary:
      "A PostgreSQL installation (a folder with bin/, lib/ and share/) to run in place of the bundled one, such as /usr/lib/postgresql/18.",
  }),
  postgresCacheDir: text<string | null>({
    env: ["MAINSTAY_POSTGRES_CACHE_DIR"],
    default: null,
    summary:
      "Where PostgreSQL's programs are copied to when they lie where its user may not go; otherwise /var/cache/mainstay or the temporary folder.",
  }),
  postgresPort: integer<number | null>({
    env: ["MAINSTAY_POSTGRES_PORT"],
    default: null,
    unit: "port",
    min: 1024,
    max: 65535,
    summary: "Also listen on this TCP port of 127.0.0.1, for database tools. Without it there is only a Unix socket.",
  }),
  postgresMaxConnections: integer({
    env: ["MAINSTAY_POSTGRES_MAX_CONNECTIONS"],
    default: 80,
    unit: "connections",
    min: 20,
    max: 1000,
    summary: "Most connections at once: the server's own lanes, database tools and change streams together.",
  }),
  postgresSharedBuffersBytes: integer({
    env: ["MAINSTAY_POSTGRES_SHARED_BUFFERS_BYTES"],
    default: 128 * MEGABYTE,
    unit: "bytes",
    min: 16 * MEGABYTE,
    summary: "PostgreSQL's own page cache. Memory is taken as pages are first used, not at the start.",
  }),
  postgresMaxWalBytes: integer({
    env: ["MAINSTAY_POSTGRES_MAX_WAL_BYTES"],
    default: 1024 * MEGABYTE,
    unit: "bytes",
    min: 64 * MEGABYTE,
    summary:
      "Write-ahead log between two checkpoints: more means fewer checkpoints and a longer recovery after a crash.",
  }),
  postgresMaxSlotWalKeepBytes: integer({
    env: ["MAINSTAY_POSTGRES_MAX_SLOT_WAL_KEEP_BYTES"],
    default: 2048 * MEGABYTE,
    unit: "bytes",
    min: 64 * MEGABYTE,
    summary: "Most write-ahead log kept for a change reader that lags; beyond it the reader starts over.",
  }),
  postgresIoMethod: text({
    env: ["MAINSTAY_POSTGRES_IO_METHOD"],
    default: "sync",
    choices: ["sync", "worker", "io_uring"],
    summary:
      "How PostgreSQL reads ahead. `sync` needs no processes of its own (some 1.5 MB less); `worker` helps large scans on slow disks.",
  }),
  postgresLogLevel: text({
    env: ["MAINSTAY_POSTGRES_LOG_LEVEL"],
    default: "log",
    choices: ["info", "notice", "warning", "error", "log", "fatal", "panic"],
    summary:
      "PostgreSQL's log_min_messages. `log` leaves out errors of single statements, which can quote people's data; `error` adds them.",
  }),
  postgresLogLimitBytes: integer({
    env: ["MAINSTAY_POSTGRES_LOG_LIMIT_BYTES"],
    default: 8 * MEGABYTE,
    unit: "bytes",
    min: 64 * 1024,
    summary: "Size at which PostgreSQL's log file is set aside as `postgres.log.1` and begun anew.",
  }),
  postgresStopTimeoutMs: integer({
    env: ["MAINSTAY_POSTGRES_STOP_TIMEOUT_MS"],
    default: 20_000,
    unit: "ms",
    min: 100,
    summary: "How long a fast shutdown may take before an immediate one.",
  }),
  postgresBatchScheduling: flag({
    env: ["MAINSTAY_POSTGRES_BATCH_SCHEDULING"],
    default: true,
    summary: "On Linux, let PostgreSQL's processes wait for a free processor rather than interrupt the server's.",
  }),
  postgresRecoveryReportMs: integer({
    env: ["MAINSTAY_POSTGRES_RECOVERY_REPORT_MS"],
    default: 5_000,
    unit: "ms",
    min: 50,
    summary: "How often a long recovery is reported while it is waited for.",
  }),
  postgresLockPatienceMs: integer({
    env: ["MAINSTAY_POSTGRES_LOCK_PATIENCE_MS"],
    default: 15_000,
    unit: "ms",
    min: 1_000,
    summary:
      "How long a holder on another host may be silent before its hold on the data folder is taken to have ended.",
  }),
} satisfies Settings;

export type EmbeddedPostgresSettings = Values<typeof embeddedPostgresSettings>;

/** `given` over the defaults. */
export function withDefaults(given: Partial<EmbeddedPostgresSettings> = {}): EmbeddedPostgresSettings {
  const defaults = Object.fromEntries(
    Object.entries(embeddedPostgresSettings).map(([name, setting]) => [name, setting.default]),
  );
  return { ...defaults, ...given } as EmbeddedPostgresSettings;
}
