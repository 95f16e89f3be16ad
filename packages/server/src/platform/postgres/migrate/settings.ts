import { flag, integer, type Settings, type Values } from "../../../kernel/settings.ts";

export const migrateSettings = {
  migrationsStrict: flag({
    env: ["MAINSTAY_MIGRATIONS_STRICT"],
    default: false,
    summary: "Refuse to migrate when the files and the database's history differ, instead of reporting it.",
  }),
  migrationsLockWaitMs: integer({
    env: ["MAINSTAY_MIGRATIONS_LOCK_WAIT_MS"],
    default: 600_000,
    unit: "ms",
    min: 0,
    summary: "Longest wait for another node that is migrating the same database.",
  }),
  migrationsTableLockWaitMs: integer({
    env: ["MAINSTAY_MIGRATIONS_TABLE_LOCK_WAIT_MS"],
    default: 10_000,
    unit: "ms",
    min: 0,
    summary:
      "Longest wait of a migration's statement for a table in use. Everyone else who wants the table queues behind it, so it is short; 0 waits for ever.",
  }),
  seedSizeLimitBytes: integer({
    env: ["MAINSTAY_SEED_SIZE_LIMIT_BYTES"],
    default: 268_435_456,
    unit: "bytes",
    min: 1,
    summary: "Largest seed file in SQL. It is read whole; a `seed.ts` that streams has no such bound.",
  }),
} satisfies Settings;

export type MigrateSettings = Values<typeof migrateSettings>;
