import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname } from "node:path";
import { pathToFileURL } from "node:url";
import type pg from "pg";
import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../database.ts";
import { copyFrom } from "./copy.ts";
import { failure } from "./failure.ts";
import { normalised } from "./files.ts";
import { seedProblems } from "./problems.ts";
import { type ScriptStatement, splitScript } from "./script.ts";
import { resetSession, resumeRole, type Session, settleRole, takeLock, withSession } from "./session.ts";
import { type MigrateSettings, migrateSettings } from "./settings.ts";
import { createStore, hasStore, readSeeds, recordSeed } from "./store.ts";

/** What a `seed.ts` exports by default; it runs in one transaction, which is committed when it resolves. */
export type Seed = (context: SeedContext) => Promise<void>;

export interface SeedContext {
  /** In a transaction already, as the role migrations run as. */
  readonly client: pg.Client;
  /** Tells whoever waits what is being done and how far it is, in any unit; `total` 0 when unknown. */
  progress(text: string, done: number, total: number): void;
  readonly signal: AbortSignal;
}

export interface SeedNeeds {
  readonly database: Database;
  /** Absolute paths of `.sql` and `.ts` files, in the order they run. */
  readonly files: readonly string[];
  readonly observe: Observe;
  /** What it is doing, how much is done, of how much (0 when unknown). SQL files count in characters. */
  readonly onProgress?: ((text: string, done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Run files that have run before. */
  readonly isForced?: boolean;
  readonly settings?: Partial<MigrateSettings>;
}

export interface SeedReport {
  /** Names of the files that ran now. */
  readonly applied: readonly string[];
  /** Changed since they ran; they are not run again. */
  readonly changed: readonly string[];
  /** Where it stopped; the files after it were not tried, and the next start tries again. `null` when all went well. */
  readonly failed: { readonly file: string; readonly problem: Problem } | null;
}

/**
 * Runs each seed file once per database, whole or not at all. Never rejects because of a seed: a server without its examples
 * is still a server. Rejects only when the signal is aborted.
 */
export async function seed(needs: SeedNeeds): Promise<SeedReport> {
  const applied: string[] = [];
  const changed: string[] = [];
  if (needs.files.length === 0) return { applied, changed, failed: null };
  const signal = needs.signal ?? new AbortController().signal;
  const begun = performance.now();
  let current = nameOf(needs.files[0] ?? "");
  try {
    await withSession(needs.database, signal, async (session) => {
      for (const path of await pendingSeeds(session, needs, changed)) {
        current = nameOf(path);
        await seedFile(session, needs, path);
        applied.push(current);
      }
      // The planner knows nothing of rows that came a moment ago, and the first requests would pay for it.
      if (applied.length > 0) await session.client.query("reset session authorization; reset all; analyze");
    });
  } catch (error) {
    signal.throwIfAborted();
    const problem = error instanceof Problem ? error : seedProblems.gaveUp(current, reasonOf(error), error);
    needs.observe({ kind: "seed.failed", error: problem });
    return { applied, changed, failed: { file: current, problem } };
  }
  if (applied.length > 0) needs.observe({ kind: "seed.finished", durationMs: performance.now() - begun });
  return { applied, changed, failed: null };
}

/** How a seed is known: its file name, with its folder where there may be several. */
const nameOf = (path: string): string =>
  basename(dirname(path)) === "seeds" ? `seeds/${basename(path)}` : basename(path);

/** Takes the lock only when something is to be run, and looks again once it is held. */
async function pendingSeeds(session: Session, needs: SeedNeeds, changed: string[]): Promise<readonly string[]> {
  const look = async (): Promise<readonly string[]> => {
    const done = await readSeeds(session.client);
    const pending: string[] = [];
    changed.length = 0;
    for (const path of needs.files) {
      const known = done.get(nameOf(path));
      if (known === undefined || needs.isForced) pending.push(path);
      else if (known !== (await read(path, needs)).checksum) changed.push(nameOf(path));
    }
    return pending;
  };
  const isReady = await hasStore(session.client);
  if (isReady && (await look()).length === 0) return [];
  await takeLock(session, needs.settings?.migrationsLockWaitMs ?? migrateSettings.migrationsLockWaitMs.default);
  if (!isReady) await createStore(session.client);
  await settleRole(session);
  return look();
}

async function read(path: string, needs: SeedNeeds): Promise<{ sql: string; checksum: string }> {
  const limitBytes = needs.settings?.seedSizeLimitBytes ?? migrateSettings.seedSizeLimitBytes.default;
  const { size } = await stat(path);
  if (size > limitBytes) throw seedProblems.tooLarge(nameOf(path), size, limitBytes);
  return normalised(await readFile(path, "utf8"));
}

async function seedFile(session: Session, needs: SeedNeeds, path: string): Promise<void> {
  const { client } = session;
  const name = nameOf(path);
  const { sql, checksum } = await read(path, needs);
  const progress: SeedContext["progress"] = (text, done, total) => needs.onProgress?.(text, done, total);
  await resetSession(
    session,
    needs.settings?.migrationsTableLockWaitMs ?? migrateSettings.migrationsTableLockWaitMs.default,
  );
  await client.query("begin");
  try {
    if (extname(path) === ".sql") await runScript(session, name, sql, progress);
    else await runModule(session, path, checksum, progress);
    await client.query("set local session authorization default; set local role none");
    await recordSeed(client, name, checksum);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

async function runModule(
  session: Session,
  path: string,
  checksum: string,
  progress: SeedContext["progress"],
): Promise<void> {
  // A process that seeds twice (`dev`) must see the file as it is now: modules are kept by their address.
  const module = (await import(`${pathToFileURL(path).href}?${checksum}`)) as { default?: unknown };
  if (typeof module.default !== "function") throw seedProblems.noFunction(nameOf(path));
  await (module.default as Seed)({ client: session.client, progress, signal: session.signal });
}

/** Statements travel together: one by one, a seed of a hundred thousand INSERTs would wait for as many answers. */
const batchStatements = 200;
const batchChars = 256_000;

async function runScript(
  session: Session,
  file: string,
  sql: string,
  progress: SeedContext["progress"],
): Promise<void> {
  let batch: ScriptStatement[] = [];
  let chars = 0;
  const flush = async () => {
    if (batch.length > 0) await runBatch(session, file, batch);
    batch = [];
    chars = 0;
  };
  for (const statement of splitScript(sql, file)) {
    if (statement.command === "rollback") throw seedProblems.rollsBack(file, statement.line);
    // The file is one transaction already.
    if (["begin", "commit", "end", "start"].includes(statement.command)) continue;
    if (statement.copyData !== null) {
      await flush();
      await attempt(file, statement, () => copyFrom(session.client, statement.sql, statement.copyData ?? ""));
    } else {
      batch.push(statement);
      chars += statement.sql.length;
    }
    if (batch.length >= batchStatements || chars >= batchChars || statement.copyData !== null) {
      await flush();
      session.signal.throwIfAborted();
      progress(file, statement.end, sql.length);
    }
  }
  await flush();
  progress(file, sql.length, sql.length);
  await resumeRole(session);
}

/** When a batch fails it is taken back and run one by one, to find out which statement it was. */
async function runBatch(session: Session, file: string, batch: readonly ScriptStatement[]): Promise<void> {
  const { client } = session;
  await client.query("savepoint batch");
  try {
    await client.query(batch.map(({ sql }) => `${sql}\n;`).join("\n"));
  } catch (error) {
    session.signal.throwIfAborted();
    await client.query("rollback to savepoint batch").catch(() => {
      throw error;
    });
    for (const statement of batch) await attempt(file, statement, () => client.query(statement.sql));
  }
  await client.query("release savepoint batch");
}

async function attempt(file: string, statement: ScriptStatement, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Comments before the statement are part of what was sent, so the server counts their lines too.
    const leading = statement.sql.length - withoutLeadingComments(statement.sql).length;
    const line = statement.line - statement.sql.slice(0, leading).split("\n").length + 1;
    throw failure(
      seedProblems.failed,
      { file, line, sql: statement.sql },
      error,
      "Nothing of this file was kept; the next start tries again.",
    );
  }
}

const withoutLeadingComments = (sql: string): string => sql.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/, "");
