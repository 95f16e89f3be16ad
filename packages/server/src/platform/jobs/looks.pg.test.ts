import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nothingSeen, type Seen } from "./looks.ts";
import { jobsStore } from "./store.ts";
import { JobsBench, until } from "./testing.ts";
import type { NewJob } from "./types.ts";

let bench: JobsBench;
beforeEach(async () => {
  bench = await JobsBench.open();
});
afterEach(() => bench.close());

const job = (payload: string, more: Partial<NewJob> = {}): NewJob => ({ name: "a", payload, ...more });

it("looks behind what was seen of a queue and a priority, within their limits, and at all of other names", async () => {
  const { db, jobs } = bench.node();
  await jobs.enqueue(db, [
    job("old"),
    job("soon", { priority: -1 }),
    job("elsewhere", { queue: "other" }),
    job("seen"),
    job("next"),
    job("later"),
    job("full", { queue: "limited" }),
    job("too full", { queue: "limited" }),
    { name: "b", payload: "another name" },
  ]);
  await bench.sql("insert into mainstay.job_queues (name, concurrency) values ('limited', 1)");
  const [{ place }] = (await bench.sql<{ place: number }>(
    "select place::int from mainstay.jobs where payload = '\"seen\"'",
  )) as [{ place: number }];
  const node = await jobsStore.join(db, randomUUID());
  const claim = async (seen: Seen, want: number) => {
    const turn = { node, doneIds: [], doneClaims: [], ended: [], leaseMs: 60_000, isIdle: false };
    const result = await jobsStore.turn(db, { ...turn, names: ["a", "b"], wants: [want, want], total: 2 * want, seen });
    expect(result.lookMs).toBeGreaterThan(0);
    return result.jobs.map(([, , , payload]) => payload).toSorted();
  };
  const seen = { ats: [1, 1], queues: ["default", "limited"], priorities: [0, 0], places: [place, 0] };
  expect(await claim(seen, 2)).toEqual(["another name", "later", "next"]);
  expect(await claim(seen, 9)).toEqual(["full"]);
  expect(await claim(nothingSeen, 9)).toEqual(["elsewhere", "old", "seen", "soon"]);
});

it("runs what is ready before the place it has come to, while each look at everything is slow", async () => {
  // What an old snapshot does to looks at everything, without the 100,000 jobs that it takes.
  await bench.sql(`alter function mainstay.turn_jobs rename to quick_turn_jobs;
    create function mainstay.turn_jobs(node integer, epoch integer, done uuid[], claims integer[], ended jsonb, names text[], wants integer[],
      total integer, lease interval, is_idle boolean, ats integer[], queues text[], priorities smallint[], places bigint[]) returns json
    language plpgsql as $$
    declare
      answer jsonb := mainstay.quick_turn_jobs(node, epoch, done, claims, ended, names, wants, total, lease, is_idle, ats, queues, priorities, places);
    begin
      insert into public.looks select max(place) from unnest(places) place;
      return answer || jsonb_build_object('lookMs', case when cardinality(ats) > 0 then 1 else 30 end);
    end $$;
    create table public.looks (behind bigint)`);
  const node = bench.node({ jobsPollMs: 60_000 });
  const got: unknown[] = [];
  node.jobs.handle({
    name: "a",
    maxAttempts: 1,
    async run({ payload, attempt }) {
      got.push(payload);
      if (payload === "first" && got.filter((one) => one === "first").length === 1)
        throw new Error(`attempt ${attempt}`);
      return { kind: "done" };
    },
  });
  const [first] = await node.jobs.enqueue(node.db, [job("first")]);
  const [{ place }] = (await bench.sql<{ place: number }>("select place::int from mainstay.jobs")) as [
    { place: number },
  ];
  await node.jobs.start();
  let put = 0;
  // Until a look has begun behind the first.
  await until(async () => {
    await node.jobs.enqueue(node.db, [job(`${++put}`)]);
    return (await bench.sql("select from public.looks where behind > $1", [place])).length > 0;
  });
  await until(() => got.includes(`${put}`));
  expect((await node.jobs.get(first!.id))?.state).toBe("dead");
  await node.jobs.retry(first!.id);
  await node.jobs.enqueue(node.db, [job("sooner", { priority: -9 }), job("elsewhere", { queue: "new" })]);
  await until(() => got.filter((one) => one === "first").length === 2);
  await until(() => got.includes("sooner") && got.includes("elsewhere"));
  expect(new Set(got).size).toBe(put + 3);
});
