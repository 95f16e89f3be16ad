import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GivenSettings, Observation, RunningServer } from "@mainstay/server";
import pg from "pg";
import { testDatabase } from "./database.ts";
import { templateDatabase } from "./template.ts";

export interface BootOptions {
  /** The app's schema and rows, run by the migrations' role before the server starts. */
  readonly sql?: string;
  /** By group, as in `mainstay.config.ts`. */
  readonly settings?: GivenSettings;
  readonly env?: Readonly<Record<string, string>>;
  /** The project's folder, which whoever gives it removes. An empty one when left out. */
  readonly projectDir?: string;
}

/** A whole server on a database of its own. Stop it at the end of the file. */
export interface BootedApp {
  readonly url: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly databaseUrl: string;
  readonly server: RunningServer;
  /** What the server has reported so far. */
  readonly observations: readonly Observation[];
  /** Runs SQL as the superuser; gives the last statement's rows. */
  sql<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  stop(): Promise<void>;
}

/** Hashes of passwords as cheap as the library makes them: what one costs is the subject of few tests, and they say so. */
const cheapHashes = { hashMemoryKib: 7_168, hashPasses: 1 };

/** Starts a real server on an ephemeral port: its database is a clone of one that Mainstay's own migrations have made. */
export async function boot(options: BootOptions = {}): Promise<BootedApp> {
  const [database, projectDir] = await Promise.all([
    templateDatabase().then((template) => testDatabase(template)),
    options.projectDir ?? mkdtemp(join(tmpdir(), "mainstay-app-")),
  ]);
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  const observations: Observation[] = [];
  // Loaded here: tests of a single part use this package too, and need not wait for the whole server.
  const { startServer } = await import("@mainstay/server");
  const release = async (): Promise<void> => {
    await admin.end();
    await database.drop();
    if (options.projectDir === undefined) await rm(projectDir, { recursive: true, force: true });
  };
  try {
    if (options.sql) await admin.query(options.sql);
    const server = await startServer({
      projectDir,
      flags: {
        ...options.settings,
        auth: { ...cheapHashes, ...options.settings?.auth },
        http: { port: 0, ...options.settings?.http },
      },
      env: { DATABASE_URL: database.url, ...options.env },
      observe: (observation) => observations.push(observation),
    });
    return {
      url: server.url,
      ...server.keys,
      databaseUrl: database.url,
      server,
      observations,
      async sql(text, values) {
        const result = await admin.query(text, values as unknown[]);
        const last = Array.isArray(result) ? result.at(-1) : result;
        return last.rows;
      },
      async stop() {
        await server.stop(AbortSignal.timeout(5_000));
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}
