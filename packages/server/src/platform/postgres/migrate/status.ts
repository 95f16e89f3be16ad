import type { Database } from "../database.ts";
import { byVersion, type MigrationFile, readMigrations } from "./files.ts";
import { type Applied, compareHistory, type Difference, type Source } from "./history.ts";
import { withSession } from "./session.ts";
import { hasProjectStore, hasStore, partialVersions, readOwn, readProject } from "./store.ts";

export interface MigrationState {
  readonly source: Source;
  readonly version: string;
  /** `null` when neither the file nor the history names it. */
  readonly name: string | null;
  /** `partial`: a file without a transaction that was stopped on its way; the next run goes on. */
  readonly state: "applied" | "pending" | "partial" | "changed" | "missing-file";
  /** `null` when pending, and for a project's files, whose history does not keep it. */
  readonly appliedAt: string | null;
}

export interface MigrationStatus {
  /** Ours first, each in the order of versions. */
  readonly migrations: readonly MigrationState[];
  readonly differences: readonly Difference[];
}

/** What is applied, what is pending, and where files and history disagree. Changes nothing. */
export async function migrationStatus(needs: {
  readonly database: Database;
  readonly own: string;
  readonly project: { readonly dir: string } | null;
  readonly signal?: AbortSignal | undefined;
}): Promise<MigrationStatus> {
  const ownFiles = await readMigrations(needs.own);
  const projectFiles = needs.project === null ? [] : await readMigrations(needs.project.dir);
  return withSession(needs.database, needs.signal ?? new AbortController().signal, async ({ client }) => {
    const isOurs = await hasStore(client);
    const partial = isOurs ? await partialVersions(client) : new Set<string>();
    const own = states("own", ownFiles, isOurs ? await readOwn(client) : [], partial);
    const applied = (await hasProjectStore(client)) ? await readProject(client) : [];
    const project = states("project", projectFiles, applied, partial);
    return {
      migrations: [...own.migrations, ...project.migrations],
      differences: [...own.differences, ...project.differences],
    };
  });
}

function states(
  source: Source,
  files: readonly MigrationFile[],
  applied: readonly Applied[],
  partial: ReadonlySet<string>,
): MigrationStatus {
  const { pending, differences } = compareHistory(source, files, applied);
  const differing = new Map(differences.map(({ version, kind }) => [version, kind]));
  const waiting = pending.map(({ version, name }): MigrationState => {
    const state = source === "project" && partial.has(version) ? "partial" : "pending";
    return { source, version, name, state, appliedAt: null };
  });
  const done = applied.map(({ version, name, appliedAt }): MigrationState => {
    const kind = differing.get(version);
    const state = kind === "changed" || kind === "missing-file" ? kind : "applied";
    return { source, version, name, state, appliedAt };
  });
  return { migrations: [...done, ...waiting].sort(byVersion), differences };
}
