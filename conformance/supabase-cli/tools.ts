import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";

const run = promisify(execFile);
const { resolve } = createRequire(import.meta.url);
const mainstayBin = join(dirname(resolve("@mainstay/cli/package.json")), "bin", "mainstay.mjs");
const supabaseBin = join(dirname(resolve("supabase/package.json")), "..", ".bin", "supabase");

/** A project in the CLI's own layout, a database, and both tools to work on them. */
export interface Workbench {
  readonly database: TestDatabase;
  /** Adds migrations to `supabase/migrations`. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Runs the `supabase` CLI against the database; gives what it printed. Rejects unless it ends with 0. */
  supabase(...args: readonly string[]): Promise<string>;
  /** The same, for commands that print JSON. */
  supabaseJson<T>(...args: readonly string[]): Promise<T>;
  /** Runs `mainstay … --json` on the project. */
  mainstay<T>(...args: readonly string[]): Promise<T>;
  rows<R extends object>(text: string): Promise<readonly R[]>;
  close(): Promise<void>;
}

export async function openWorkbench(): Promise<Workbench> {
  const database = await testDatabase();
  const dir = await mkdtemp(join(tmpdir(), "mainstay-supabase-cli-"));
  await mkdir(join(dir, "supabase", "migrations"), { recursive: true });
  // `gen types` insists on one.
  await writeFile(join(dir, "supabase", "config.toml"), 'project_id = "conformance"\n');
  // A home of its own: the CLI keeps telemetry and profiles there.
  const env = { ...process.env, HOME: dir, SUPABASE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", NO_COLOR: "1" };
  const remote = `--remote=${database.url}?sslmode=disable`;
  const supabase = async (...args: readonly string[]) => {
    const { stdout } = await run(supabaseBin, [...args, remote, "--workdir", dir, "--yes"], { env, cwd: dir });
    return stdout;
  };
  return {
    database,
    async write(files) {
      for (const [name, sql] of Object.entries(files)) await writeFile(join(dir, "supabase", "migrations", name), sql);
    },
    supabase,
    async supabaseJson<T>(...args: readonly string[]) {
      return JSON.parse(await supabase(...args, "--output-format", "json")) as T;
    },
    async mainstay<T>(...args: readonly string[]) {
      const options = { env: { ...env, DATABASE_URL: database.url }, cwd: dir };
      const { stdout } = await run(process.execPath, [mainstayBin, ...args, "--json", "--dir", dir], options);
      return JSON.parse(stdout) as T;
    },
    async rows<R extends object>(text: string) {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      try {
        return (await client.query(text)).rows as R[];
      } finally {
        await client.end();
      }
    },
    async close() {
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What `mainstay migrate up --json` prints. */
export interface Up {
  readonly applied: readonly { readonly source: string; readonly version: string }[];
  readonly differences: readonly unknown[];
}

/** What `mainstay migrate status --json` prints. */
export interface Status {
  readonly migrations: readonly { readonly source: string; readonly version: string; readonly state: string }[];
  readonly differences: readonly unknown[];
}

/** What `supabase migration list --output-format json` prints. */
export interface Listed {
  readonly migrations: readonly { readonly local: string; readonly remote: string }[];
}

export const projectOf = <T extends { readonly source: string }>(all: readonly T[]): readonly T[] =>
  all.filter(({ source }) => source === "project");
