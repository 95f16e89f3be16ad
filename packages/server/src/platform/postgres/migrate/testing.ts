import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testDatabase } from "@mainstay/testing";
import { onTestFinished } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { type Database, openDatabase } from "../database.ts";
import { type MigrateNeeds, type MigrationReport, migrate } from "./migrate.ts";

/** Mainstay's own migrations, as shipped. */
export const ownMigrations = fileURLToPath(new URL("../../../../migrations", import.meta.url));

/** A folder with these files in it, gone when the test is over. */
export async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mainstay-migrations-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await addFiles(dir, files);
  return dir;
}

export async function addFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, sql] of Object.entries(files)) await writeFile(join(dir, name), sql);
}

/** A database of its own, with what a test asks of it. */
export interface Bench {
  readonly database: Database;
  readonly url: string;
  readonly observations: Observation[];
  /** Migrates with Mainstay's own files and the project folder, if any. */
  up(project?: string | null, more?: Partial<MigrateNeeds>): Promise<MigrationReport>;
  rows<R extends object>(text: string): Promise<readonly R[]>;
  close(): Promise<void>;
}

/** @param template what its database is a copy of: nothing is in it unless told otherwise */
export async function openBench(template?: string): Promise<Bench> {
  const { url, drop } = await testDatabase(template);
  const database = openDatabase({ connectionString: url });
  const observations: Observation[] = [];
  return {
    database,
    url,
    observations,
    up: (project = null, more = {}) =>
      migrate({
        database,
        own: ownMigrations,
        project: project === null ? null : { dir: project },
        observe: (observation) => observations.push(observation),
        ...more,
      }),
    async rows<R extends object>(text: string) {
      const client = await database.connect();
      try {
        return (await client.query(text)).rows as R[];
      } finally {
        await client.end();
      }
    },
    async close() {
      await database.close();
      await drop();
    },
  };
}
