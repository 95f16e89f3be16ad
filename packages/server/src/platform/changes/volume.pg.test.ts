import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogEntry } from "../../kernel/change.ts";
import { LogBench, Witness } from "./testing.ts";

let bench: LogBench;
beforeAll(async () => {
  bench = await LogBench.open();
  await bench.sql(
    "create table rows (id int primary key, body text); alter publication supabase_realtime add table rows",
  );
});
afterAll(() => bench.close());

/** Counts, and keeps nothing: what has been told must be free to go. */
class Counter extends Witness {
  count = 0;
  last = 0;
  isOrdered = true;
  #taking = 0;
  mostAtOnce = 0;
  readonly #take: () => void | Promise<void>;

  constructor(take: () => void | Promise<void> = () => {}) {
    super();
    this.#take = take;
  }

  override async onEntry(entry: LogEntry): Promise<void> {
    if (entry.kind !== "batch") return;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#taking);
    for (const { new: row } of entry.changes) {
      const id = Number(row?.[0]);
      if (id !== this.last + 1) this.isOrdered = false;
      this.last = id;
      this.count++;
    }
    await this.#take();
    this.#taking--;
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("much at once", () => {
  it("R11: 200,000 rows of one transaction come whole and in order, with little of them in memory at a time", {
    timeout: 120_000,
  }, async () => {
    const ringBytes = 2 * 1024 * 1024;
    const log = bench.log({ logRingBytes: ringBytes, logBatchChanges: 500 });
    let mostBytes = 0;
    let mostEntries = 0;
    const counter = new Counter(async () => {
      const { ring } = log.stats();
      mostBytes = Math.max(mostBytes, ring.bytes);
      mostEntries = Math.max(mostEntries, ring.entries);
      await turn();
    });
    await log.follow(counter);
    await bench.sql("insert into rows select n, repeat('x', 50) from generate_series(1, 200000) n");
    await expect.poll(() => counter.count, { timeout: 90_000, interval: 100 }).toBe(200_000);
    expect(counter.isOrdered).toBe(true);
    expect(counter.gaps).toEqual([]);
    expect(counter.mostAtOnce).toBe(1);
    // A ring's worth: of the 400 batches, only so many were waiting at any time.
    expect(mostBytes).toBeLessThanOrEqual(ringBytes);
    expect(mostEntries).toBeLessThan(40);
    await log.close();
  });

  it("R11: whoever hangs falls off alone, is told, and goes on with what comes then", async () => {
    await bench.sql("truncate rows");
    const log = bench.log({ logRingBytes: 256 * 1024, logBatchChanges: 100, logPatienceMs: 200 });
    const released = Promise.withResolvers<void>();
    const [quick, hanging] = [new Counter(), new Counter(() => released.promise)];
    await log.follow(quick);
    await log.follow(hanging);
    for (let n = 0; n < 20; n++) {
      await bench.sql(
        `insert into rows select n, repeat('x', 50) from generate_series(${n * 1_000 + 1}, ${n * 1_000 + 1_000}) n`,
      );
    }
    await expect.poll(() => quick.count).toBe(20_000);
    expect([quick.isOrdered, quick.gaps, hanging.count]).toEqual([true, [], 100]);
    released.resolve();
    await expect.poll(() => hanging.gaps).toEqual(["retention"]);
    await bench.sql("insert into rows values (20001)");
    await expect.poll(() => hanging.last).toBe(20_001);
    expect(hanging.count).toBe(101);
    await log.close();
  });

  it("a value larger than the ring is told all the same", async () => {
    await bench.sql("truncate rows");
    const log = bench.log({ logRingBytes: 64 * 1024 });
    const witness = new Witness();
    await log.follow(witness);
    await bench.sql(
      "alter table rows alter body set storage external; insert into rows select 1, repeat('x', 5000000)",
    );
    await expect.poll(() => witness.changes.at(-1)?.new?.[1]?.length).toBe(5_000_000);
    await log.close();
  });
});
