import type pg from "pg";
import type { Applied } from "./history.ts";

/**
 * The histories. Mainstay's own migrations in `mainstay.migrations`; a project's in the table of the Supabase CLI, in its
 * shape, so that both tools agree about what is applied. Both may be used by other tools at the same time.
 */

/** Whether our tables are there; one query, so that a start with nothing to do stays quick. */
export async function hasStore(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('mainstay.migrations') is not null
        and to_regclass('mainstay.migration_progress') is not null
        and to_regclass('mainstay.seeds') is not null as exists`,
  );
  return rows[0]?.exists ?? false;
}

/** Makes our schema and tables. The caller holds the migration lock. */
export async function createStore(client: pg.ClientBase): Promise<void> {
  // Asked first: `if not exists` alone would demand the privilege to create a schema even where it exists.
  const { rows } = await client.query("select to_regnamespace('mainstay') is null as missing");
  if (rows[0]?.missing) await client.query("create schema mainstay");
  await client.query(`
    create table if not exists mainstay.migrations (
      version text collate "C" primary key,
      name text not null,
      checksum text not null,
      is_breaking boolean not null default false,
      applied_at timestamptz not null default now()
    )`);
  await client.query(`
    create table if not exists mainstay.migration_progress (
      version text collate "C" primary key,
      checksum text not null,
      units_done integer not null default 0,
      is_started boolean not null default false
    )`);
  await client.query(`
    create table if not exists mainstay.seeds (
      file text collate "C" primary key,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`);
}

export async function readOwn(client: pg.ClientBase): Promise<readonly Applied[]> {
  const { rows } = await client.query<Applied>(`
    select version, name, checksum, null as statements, applied_at::text as "appliedAt", is_breaking as "isBreaking"
    from mainstay.migrations order by version`);
  return rows;
}

export async function recordOwn(
  client: pg.ClientBase,
  row: { version: string; name: string; checksum: string; isBreaking: boolean },
): Promise<void> {
  await client.query(`insert into mainstay.migrations (version, name, checksum, is_breaking) values ($1, $2, $3, $4)`, [
    row.version,
    row.name,
    row.checksum,
    row.isBreaking,
  ]);
}

export async function hasProjectStore(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>(
    "select to_regclass('supabase_migrations.schema_migrations') is not null as exists",
  );
  return rows[0]?.exists ?? false;
}

/** As the Supabase CLI makes it. Run as the migration role, which is who that CLI connects as. */
export async function createProjectStore(client: pg.ClientBase): Promise<void> {
  await client.query("create schema if not exists supabase_migrations");
  await client.query(`
    create table if not exists supabase_migrations.schema_migrations (
      version text not null primary key, statements text[], name text
    )`);
}

export async function readProject(client: pg.ClientBase): Promise<readonly Applied[]> {
  const { rows } = await client.query<Applied>(`
    select version, name, null as checksum, statements, null as "appliedAt", false as "isBreaking"
    from supabase_migrations.schema_migrations order by version collate "C"`);
  return rows;
}

export async function recordProject(
  client: pg.ClientBase,
  row: { version: string; name: string; statements: readonly string[] },
): Promise<void> {
  await client.query(
    "insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)",
    [row.version, row.statements, row.name],
  );
}

/** How far a file without a transaction has come. */
export interface Progress {
  readonly checksum: string;
  readonly unitsDone: number;
  /** The next unit was begun, and nobody has said that it ended. */
  readonly isStarted: boolean;
}

export async function readProgress(client: pg.ClientBase, version: string): Promise<Progress | null> {
  const { rows } = await client.query<Progress>(
    `select checksum, units_done as "unitsDone", is_started as "isStarted"
     from mainstay.migration_progress where version = $1`,
    [version],
  );
  return rows[0] ?? null;
}

export async function writeProgress(client: pg.ClientBase, version: string, progress: Progress): Promise<void> {
  await client.query(
    `insert into mainstay.migration_progress (version, checksum, units_done, is_started) values ($1, $2, $3, $4)
     on conflict (version) do update
       set checksum = excluded.checksum, units_done = excluded.units_done, is_started = excluded.is_started`,
    [version, progress.checksum, progress.unitsDone, progress.isStarted],
  );
}

export async function clearProgress(client: pg.ClientBase, version: string): Promise<void> {
  await client.query("delete from mainstay.migration_progress where version = $1", [version]);
}

export async function partialVersions(client: pg.ClientBase): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ version: string }>("select version from mainstay.migration_progress");
  return new Set(rows.map((row) => row.version));
}

export async function readSeeds(client: pg.ClientBase): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ file: string; checksum: string }>("select file, checksum from mainstay.seeds");
  return new Map(rows.map((row) => [row.file, row.checksum]));
}

export async function recordSeed(client: pg.ClientBase, file: string, checksum: string): Promise<void> {
  await client.query(
    `insert into mainstay.seeds (file, checksum) values ($1, $2)
     on conflict (file) do update set checksum = excluded.checksum, applied_at = now()`,
    [file, checksum],
  );
}
