import { templateDatabase } from "@mainstay/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bench, folderOf, openBench } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await openBench(await templateDatabase());
});
afterEach(() => bench.close());

describe("extensions whose functions we bring", () => {
  it("are made, spoken of and dropped by a project's migrations without a word", async () => {
    const dir = await folderOf({
      "1_a.sql": `create extension if not exists pg_net with schema extensions;
        create schema if not exists pgmq;
        create extension pgmq with schema pgmq version '1.4.4';
        comment on extension pg_net is 'Async HTTP';
        alter extension pgmq update;
        create table t (id bigint);
        create function told() returns trigger language plpgsql as $$
          begin perform net.http_post('https://example.com', '{}'); return new; end $$;
        create trigger t after insert on t for each row
          execute function supabase_functions.http_request('https://example.com', 'POST', '{}', '{}', '1000');
        select pgmq.create('jobs'); select pgmq.send('jobs', '{"a": 1}');`,
      "2_b.sql": "drop extension if exists pg_net; drop extension pgmq cascade;",
    });
    const { warnings } = await bench.up(dir);
    expect(warnings.filter((warning) => /pg_net|pgmq/.test(warning))).toEqual([]);
    // Nothing was dropped either: what we bring stays.
    expect(await bench.rows("select message from pgmq.q_jobs")).toEqual([{ message: { a: 1 } }]);
    expect(await bench.rows("select proname from pg_proc where oid = 'net.wake'::regproc")).toHaveLength(1);
  });

  it("fail as ever when several are named and one is none of ours", async () => {
    const dir = await folderOf({ "1_a.sql": "drop extension pg_net, vector;" });
    await expect(bench.up(dir)).rejects.toThrow("does not exist");
  });
});
