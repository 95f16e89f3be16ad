import { createHash } from "node:crypto";
import { logLinePrefix } from "./log-line.ts";
import type { EmbeddedPostgresSettings } from "./settings.ts";

/** The socket's number when PostgreSQL is not asked to listen on TCP. */
export const defaultPort = 5432;

/**
 * Defaults of ours that its owner may overrule, in `postgresql.conf` below our line or by ALTER SYSTEM. Tuned for a small
 * idle process family beside Node (measured, proportional set size: 27 MB as PostgreSQL ships, 24 MB so) on disks that seek for free.
 */
export function configurationFile(settings: EmbeddedPostgresSettings): string {
  const entries: Record<string, string | number> = {
    max_connections: settings.postgresMaxConnections,
    shared_buffers: `${Math.floor(settings.postgresSharedBuffersBytes / 1024)}kB`,
    max_wal_size: `${Math.floor(settings.postgresMaxWalBytes / 1048576)}MB`,
    max_slot_wal_keep_size: `${Math.floor(settings.postgresMaxSlotWalKeepBytes / 1048576)}MB`,
    // Acknowledged means on disk.
    synchronous_commit: "on",
    // No processes that only wait for work; see the setting's sentence.
    io_method: settings.postgresIoMethod,
    // We send changes and never subscribe to another server's: without workers the launcher does not run at all.
    max_logical_replication_workers: 0,
    max_wal_senders: 32,
    max_replication_slots: 32,
    // PostgreSQL 18 reserves shared memory for 16 of them.
    autovacuum_worker_slots: 4,
    autovacuum_max_workers: 2,
    // A big page allotment would be taken whole at the start.
    huge_pages: "off",
    // Short statements only lose by compilation, and the bundle has no compiler.
    jit: "off",
    random_page_cost: 1.1,
    // A row's values in the log would be people's data: DETAIL and CONTEXT quote them, and so does STATEMENT.
    log_min_messages: settings.postgresLogLevel,
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
    log_startup_progress_interval: "1s",
    password_encryption: "scram-sha-256",
    timezone: "UTC",
    log_timezone: "UTC",
  };
  const lines = Object.entries(entries).map(([name, value]) => `${name} = '${value}'`);
  return `# Written by Mainstay at every start. Your own settings: postgresql.conf, below the include, or ALTER SYSTEM.\n${lines.join("\n")}\n`;
}

/** What `postgresql.conf` begins as. */
export const userConfigurationFile = `# Mainstay's defaults; its settings (MAINSTAY_POSTGRES_...) write that file anew at every start.
include_if_exists = 'mainstay.conf'

# Your own settings below: they win over the file above. Where PostgreSQL listens and how it logs is Mainstay's.
`;

/** What nobody overrules, on the command line: who may come in, and what we rely on. No secrets: `ps` shows it. */
export function commandLine(options: {
  readonly port: number;
  readonly isOnTcp: boolean;
  /** As PostgreSQL is to see it. `null` where there is none (Windows). */
  readonly socketDir: string | null;
  readonly fingerprint: string;
}): string[] {
  const entries: Record<string, string | number> = {
    port: options.port,
    listen_addresses: options.isOnTcp ? "127.0.0.1" : "",
    unix_socket_directories: options.socketDir ?? "",
    unix_socket_permissions: "0700",
    ssl: "off",
    wal_level: "logical",
    log_destination: "stderr",
    logging_collector: "off",
    log_line_prefix: logLinePrefix,
    lc_messages: "C",
    "mainstay.fingerprint": options.fingerprint,
  };
  return Object.entries(entries).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Tells whether a server found running was started as we would start it now. */
export function fingerprintOf(parts: readonly (string | number | boolean)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}
