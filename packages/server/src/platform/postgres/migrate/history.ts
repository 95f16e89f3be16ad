import { byVersion, type MigrationFile } from "./files.ts";

/** Ours are Mainstay's own files; the project's are the app's. */
export type Source = "own" | "project";

/** What the database says was applied. */
export interface Applied {
  readonly version: string;
  readonly name: string | null;
  /** Of Mainstay's own migrations; `null` for a project's, whose history keeps statements. */
  readonly checksum: string | null;
  /** As the Supabase CLI cuts them; `null` when the history was written by hand or by `migration repair`. */
  readonly statements: readonly string[] | null;
  /** `null` where the history does not say. */
  readonly appliedAt: string | null;
  /** An older binary must not run on a database that has it. */
  readonly isBreaking: boolean;
}

/** Where files and history disagree. Nothing is repaired: only the owner knows which of the two is right. */
export interface Difference {
  readonly source: Source;
  readonly kind: "changed" | "missing-file" | "out-of-order";
  readonly version: string;
  readonly detail: string;
}

export interface Comparison {
  /** In the order they will run. */
  readonly pending: readonly MigrationFile[];
  readonly differences: readonly Difference[];
}

/** Holds the files against the history. Pure, and without the parser: it runs at every start. */
export function compareHistory(
  source: Source,
  files: readonly MigrationFile[],
  applied: readonly Applied[],
): Comparison {
  const differences: Difference[] = [];
  const differ = (kind: Difference["kind"], version: string, detail: string) =>
    differences.push({ source, kind, version, detail });
  const known = new Map(applied.map((row) => [row.version, row]));
  const last = [...applied].sort(byVersion).at(-1)?.version ?? "";
  const pending: MigrationFile[] = [];
  for (const file of files) {
    const row = known.get(file.version);
    known.delete(file.version);
    if (row === undefined) {
      pending.push(file);
      if (file.version < last) {
        differ("out-of-order", file.version, `${file.file} is older than ${last}, which is already applied.`);
      }
    } else if (!isSame(file, row)) {
      differ("changed", file.version, `${file.file} was changed after it was applied.`);
    }
  }
  for (const row of known.values()) {
    const name = row.name ? `${row.version}_${row.name}` : row.version;
    differ("missing-file", row.version, `${name} is applied in the database, but there is no such file.`);
  }
  return { pending, differences };
}

function isSame(file: MigrationFile, row: Applied): boolean {
  if (row.checksum !== null) return row.checksum === file.checksum;
  if (row.statements === null || row.statements.length === 0) return true;
  return bare(row.statements.join("\n")) === bare(file.sql);
}

/**
 * The text without what splitting it takes away: the blanks and semicolons between statements. Those inside go too, on both
 * sides, so that no parser is needed; a change of nothing but blanks is no change.
 */
const bare = (sql: string): string => sql.replace(/[\s;]+/g, "");
