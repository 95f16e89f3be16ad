import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Database } from "../database.ts";
import { migrationProblems } from "./problems.ts";

/** The key of the advisory lock: one migration run at a time per database. Any number, chosen once, for ever. */
const lockKey = "5570193408821190401";
const lockPollMs = 100;

/** One connection that migrates, and what the server told it on the way. */
export interface Session {
  readonly client: pg.Client;
  readonly signal: AbortSignal;
  /** Warnings of the server, in order. */
  readonly warnings: string[];
  /** Who a project's SQL runs as; `null` for the login itself. Settled by `settleRole`, after the roles exist. */
  role: string | null;
}

/**
 * Opens a connection for migrating and runs `work` on it. When the signal is aborted the running statement is cancelled, so
 * that its transaction is rolled back and nothing stays half done.
 */
export async function withSession<T>(
  database: Database,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = await database.connect();
  const warnings: string[] = [];
  // A backend that is terminated between two statements emits; the next statement then fails and tells.
  client.on("error", () => {});
  client.on("notice", (notice) => {
    const isWarning = notice.severity === "WARNING" || notice.code?.startsWith("01");
    if (isWarning) warnings.push(notice.hint ? `${notice.message} (${notice.hint})` : (notice.message ?? ""));
  });
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const cancel = () => void cancelBackend(database, rows[0]?.pid ?? 0);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await work({ client, signal, warnings, role: null });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
    await client.end().catch(() => {});
  }
}

async function cancelBackend(database: Database, pid: number): Promise<void> {
  const other = await database.connect().catch(() => null);
  await other?.query("select pg_cancel_backend($1)", [pid]).catch(() => {});
  await other?.end().catch(() => {});
}

/**
 * Takes the migration lock; it goes with the connection, so a killed runner leaves nothing behind. Asks again and again
 * instead of waiting inside the server: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY of the node that
 * has the lock would wait for that snapshot: a deadlock.
 * @returns how long it took, in milliseconds
 * @throws Problem `migrations/locked` after `waitMs`
 */
export async function takeLock({ client, signal }: Session, waitMs: number): Promise<number> {
  const begun = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await client.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [lockKey]);
    const waitedMs = performance.now() - begun;
    if (rows[0]?.taken) return waitedMs;
    if (waitedMs >= waitMs) throw migrationProblems.locked();
    await sleep(lockPollMs, undefined, { signal });
  }
}

/** A project's SQL runs as `postgres`, as in a Supabase project, where the login may become it. */
export async function settleRole(session: Session): Promise<void> {
  const { rows } = await session.client.query<{ usable: boolean }>(`
    select r.rolname <> session_user
       and pg_has_role(session_user, r.oid, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
       and has_database_privilege(r.oid, current_database(), 'create') as usable
    from pg_roles r where r.rolname = 'postgres'`);
  session.role = rows[0]?.usable ? "postgres" : null;
}

/**
 * Puts the session where every file begins, whatever the one before it left set: role, search path as a Supabase project has
 * it, no statement timeout (an index takes as long as it takes), and a bound on waiting for a table's lock.
 */
export async function resetSession({ client, role }: Session, tableLockWaitMs: number): Promise<void> {
  await client.query(`
    reset session authorization;
    reset all;
    ${role === null ? "" : `set role ${pg.escapeIdentifier(role)};`}
    set search_path = "$user", public, extensions;
    set statement_timeout = 0;
    set idle_in_transaction_session_timeout = 0;
    set lock_timeout = ${Math.trunc(tableLockWaitMs)}`);
}

/** Back to the migration role inside a transaction in which the file may have changed it. */
export async function resumeRole({ client, role }: Session): Promise<void> {
  await client.query("set local session authorization default");
  if (role !== null) await client.query(`set local role ${pg.escapeIdentifier(role)}`);
}
