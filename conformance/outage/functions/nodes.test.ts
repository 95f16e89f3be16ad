import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fraction, seed } from "../random.ts";
import { areHeard, patience, startAgain, startWorks, type Works } from "./app.ts";
import { book, isSeenOnce, seenOf } from "./works/changes.ts";
import { areTold, isEverySecond, secondNow } from "./works/ticks.ts";
import { effectsOf, isExactly, numbersFrom, numbersUpTo } from "./works/work.ts";

const hourMs = 3_600_000;
/** How far clocks jump: forth, back, by a day and by little. */
const jumpsMs = [hourMs, -hourMs, 24 * hourMs, -24 * hourMs, 1_500, -1_500, 0];
const jumps = Number(process.env.MAINSTAY_OUTAGE_JUMPS ?? 6);
const outageSeconds = 7;
const everySeconds = 3;

let works: Works;
let folder: string;
const clockOf = (node: number): string => join(folder, `clock-${node}`);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mainstay-clocks-"));
  await writeFile(clockOf(0), "0");
  await writeFile(clockOf(1), String(-hourMs));
  const NODE_OPTIONS = `--import ${new URL("clock.ts", import.meta.url).href}`;
  works = await startWorks({}, [
    { NODE_OPTIONS, CLOCK_FILE: clockOf(0) },
    { NODE_OPTIONS, CLOCK_FILE: clockOf(1) },
  ]);
  await areHeard(works);
});
afterAll(async () => {
  await works?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function jump(node: number): Promise<void> {
  await writeFile(clockOf(node), String(jumpsMs[Math.floor(fraction() * jumpsMs.length)]));
  process.kill(works.nodes[node]!.pid, "SIGUSR2");
}

/** Functions of the project as they are after its next deployment: another version of one, and one more. */
async function deploy(): Promise<void> {
  const file = join(works.project.dir, "functions", "reactions.ts");
  const source = (await readFile(file, "utf8")).replace("const version = 1", "const version = 2");
  const more = source
    .slice(source.indexOf('on("bulk"'))
    .replace('name: "bulk"', 'name: "added"')
    .replace("'bulk'", "'added'");
  await writeFile(file, `${source}\n${more}`);
}

/** Versions of rows are written one after another, until it is ended. */
function writing() {
  const own = works.apart();
  let [last, isOver] = [0, false];
  const done = (async () => {
    while (!isOver) {
      await book(own, [last]);
      last++;
      await after(10);
    }
  })();
  return {
    more: (rows: number) => {
      const target = last + rows;
      return vi.waitFor(() => expect(last).toBeGreaterThanOrEqual(target), patience);
    },
    async end(): Promise<number> {
      isOver = true;
      await done;
      return last;
    },
  };
}

/** Seconds up to this one, as far as a schedule has run for them: one that is run for later has settled what was before. */
async function runsUntil(page: string, second: number): Promise<number[]> {
  const found = await vi.waitFor(async () => {
    const seconds = await effectsOf(works, page);
    expect(Math.max(...seconds), `${page}, seed ${seed}`).toBeGreaterThan(second);
    return seconds;
  }, patience);
  expect(new Set(found).size, `${page} came twice, seed ${seed}`).toBe(found.length);
  return found.filter((one) => one <= second);
}

describe("X11, R13: two nodes whose clocks jump", () => {
  test("one after the other is replaced by another version of the code: every commit is seen once, in the order of its row", async () => {
    const { sql, nodes } = works;
    const bulk = (from: number, to: number) =>
      sql.run("insert into public.bulk (id) select unnest($1::int[]) on conflict do nothing", [numbersFrom(from, to)]);
    await bulk(0, 50);
    const written = writing();
    await written.more(20);
    await vi.waitFor(async () => expect(await seenOf(works, "bookings")).not.toEqual([]), patience);
    await deploy();
    // Killed in the middle; for a while the other one has all, and then both versions are there.
    await nodes[0]!.kill();
    await written.more(20);
    await startAgain(nodes[0]!);
    // A server answers before its functions are loaded.
    await vi.waitFor(async () => {
      expect(await sql.run("select name from mainstay.change_handlers where name = 'added'")).toHaveLength(1);
    }, patience);
    await bulk(50, 100);
    await written.more(20);
    for (let time = 0; time < jumps; time++) {
      await jump(time % 2);
      await after(fraction() * 500);
    }
    await nodes[1]!.stop();
    await written.more(20);
    const count = await written.end();
    const wanted = numbersUpTo(count);
    const seen = await vi.waitFor(async () => {
      const rows = await seenOf(works, "bookings");
      expect(rows.length, `seed ${seed}`).toBeGreaterThanOrEqual(count);
      return rows;
    }, patience);
    isSeenOnce(seen, wanted);
    const versions = await sql.run("select distinct version from public.seen where page = 'bookings' order by 1");
    expect(versions).toEqual([{ version: 1 }, { version: 2 }]);
    // A handler begins with what commits after it was there.
    for (const [page, from] of [
      ["bulk", 0],
      ["added", 50],
    ] as const) {
      await vi.waitFor(async () => {
        const ids = (await seenOf(works, page)).map(({ id }) => id);
        isExactly(ids, numbersFrom(from, 100), page);
      }, patience);
    }
    expect(await sql.run("select * from mainstay.change_gaps")).toEqual([]);
  }, 300_000);

  test("a schedule has every second once, whatever nodes think the time is", async () => {
    const now = await secondNow(works);
    await vi.waitFor(() => areTold(works, now), patience);
    isEverySecond(await runsUntil("tick", now), "ticks");
  }, 300_000);

  test("what was due while no node was there is made up for as each schedule says", async () => {
    await works.nodes[0]!.kill();
    const down = await secondNow(works);
    await vi.waitFor(async () => expect(await secondNow(works)).toBeGreaterThan(down + outageSeconds), patience);
    const up = await secondNow(works);
    await writeFile(clockOf(1), String(-24 * hourMs));
    await startAgain(works.nodes[1]!);
    const later = (await secondNow(works)) + everySeconds;
    const missed = async (page: string, before: number) =>
      (await runsUntil(page, later)).filter((second) => second > down && second < before);
    await vi.waitFor(() => areTold(works, later), patience);
    isEverySecond(await runsUntil("tick", later), "all that was missed");
    // Late by more than a second is missed.
    expect(await missed("skip", up - 1), `seed ${seed}`).toEqual([]);
    // The last one of those before it was settled, and that was when a node was there again.
    expect(await missed("once", up - (up % everySeconds)), `seed ${seed}`).toEqual([]);
  }, 300_000);
});
