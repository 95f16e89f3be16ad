import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type OwnPostgres, openOwnPostgres } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Outage, startOutage } from "./app.ts";
import { Ledger } from "./ledger.ts";
import { broadcastsOf, type Phone, patience, rowsOf } from "./listener.ts";

const room = "restarts";
/** Rows go on being written, whatever happens. */
class Writing {
  readonly #ledger: Ledger;
  readonly #done: Promise<void>;
  #isOver = false;
  static #last = 0;
  readonly first = Writing.#last + 1;

  constructor(databaseUrl: string) {
    this.#ledger = new Ledger(databaseUrl);
    this.#done = this.#write();
  }

  get written(): number {
    return Writing.#last;
  }

  /** Resolves when so many more have been written. */
  async more(rows: number): Promise<void> {
    const target = this.written + rows;
    await vi.waitFor(() => expect(this.written).toBeGreaterThanOrEqual(target), patience);
  }

  /** @returns all that was written, in its order */
  async end(): Promise<number[]> {
    this.#isOver = true;
    await this.#done;
    await this.#ledger.close();
    return Array.from({ length: this.written - this.first + 1 }, (_, at) => this.first + at);
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      await this.#ledger.write([Writing.#last + 1]);
      Writing.#last++;
      if (Writing.#last % 10 === 0) {
        await this.#ledger.run("select realtime.send(jsonb_build_object('n', $1::int), 'sent', $2)", [
          Writing.#last,
          room,
        ]);
      }
    }
  }
}

/** What happens while a client listens and rows are written; the client sees all of them, in order, from the first on. */
async function nothingIsLost(app: Outage, alice: Phone, happening: (writing: Writing) => Promise<void>): Promise<void> {
  // What was in doubt comes twice.
  const [rowsBefore, sentBefore] = [new Set(rowsOf(alice)), new Set(broadcastsOf(alice, "sent"))];
  const writing = new Writing(app.databaseUrl);
  await writing.more(20);
  await happening(writing);
  await writing.more(20);
  const numbers = await writing.end();
  const rows = () => rowsOf(alice).filter((word) => !rowsBefore.has(word));
  const sent = () => broadcastsOf(alice, "sent").filter((word) => !sentBefore.has(word));
  const written = numbers.map((n) => `INSERT ledger ${n}`);
  const wasSent = numbers.filter((n) => n % 10 === 0).map((n) => `sent ${n}`);
  await vi.waitFor(() => {
    expect(rows().at(-1), alice.story()).toBe(written.at(-1));
    expect(sent().at(-1), alice.story()).toBe(wasSent.at(-1));
  }, patience);
  expect(rows()).toEqual(written);
  expect(sent()).toEqual(wasSent);
  // Nobody was told that something is missing, since nothing is.
  expect(alice.system.map(({ message }) => message)).not.toContainEqual(expect.stringContaining("missed"));
}

describe.each(["embedded", "external"] as const)("R13: with PostgreSQL %s", (kind) => {
  let own: OwnPostgres | null = null;
  let app: Outage;
  let alice: Phone & { readonly network: { cut(): void; restore(): void } };
  beforeAll(async () => {
    if (kind === "external") own = await openOwnPostgres();
    app = await startOutage({}, own?.url ?? "embedded");
    alice = await app.phone();
    await alice.listen(room, ["ledger"]);
  });
  afterAll(async () => {
    await app.stop();
    await own?.stop();
  });

  const postmaster = async (): Promise<number> => {
    if (own !== null) return own.pid();
    const file = await readFile(join(app.project.dir, ".mainstay", "postgres", "data", "postmaster.pid"), "utf8");
    return Number(file.split("\n")[0]);
  };
  /** Shuts PostgreSQL down; whoever runs it starts it again. Resolves when it is another one that answers. */
  const restartPostgres = async (mode: "fast" | "immediate"): Promise<void> => {
    const startedAt = async () => (await app.sql.run("select pg_postmaster_start_time()::text as at"))[0]!.at;
    const before = await startedAt();
    process.kill(await postmaster(), mode === "fast" ? "SIGINT" : "SIGQUIT");
    await vi.waitFor(async () => expect(await startedAt()).not.toBe(before), patience);
  };

  test("a server that is stopped and started again", () =>
    nothingIsLost(app, alice, async (writing) => {
      await app.server.stop();
      // The embedded one stops with it.
      if (kind === "external") await writing.more(50);
      await app.server.start();
    }));

  test("a server that is killed", () =>
    nothingIsLost(app, alice, async (writing) => {
      await app.server.kill();
      await writing.more(50);
      await app.server.start();
    }));

  test.each(["fast", "immediate"] as const)("%s restart of PostgreSQL under a server that runs", (mode) =>
    nothingIsLost(app, alice, async () => {
      await restartPostgres(mode);
    }),
  );

  test("a client that is cut while PostgreSQL is away, and back before it", () =>
    nothingIsLost(app, alice, async (writing) => {
      alice.network.cut();
      await writing.more(20);
      const restarted = restartPostgres("immediate");
      alice.network.restore();
      await restarted;
    }));

  test("both at once", () =>
    nothingIsLost(app, alice, async (writing) => {
      // Where channels are is written beside what is delivered, and not waited for.
      await writing.more(50);
      const pid = await postmaster();
      await app.server.kill();
      process.kill(pid, "SIGQUIT");
      // One that finds PostgreSQL recovering says so and ends; whoever runs it starts it again.
      await vi.waitFor(() => app.server.start(), patience);
    }));
});
