import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Outage, startOutage } from "./app.ts";
import { Ledger, Truth } from "./ledger.ts";
import { patience, rowsOf } from "./listener.ts";
import { fraction, seed } from "./random.ts";

const writers = 4;
/** Fewer in every run than when the whole is asked for. */
const cuts = process.env.MAINSTAY_OUTAGE_WHOLE === "1" ? 20 : 8;

let app: Outage;
beforeAll(async () => {
  app = await startOutage();
});
afterAll(() => app.stop());

/** Several write at once, rows of each transaction together, until told to stop. Numbers are given out before commits: they do not tell the order. */
class Crowd {
  readonly #ledgers = Array.from({ length: writers }, (_, at) => new Ledger(app.databaseUrl, at));
  readonly #done: Promise<unknown>;
  #isOver = false;
  static #last = 0;

  constructor() {
    this.#done = Promise.all(this.#ledgers.map((ledger) => this.#write(ledger)));
  }

  async more(rows: number): Promise<void> {
    const target = Crowd.#last + rows;
    await vi.waitFor(() => expect(Crowd.#last).toBeGreaterThanOrEqual(target), patience);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    for (const ledger of this.#ledgers) await ledger.close();
  }

  async #write(ledger: Ledger): Promise<void> {
    while (!this.#isOver) {
      const numbers = Array.from({ length: 1 + Math.floor(fraction() * 5) }, () => ++Crowd.#last);
      await after(fraction() * 15);
      await ledger.write(numbers);
    }
  }
}

/** What PostgreSQL says has committed while `happening`, and what a phone heard of it first. */
async function compared(room: string, happening: (phone: Awaited<ReturnType<Outage["phone"]>>) => Promise<void>) {
  const phone = await app.phone();
  const truth = new Truth(app.sql);
  await phone.listen(room, ["ledger"]);
  await truth.begin();
  const crowd = new Crowd();
  try {
    await crowd.more(20);
    await happening(phone);
    await crowd.more(20);
  } finally {
    await crowd.end();
  }
  const committed = (await truth.end()).map((n) => `INSERT ledger ${n}`);
  expect(committed.length).toBeGreaterThan(40);
  await vi.waitFor(
    () => expect(rowsOf(phone).length, `with MAINSTAY_OUTAGE_SEED=${seed}: ${phone.story()}`).toBe(committed.length),
    patience,
  );
  expect(rowsOf(phone), `with MAINSTAY_OUTAGE_SEED=${seed}`).toEqual(committed);
  return phone;
}

describe("R13, R15: the ledger of PostgreSQL and that of a client agree, many writing at once", () => {
  test(`over ${cuts} cuts of the client's connection, at moments that chance chooses`, async () => {
    const phone = await compared("random-cuts", async ({ network }) => {
      for (let cut = 0; cut < cuts; cut++) {
        await after(fraction() * 300);
        network.cut();
        await after(fraction() * 150);
        network.restore();
      }
    });
    expect(phone.system.map(({ message }) => message)).not.toContainEqual(expect.stringContaining("missed"));
  });

  test("over ends of the connection that the server reads the log by", async () => {
    let lastPid: unknown = null;
    const end = () =>
      vi.waitFor(async () => {
        const slots = `select active_pid from pg_replication_slots
          where database = current_database() and active and slot_name like 'mainstay_live_%'`;
        const pids = (await app.sql.run(slots)).map((row) => row.active_pid);
        expect(pids).toHaveLength(1);
        expect(pids).not.toEqual([lastPid]);
        [lastPid] = pids;
        expect(await app.sql.run("select pg_terminate_backend($1) as ended", [lastPid])).toEqual([{ ended: true }]);
      }, patience);
    const phone = await compared("walsender", async (listening) => {
      for (let round = 0; round < 5; round++) {
        await after(fraction() * 100);
        await end();
      }
      // And while a client is away.
      listening.network.cut();
      await end();
      await after(200);
      listening.network.restore();
      await listening.replicating(2);
    });
    expect(phone.system.map(({ message }) => message)).not.toContainEqual(expect.stringContaining("missed"));
  });
});
