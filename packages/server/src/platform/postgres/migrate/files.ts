import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { migrationProblems } from "./problems.ts";

/** One file of a migrations folder. */
export interface MigrationFile {
  /** The digits before the first underscore, as text: `20240131093000`, `0007`. Leading zeros count. */
  readonly version: string;
  /** What follows, without `.sql`. */
  readonly name: string;
  /** The file's name in its folder. */
  readonly file: string;
  /** Absolute path. */
  readonly path: string;
  readonly sql: string;
  /** SHA-256 of the text, hex; line ends and a byte order mark do not count: checkouts change them. */
  readonly checksum: string;
}

/** `<digits>_name.sql`: what the Supabase CLI takes as a migration. Anything else in the folder is left alone. */
const migrationName = /^(\d+)_(.*)\.sql$/;

/**
 * Reads a migrations folder, in the order of versions compared as text (the order of the Supabase CLI).
 * @throws Problem `migrations/duplicate-version` when two files share a version.
 */
export async function readMigrations(dir: string): Promise<readonly MigrationFile[]> {
  const found: MigrationFile[] = [];
  for (const file of await readdir(dir)) {
    const [, version, name] = migrationName.exec(file) ?? [];
    if (version === undefined || name === undefined) continue;
    const path = join(dir, file);
    found.push({ version, name, file, path, ...normalised(await readFile(path, "utf8")) });
  }
  found.sort(byVersion);
  for (const [index, migration] of found.entries()) {
    const previous = found[index - 1];
    if (previous?.version === migration.version) {
      throw migrationProblems.duplicateVersion(previous.file, migration.file, migration.version);
    }
  }
  return found;
}

/** Text as it is run, and the checksum it is recorded with. */
export function normalised(text: string): { sql: string; checksum: string } {
  const sql = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  return { sql, checksum: createHash("sha256").update(sql).digest("hex") };
}

/** Versions are text, in the database too: `collate "C"` there, code units here. */
export const byVersion = (a: { version: string }, b: { version: string }): number =>
  a.version < b.version ? -1 : a.version > b.version ? 1 : 0;
