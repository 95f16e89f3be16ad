export {
  type CheckOptions,
  checkDatabase,
  checkMigrations,
  type Finding,
  type Level,
  type Rule,
  rules,
} from "./check.ts";
export type { FailureDetails } from "./failure.ts";
export { type MigrationFile, readMigrations } from "./files.ts";
export type { Difference, Source } from "./history.ts";
export { type AppliedMigration, type MigrateNeeds, type MigrationReport, migrate } from "./migrate.ts";
export { newMigration } from "./new.ts";
export { type Seed, type SeedContext, type SeedNeeds, type SeedReport, seed } from "./seed.ts";
export { type MigrationState, type MigrationStatus, migrationStatus } from "./status.ts";
