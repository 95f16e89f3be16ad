import { execFile } from "node:child_process";
import { mkdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@supabase/supabase-js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Ledger } from "../ledger.ts";
import { Project, type Server } from "../server.ts";
import { cacheHome, furnish, patience, smallSettings, startAgain } from "./app.ts";
import { Book } from "./book.ts";

const run = promisify(execFile);
const backlog = Number(process.env.MAINSTAY_OUTAGE_BACKLOG ?? 20_000);
const megabyte = 1_048_576;
const diskMegabytes = 1_024;
/** What a node has at once, at most: those it runs, and those ahead of them. */
const claimedMost = 32 + 1_000;
/** More than a start differs from another, and far less than all that waits would take in memory. */
const moreMegabytes = 150;

let project: Project;
let book: Book;
let node: Server;
let sql: Ledger;
let url: string;
let data: string;
let isSmall = false;
beforeAll(async () => {
  book = await Book.open();
  project = await Project.make({ XDG_CACHE_HOME: cacheHome, BOOK: book.url, ...smallSettings });
  await furnish(project, book);
  // The embedded PostgreSQL, on a disk of its own.
  data = join(project.dir, ".mainstay");
  await mkdir(data, { mode: 0o700 });
  isSmall = await run("mount", ["-t", "tmpfs", "-o", `size=${diskMegabytes}m,mode=0700`, "tmpfs", data]).then(
    () => true,
    () => false,
  );
  node = await project.serve({ NODE_NAME: "node-0" });
  url = await project.databaseUrl();
  sql = new Ledger(url);
}, 300_000);
afterAll(async () => {
  await sql?.close();
  await node?.stop();
  if (isSmall) await run("umount", [data]);
  await project?.remove();
  await book?.close();
});

const doneOf = async (page: string): Promise<number[]> =>
  (await sql.run("select n::int from public.effects where page = $1 order by n", [page])).map(({ n }) => n as number);

async function put(name: string, from: number, to: number, queue: string, room = 1): Promise<void> {
  await sql.run(
    `select count(*) from mainstay.enqueue_many((
       select jsonb_agg(jsonb_build_object('name', $1::text, 'payload', jsonb_build_object('n', n, 'room', repeat('x', $5)),
         'key', $1 || '/' || n, 'queue', $4::text)) from generate_series($2::int, $3::int - 1) n))`,
    [name, from, to, queue, room],
  );
}

/** Most memory that its process ever had, in MB. */
async function peakMegabytes(): Promise<number> {
  const status = await readFile(`/proc/${node.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1_024;
}

async function restartMs(): Promise<number> {
  await node.stop();
  const beganAtMs = performance.now();
  await startAgain(node);
  return performance.now() - beganAtMs;
}

describe("X11: a queue that is long", () => {
  test(`${backlog} jobs wait while a server starts: it starts as before, holds few of them, and goes on with them`, async () => {
    const emptyMs = await restartMs();
    const emptyMegabytes = await peakMegabytes();
    await sql.run("insert into mainstay.job_queues (name, is_paused) values ('later', true)");
    const piece = 10_000;
    for (let n = 0; n < backlog; n += piece) await put("exact", n, Math.min(backlog, n + piece), "later");
    const fullMs = await restartMs();
    expect(await doneOf("exact")).toEqual([]);
    // Not by the number of jobs; a machine that does other things besides makes one start twice as long as another.
    expect(fullMs, `${Math.round(emptyMs)} ms without jobs`).toBeLessThan(4 * emptyMs + 5_000);
    await sql.run("update mainstay.job_queues set is_paused = false where name = 'later'");
    let most = 0;
    await vi.waitFor(async () => {
      const [found] = await sql.run("select count(*)::int as claimed from mainstay.jobs where claimed_by is not null");
      most = Math.max(most, found!.claimed as number);
      expect((await sql.run("select count(*)::int as done from public.effects"))[0]!.done).toBeGreaterThan(500);
    }, patience);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(claimedMost);
    expect((await peakMegabytes()) - emptyMegabytes).toBeLessThan(moreMegabytes);
    await sql.run("update mainstay.job_queues set is_paused = true where name = 'later'");
  }, 600_000);
});

describe("X17: a disk that is full", () => {
  test("jobs are refused, and clearly; with room again all that was answered is done, once", async (context) => {
    if (!isSmall) context.skip("NOT TRIED: no small disk can be mounted here");
    const { serviceRoleKey } = await project.keys();
    const client = createClient(node.url, serviceRoleKey, { auth: { persistSession: false } });
    const ballast = join(data, "ballast");
    const { bavail, bsize } = await statfs(data);
    await run("fallocate", ["-l", String(bavail * bsize - 4 * megabyte), ballast]);
    const direct = new pg.Client({ connectionString: url });
    direct.on("error", () => {});
    await direct.connect();
    const words = `select mainstay.enqueue('ordered', jsonb_build_object('n', $1::int, 'room', $2::text), key => 'full/' || $1)`;
    const kept: number[] = [];
    let refused: { readonly code?: string; readonly message: string } | null = null;
    for (let n = 0; refused === null && n < 1_000; n++) {
      // Random, or PostgreSQL would make little of it.
      const room = Array.from({ length: 10_000 }, () => Math.random().toString(36)).join("");
      await direct.query(words, [n, room]).then(
        () => kept.push(n),
        (error: { code?: string; message: string }) => {
          refused = error;
        },
      );
    }
    await direct.end().catch(() => {});
    expect(refused).toMatchObject({ code: "53100", message: expect.stringContaining("No space left on device") });
    // Where its log has no room PostgreSQL goes down, and comes up when what it has is enough: whoever asks through a function is answered in any case.
    const enqueue = () =>
      client.functions.invoke<string[]>("desk/enqueue", { body: { name: "exact", numbers: [backlog] } });
    const { error, response } = await enqueue();
    if (error === null) expect(response?.status).toBe(200);
    else expect(response?.status, String(error)).toBeGreaterThanOrEqual(500);
    await rm(ballast);
    await vi.waitFor(async () => expect((await enqueue()).error).toBeNull(), patience);
    await vi.waitFor(async () => {
      expect(await doneOf("ordered")).toEqual(expect.arrayContaining(kept));
      expect(await doneOf("exact")).toContain(backlog);
    }, patience);
    const done = await doneOf("ordered");
    expect(new Set(done).size).toBe(done.length);
    expect(done.length - kept.length, "only what was not answered may be there besides").toBeLessThanOrEqual(1);
    expect((await doneOf("exact")).filter((n) => n === backlog)).toHaveLength(1);
    expect(() => process.kill(node.pid, 0), "the server went on").not.toThrow();
  }, 300_000);
});
