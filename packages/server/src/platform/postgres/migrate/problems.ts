import { Problem, type ProblemOptions } from "../../../kernel/problem.ts";

/** What can be wrong with migrations: with the files, or between them and a database. */
export const migrationProblems = {
  /**
   * A statement failed, or its connection was lost. `details` has the statement's beginning and its SQLSTATE, the hint says
   * what of the file was kept. Mend the file and migrate again.
   */
  failed: (file: string, line: number, message: string, options: ProblemOptions) =>
    new Problem("migrations/failed", 500, `${file}:${line}: ${message}`, options),
  /** The file is not SQL from here on. Nothing of it was applied. */
  syntax: (file: string, line: number, column: number, message: string, options: ProblemOptions) =>
    new Problem("migrations/syntax", 400, `${file}:${line}:${column}: ${message}`, {
      ...options,
      details: { file, line, column },
    }),
  /** PostgreSQL's parser gave up on the file without saying where: it is too large, or too deeply nested. */
  unparsable: (file: string, message: string, cause: unknown) =>
    new Problem("migrations/syntax", 400, `${file}: ${message}`, { cause }),
  /** The file says what no migration may: the message says why. Nothing of it was applied. */
  refused: (
    file: string,
    line: number,
    reason: string,
    options: { readonly hint: string; readonly statement: string },
  ) =>
    new Problem("migrations/refused", 400, `${file}:${line}: ${reason}`, {
      hint: options.hint,
      details: { file, line, statement: options.statement },
    }),
  /** A file that cannot be in one transaction was changed while only its first statements are applied. */
  changedHalfWay: (file: string, unitsDone: number) =>
    new Problem(
      "migrations/changed-half-way",
      409,
      `${file} was changed after ${unitsDone} of its statements were applied.`,
      {
        hint: "Bring the file back as it was and migrate again; put the change into a new file.",
        details: { file, unitsDone },
      },
    ),
  /** Two files begin with the same digits, so their order is not settled, and the database could tell only one as applied. */
  duplicateVersion: (file: string, other: string, version: string) =>
    new Problem("migrations/duplicate-version", 409, `${file} and ${other} have the same version ${version}.`, {
      hint: "Rename the one that has not been applied anywhere yet.",
    }),
  /** Files and what the database remembers of them differ, and `MAINSTAY_MIGRATIONS_STRICT` is on. */
  historyDiffers: (differences: readonly { readonly detail: string }[]) =>
    new Problem("migrations/history-differs", 409, differences.map(({ detail }) => detail).join(" "), {
      details: differences,
      hint: "Bring the files back to what was applied, or migrate without strictness (MAINSTAY_MIGRATIONS_STRICT).",
    }),
  /** The database has a change of ours that this version cannot work with. */
  newerDatabase: (version: string, name: string) =>
    new Problem(
      "migrations/newer-database",
      409,
      `This database was migrated by a newer Mainstay (${version}_${name}).`,
      { hint: "Start that version or a newer one." },
    ),
  /** One node migrates at a time, and this one waited longer than `MAINSTAY_MIGRATIONS_LOCK_WAIT_MS` for its turn. */
  locked: () =>
    new Problem("migrations/locked", 503, "Another node has been migrating this database for too long.", {
      hint: "Look at pg_stat_activity for what it waits for; raise MAINSTAY_MIGRATIONS_LOCK_WAIT_MS if it is simply long.",
    }),
  /** A new migration was given a name of which no letter or digit is left. */
  badName: () =>
    new Problem("migrations/bad-name", 400, "A migration needs a name of letters and digits.", {
      hint: "For example: mainstay migrate new add_places",
    }),
};

/** What can be wrong with seeds. None of it keeps a server from starting: the next start tries again. */
export const seedProblems = {
  /** A statement of the seed failed, and nothing of the file was kept. `details` has the statement's beginning and its SQLSTATE. */
  failed: (file: string, line: number, message: string, options: ProblemOptions) =>
    new Problem("seed/failed", 500, `${file}:${line}: ${message}`, options),
  /** The seed could not be read, or its function threw. Nothing of the file was kept. */
  gaveUp: (file: string, message: string, cause: unknown) =>
    new Problem("seed/failed", 500, `${file}: ${message}`, { cause }),
  /** A seed is one transaction, recorded as a whole: it may not end it by `rollback`. Remove the statement. */
  rollsBack: (file: string, line: number) =>
    new Problem("seed/refused", 400, `${file}:${line}: a seed must not roll back its transaction.`),
  /** The SQL ends inside of a quote, a dollar quote or a comment that begins at this line. */
  unterminated: (file: string, line: number, what: string) =>
    new Problem("seed/syntax", 400, `${file}:${line}: a ${what} begins here and never ends.`, {
      details: { file, line },
    }),
  /** A line begins with a backslash: psql would act on it, PostgreSQL does not know it. */
  psqlCommand: (file: string, line: number, command: string) =>
    new Problem("seed/syntax", 400, `${file}:${line}: ${command} is a command of psql, not SQL.`, {
      hint: "Remove the line.",
      details: { file, line },
    }),
  /** A `.ts` seed exports no function by default. */
  noFunction: (file: string) =>
    new Problem("seed/no-function", 400, `${file} has no default export to call.`, {
      hint: "export default async ({ client }) => { await client.query(…) }",
    }),
  /** The file is larger than the setting `MAINSTAY_SEED_SIZE_LIMIT_BYTES` lets us read. */
  tooLarge: (file: string, sizeBytes: number, limitBytes: number) =>
    new Problem("seed/too-large", 413, `${file} has ${sizeBytes} bytes; at most ${limitBytes} are read.`, {
      hint: "Raise MAINSTAY_SEED_SIZE_LIMIT_BYTES, or write a seed.ts that streams.",
    }),
};
