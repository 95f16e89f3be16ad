import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownMigrations, projectMigrations } from "../commands/migrate.ts";
import { withProjectDatabase } from "../commands/project-database.ts";
import { type Check, type Finding, fail, guarded, ok, warn } from "./finding.ts";
import { workFindings } from "./functions.ts";
import { logReaderFindings } from "./log-readers.ts";
import { realtimeFindings } from "./realtime.ts";
import { clockFinding } from "./runtime.ts";
import { storageFindings } from "./storage.ts";

/** An external server: everything we need of it, and what it lacks. */
export const checkExternal: Check = async ({ config }) => {
  const url = config?.postgres.databaseUrl;
  if (!url) return [];
  const { checkExternalPostgres } = await import("@mainstay/server/external");
  const requirements = await checkExternalPostgres(url);
  return requirements.map(({ name, state, found, remedy }) => {
    const at = `database: ${name}`;
    if (state === "met") return ok(at, found);
    return (state === "missing" ? fail : warn)(at, found, remedy ?? "");
  });
};

/** Opens the database and asks it. An embedded one that was never started is left alone: a doctor makes nothing. */
export const checkDatabase: Check = async (context) => {
  const { cli, config, projectDir } = context;
  if (config === null) return [];
  const isExternal = config.postgres.databaseUrl !== null;
  if (!isExternal && !existsSync(join(config.project.dataDir, "postgres", "data"))) {
    return [ok("database", "not made yet: the first start makes it")];
  }
  return await withProjectDatabase(cli, projectDir, async (open) => {
    const client = await open.database.connect();
    try {
      const { rows } = await client.query<{ version: string; now: string }>(
        "select current_setting('server_version') as version, extract(epoch from clock_timestamp()) * 1000 as now",
      );
      const [row] = rows;
      const findings: Finding[] = [
        ok("database", `PostgreSQL ${row?.version ?? "?"} answers${open.isShared ? "" : " (started for this check)"}`),
      ];
      findings.push(clockFinding(Number(row?.now), Date.now()));
      const { migrationStatus } = await import("@mainstay/server/migrate");
      const status = await migrationStatus({
        database: open.database,
        own: ownMigrations(),
        project: projectMigrations(open),
      });
      const pending = status.migrations.filter(({ state }) => state === "pending" || state === "partial");
      if (status.differences.length > 0) {
        const [first] = status.differences;
        findings.push(
          warn(
            "migrations",
            `files and history differ: ${first?.version}: ${first?.detail}`,
            "See `mainstay migrate status`. Never edit a file that was applied: add a new one.",
          ),
        );
      }
      findings.push(
        pending.length > 0
          ? warn("migrations", `${pending.length} pending`, "Run: mainstay migrate up (a start applies them too)")
          : ok("migrations", `${status.migrations.length} applied, none pending`),
      );
      // Before our own schema is there, there is nothing to say of what it has.
      if (!pending.some(({ source }) => source === "own")) {
        findings.push(...(await guarded("realtime", () => realtimeFindings(open), context)));
        findings.push(...(await guarded("log: readers", () => logReaderFindings(open), context)));
        findings.push(...(await guarded("files", () => storageFindings(open), context)));
        findings.push(...(await guarded("jobs", () => workFindings(open), context)));
      }
      return findings;
    } finally {
      await client.end();
    }
  });
};
