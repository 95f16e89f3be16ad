import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fraction, seed } from "../random.ts";
import {
  areHeard,
  crashPostgres,
  isAlive,
  killFunctions,
  patience,
  startAgain,
  startWorks,
  type Works,
} from "./app.ts";
import { changes } from "./works/changes.ts";
import { jobs } from "./works/jobs.ts";
import { letters } from "./works/letters.ts";
import { revoked } from "./works/revoked.ts";
import { ticks } from "./works/ticks.ts";
import { webhooks } from "./works/webhooks.ts";
import type { MakeWork, Work } from "./works/work.ts";
import { workflows } from "./works/workflows.ts";

const count = Number(process.env.MAINSTAY_OUTAGE_JOBS ?? 240);
const kills = Number(process.env.MAINSTAY_OUTAGE_KILLS ?? 4);
const chunk = Math.max(30, Math.ceil(count / 100));
const kinds: Readonly<Record<string, MakeWork>> = {
  jobs,
  revoked,
  workflows,
  changes,
  webhooks,
  letters,
  ticks,
};

let works: Works;
const all = new Map<string, Work>();
let killedFunctions = 0;

/** In turns, so that a short run has each. */
const faults: readonly (() => Promise<void>)[] = [
  async () => {
    const node = either();
    await node.kill();
    await startAgain(node);
  },
  async () => {
    if (await killFunctions(either())) killedFunctions++;
  },
  () => crashPostgres(works),
  async () => {
    const node = either();
    await crashPostgres(works, () => node.kill());
    await startAgain(node);
  },
];
const either = () => works.nodes[Math.floor(fraction() * works.nodes.length)]!;

beforeAll(async () => {
  works = await startWorks();
  await areHeard(works);
  for (const [name, make] of Object.entries(kinds)) all.set(name, make(works.apart()));
  let put = 0;
  const busy = new Set<string>();
  const putting = (async () => {
    while (put < count) {
      const to = Math.min(count, put + chunk);
      await Promise.all(
        [...all].map(async ([name, work]) => {
          busy.add(name);
          await work.put(put, to);
          busy.delete(name);
        }),
      );
      put = to;
    }
  })();
  for (let time = 0; time < kills; time++) {
    await vi.waitFor(() => {
      expect(put, `${[...busy]} are not done, seed ${seed}`).toBeGreaterThanOrEqual((count * time) / (kills + 1));
    }, patience);
    await new Promise((resolve) => setTimeout(resolve, fraction() * 300));
    await faults[time % faults.length]!();
    for (const node of works.nodes) isAlive(node);
  }
  await putting;
  for (const work of all.values()) await work.ended?.();
}, 1_200_000);
afterAll(() => works?.stop());

describe(`X11: ${count} of each, killed ${kills} times`, () => {
  test.each(Object.keys(kinds))(
    "%s",
    async (name) => {
      const work = all.get(name)!;
      await vi.waitFor(() => work.isOver(count), { ...patience, timeout: 600_000 });
      await work.check(count);
    },
    660_000,
  );

  test("what a dead node had is another's within its lease", async () => {
    const { book, sql, nodes } = works;
    /** What is known of it, for a failure to say. */
    const story = async (): Promise<string> => {
      const jobs = await sql.run("select * from mainstay.jobs where name = 'held'");
      const members = await sql.run("select *, clock_timestamp() as now from mainstay.job_nodes");
      return JSON.stringify([seed, book.page("held"), jobs, members]);
    };
    book.holds.add("held");
    await sql.run("select mainstay.enqueue('held', '{\"n\": 1}', key => 'held')");
    await vi.waitFor(async () => expect(book.page("held"), await story()).toHaveLength(1), patience);
    const { node } = book.page("held")[0]!;
    const at = Number(node!.slice("node-".length));
    await nodes[at]!.kill();
    const killedAtMs = performance.now();
    for (const node of nodes) if (node !== nodes[at]) isAlive(node);
    await vi.waitFor(async () => expect(book.page("held").length, await story()).toBeGreaterThan(1), patience);
    expect(performance.now() - killedAtMs).toBeLessThan(30_000);
    expect(book.page("held")[1]!.node).not.toBe(node);
    book.letGo("held");
    await vi.waitFor(async () => {
      const states = await sql.run("select state from mainstay.jobs where name = 'held'");
      expect(states, await story()).toEqual([{ state: 4 }]);
    }, patience);
  }, 400_000);

  test("functions were killed as well", () => {
    if (kills > 1) expect(killedFunctions, `seed ${seed}`).toBeGreaterThan(0);
  });
});
