import { execFile } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type OwnPostgres, openOwnPostgres } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { expect, vi } from "vitest";
import { Ledger } from "../ledger.ts";
import { fraction } from "../random.ts";
import { Project, type Server } from "../server.ts";
import { Book } from "./book.ts";

export const patience = { timeout: 120_000, interval: 100 };
const mostTries = 1_000;

/** So small that what happens once in an hour happens within a test. */
export const smallSettings = {
  MAINSTAY_JOBS_LEASE_MS: "2000",
  MAINSTAY_JOBS_POLL_MS: "500",
  MAINSTAY_SCHEDULES_LOOK_MS: "500",
  MAINSTAY_SCHEDULES_GRACE_MS: "1000",
  MAINSTAY_WEBHOOK_RETRY_FIRST_MS: "20",
  MAINSTAY_WEBHOOK_RETRY_MAX_MS: "500",
  MAINSTAY_WEBHOOK_BREAKER_FAILURES: "1000",
  MAINSTAY_WEBHOOK_ALLOWED_HOSTS: "127.0.0.1",
  MAINSTAY_FUNCTIONS_ALLOWED_HOSTS: "127.0.0.1",
  MAINSTAY_FUNCTIONS_SECRETS: "BOOK,NODE_NAME",
  MAINSTAY_DATA_SCHEMAS: "public,pgmq_public",
};

/** Where compiled code is kept: a process that is killed leaves none to the next one, and compiling is most of a start. */
export const cacheHome = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");

/** A project whose code works, its nodes, PostgreSQL beside them, and a book outside of them all. */
export interface Works {
  readonly project: Project;
  readonly nodes: readonly Server[];
  readonly postgres: OwnPostgres;
  readonly sql: Ledger;
  /** The same, with an SQL connection of its own: who has one uses it for one thing after another. */
  apart(): Works;
  readonly book: Book;
  /** Asks whichever node answers, again until one does. `ask` may be done twice. */
  asking<T>(
    ask: (client: SupabaseClient) => PromiseLike<{ readonly data: T; readonly error: unknown }>,
  ): Promise<NonNullable<T>>;
  stop(): Promise<void>;
}

/** @param env settings of all nodes @param ofNode settings of one */
export async function startWorks(
  env: Readonly<Record<string, string>> = {},
  ofNode: readonly Readonly<Record<string, string>>[] = [{}, {}],
): Promise<Works> {
  const [postgres, book] = await Promise.all([openOwnPostgres(), Book.open()]);
  const project = await Project.make({
    DATABASE_URL: postgres.url,
    XDG_CACHE_HOME: cacheHome,
    BOOK: book.url,
    ...smallSettings,
    ...env,
  });
  await furnish(project, book);
  const nodes: Server[] = [];
  for (const [at, own] of ofNode.entries()) nodes.push(await project.serve({ NODE_NAME: `node-${at}`, ...own }));
  const { serviceRoleKey } = await project.keys();
  const clients = nodes.map(({ url }) =>
    createClient(url, serviceRoleKey, { auth: { persistSession: false, autoRefreshToken: false } }),
  );
  const ledgers: Ledger[] = [];
  const ledger = (): Ledger => {
    ledgers.push(new Ledger(postgres.url));
    return ledgers.at(-1)!;
  };
  const works: Works = {
    project,
    nodes,
    postgres,
    sql: ledger(),
    apart: () => ({ ...works, sql: ledger() }),
    book,
    async asking(ask) {
      for (let tries = 1; ; tries++) {
        const { data, error } = await ask(clients[Math.floor(fraction() * clients.length)]!);
        if (error === null) return data!;
        if (tries >= mostTries) throw error;
        await after(50);
      }
    },
    async stop() {
      for (const each of ledgers) await each.close();
      await project.remove();
      await postgres.stop();
      await book.close();
    },
  };
  return works;
}

/** Gives a project the app of these tests. */
export async function furnish(project: Project, book: Book): Promise<void> {
  const source = fileURLToPath(new URL("project", import.meta.url));
  await cp(join(source, "functions"), join(project.dir, "functions"), { recursive: true });
  await cp(join(source, "works.sql"), join(project.dir, "migrations", "20260102000000_works.sql"));
  await writeFile(
    join(project.dir, "migrations", "20260103000000_webhook.sql"),
    `select mainstay.create_webhook('orders', '${book.url}/hook', 'public.orders', operations => '{insert}');`,
  );
}

/** Webhooks of a database begin with the first server that reads the log for them. */
export async function areHeard({ sql }: Works): Promise<void> {
  await vi.waitFor(async () => {
    const rows = await sql.run("select name from mainstay.log_cursors where name in ('webhooks', 'functions')");
    expect(rows).toHaveLength(2);
  }, patience);
}

/** @param during what is done while it is away */
export async function crashPostgres({ postgres, sql }: Works, during = async () => {}): Promise<void> {
  const startedAt = async () => (await sql.run("select pg_postmaster_start_time()::text as at"))[0]!.at;
  const before = await startedAt();
  process.kill(postgres.pid(), "SIGQUIT");
  await during();
  await vi.waitFor(async () => expect(await startedAt()).not.toBe(before), patience);
}

/** One that finds PostgreSQL recovering says so and ends; whoever runs it starts it again. */
export const startAgain = (node: Server): Promise<void> => vi.waitFor(() => node.start(), patience);

/** @throws when a server has ended that nobody has killed */
export function isAlive(node: Server): void {
  expect(() => process.kill(node.pid, 0), `a server has ended: ${node.output.slice(-4_000)}`).not.toThrow();
}

/** Kills the process in which a node runs its functions. @returns whether there was one */
export async function killFunctions(node: Server): Promise<boolean> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,args="]);
  for (const line of stdout.split("\n")) {
    const [pid, parent, ...args] = line.trim().split(/\s+/);
    if (Number(parent) !== node.pid || !args.some((arg) => /supervisor[^/]*\.(ts|m?js)$/.test(arg))) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
      return true;
    } catch {
      return false; // It has just ended.
    }
  }
  return false;
}
