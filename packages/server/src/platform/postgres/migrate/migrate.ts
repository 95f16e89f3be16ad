import { Problem } from "../../../kernel/problem.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../database.ts";
import { applyOwn, applyProject } from "./apply.ts";
import { type MigrationFile, readMigrations } from "./files.ts";
import { type Comparison, compareHistory, type Difference, type Source } from "./history.ts";
import { migrationProblems } from "./problems.ts";
import { resetSession, type Session, settleRole, takeLock, withSession } from "./session.ts";
import { type MigrateSettings, migrateSettings } from "./settings.ts";
import { createProjectStore, createStore, hasProjectStore, hasStore, readOwn, readProject } from "./store.ts";

export interface MigrateNeeds {
  readonly database: Database;
  /** Folder of Mainstay's own migrations. */
  readonly own: string;
  /** The project's folder of migrations; `null` when there is none. */
  readonly project: { readonly dir: string } | null;
  readonly observe: Observe;
  /** Cancels the running statement; its transaction is rolled back. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Leaves a project's file that is empty pending: where migrations are taken up as they appear, somebody is about to write it. Elsewhere it
   * is applied, as the Supabase CLI does.
   */
  readonly leavesEmpty?: boolean;
  /** Defaults for what is left out. */
  readonly settings?: Partial<MigrateSettings>;
}

export interface AppliedMigration {
  readonly source: Source;
  readonly version: string;
  readonly name: string;
  readonly durationMs: number;
}

export interface MigrationReport {
  /** In the order they ran; empty when there was nothing to do. */
  readonly applied: readonly AppliedMigration[];
  readonly differences: readonly Difference[];
  /** What the server warned of, and what was left out. */
  readonly warnings: readonly string[];
  /** Waiting for another node included. */
  readonly durationMs: number;
  /** How long another node held the lock, in milliseconds. */
  readonly waitedMs: number;
}

/**
 * Brings the database to where the files are: Mainstay's own migrations first, then the project's. Safe to run at every start
 * and on many nodes at once. When nothing is pending it costs one connection and three small queries, takes no lock and does
 * not load the parser.
 * @throws Problem `migrations/failed`, `migrations/syntax`, `migrations/refused` naming file, line and statement;
 *   `migrations/history-differs` when strict; `migrations/newer-database`; `migrations/locked`
 */
export async function migrate(needs: MigrateNeeds): Promise<MigrationReport> {
  const begun = performance.now();
  const ownFiles = await readMigrations(needs.own);
  const projectFiles = needs.project === null ? [] : await readMigrations(needs.project.dir);
  const signal = needs.signal ?? new AbortController().signal;
  return withSession(needs.database, signal, async (session) => {
    const first = await compare(session, needs, ownFiles, projectFiles);
    report(needs, first);
    const applied: AppliedMigration[] = [];
    let waitedMs = 0;
    if (first.own.pending.length > 0 || first.project.pending.length > 0) {
      waitedMs = await takeLock(
        session,
        needs.settings?.migrationsLockWaitMs ?? migrateSettings.migrationsLockWaitMs.default,
      );
      applied.push(...(await applyPending(session, needs, ownFiles, projectFiles)));
    }
    for (const message of session.warnings) needs.observe({ kind: "warning", area: "migrations", message });
    return {
      applied,
      differences: [...first.own.differences, ...first.project.differences],
      warnings: session.warnings,
      durationMs: performance.now() - begun,
      waitedMs,
    };
  });
}

interface Comparisons {
  readonly own: Comparison;
  readonly project: Comparison;
}

async function compare(
  { client }: Session,
  { leavesEmpty = false }: MigrateNeeds,
  ownFiles: readonly MigrationFile[],
  projectFiles: readonly MigrationFile[],
): Promise<Comparisons> {
  const own = (await hasStore(client)) ? await readOwn(client) : [];
  const newest = ownFiles.at(-1)?.version ?? "";
  const tooNew = own.find((row) => row.isBreaking && row.version > newest);
  if (tooNew) throw migrationProblems.newerDatabase(tooNew.version, tooNew.name ?? "");
  const project = (await hasProjectStore(client)) ? await readProject(client) : [];
  const comparison = compareHistory("project", projectFiles, project);
  return {
    own: compareHistory("own", ownFiles, own),
    project: leavesEmpty ? withoutEmpty(comparison) : comparison,
  };
}

/** Nothing is said of what is left, until there is something in it. */
function withoutEmpty({ pending, differences }: Comparison): Comparison {
  const left = new Set(pending.filter(({ sql }) => sql.trim() === "").map(({ version }) => version));
  return {
    pending: pending.filter(({ version }) => !left.has(version)),
    differences: differences.filter(({ version }) => !left.has(version)),
  };
}

function report(needs: MigrateNeeds, { own, project }: Comparisons): void {
  const differences = [...own.differences, ...project.differences];
  for (const { version, detail } of differences) {
    needs.observe({ kind: "migration.history-differs", version, detail });
  }
  if (needs.settings?.migrationsStrict && differences.length > 0) throw migrationProblems.historyDiffers(differences);
}

/** With the lock held: what was pending before may have been applied by the node that had it. */
async function applyPending(
  session: Session,
  needs: MigrateNeeds,
  ownFiles: readonly MigrationFile[],
  projectFiles: readonly MigrationFile[],
): Promise<readonly AppliedMigration[]> {
  const { client } = session;
  const tableLockWaitMs =
    needs.settings?.migrationsTableLockWaitMs ?? migrateSettings.migrationsTableLockWaitMs.default;
  if (!(await hasStore(client))) await createStore(client);
  const { own, project } = await compare(session, needs, ownFiles, projectFiles);
  const applied: AppliedMigration[] = [];
  const timed = async (source: Source, file: MigrationFile, work: () => Promise<void>) => {
    session.signal.throwIfAborted();
    const begun = performance.now();
    await work();
    const done = { version: file.version, name: file.name, durationMs: performance.now() - begun };
    applied.push({ source, ...done });
    needs.observe({ kind: "migration.applied", ...done });
  };
  for (const file of own.pending) {
    await timed("own", file, () => retryCollision(() => applyOwn(session, file)));
  }
  await settleRole(session);
  if (project.pending.length > 0 && !(await hasProjectStore(client))) {
    await resetSession(session, tableLockWaitMs);
    await createProjectStore(client);
  }
  for (const file of project.pending) {
    await timed("project", file, () => applyProject(session, file, tableLockWaitMs));
  }
  await client.query("reset session authorization; reset all");
  // Where event triggers could not be made this is the news; elsewhere it is news twice, which costs nothing.
  await client.query("notify mainstay_catalog, 'reload schema'; notify pgrst, 'reload schema'");
  return applied;
}

const collisionRetries = 5;

/** Roles belong to the cluster: another database of it, being set up at the same moment, writes to the same rows. */
async function retryCollision(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isCollision = error instanceof Problem && /tuple concurrently (updated|deleted)/.test(error.message);
      if (!isCollision || attempt === collisionRetries) throw error;
    }
  }
}
