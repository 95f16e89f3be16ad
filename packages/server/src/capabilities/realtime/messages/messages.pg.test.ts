import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTestRealtime, type TestRealtime } from "../testing.ts";
import { createMessagesKeeper } from "./index.ts";

let realtime: TestRealtime;
beforeEach(async () => {
  realtime = await openTestRealtime();
});
afterEach(() => realtime.close());

const partitions = async (): Promise<string[]> => {
  const rows = await realtime.sql<{ name: string }>(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'realtime.messages'::regclass order by 1",
  );
  return rows.map(({ name }) => name);
};
const send = (agoDays: number) =>
  realtime.sql(
    `insert into realtime.messages (topic, extension, inserted_at)
      values ('room', 'broadcast', timezone('utc', now()) - $1::int * interval '1 day')`,
    [agoDays],
  );
const countOf = async (table: string) =>
  (await realtime.sql<{ n: number }>(`select count(*)::int as n from ${table}`))[0]!.n;
const dayOf = (inDays: number) =>
  `realtime.messages_${new Date(Date.now() + inDays * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "_")}`;

describe("realtime.messages", () => {
  it("is left as it is where nobody sends", async () => {
    await createMessagesKeeper(realtime.context).maintain();
    expect(await partitions()).toEqual(["realtime.messages_default"]);
  });

  it("gets a partition for each of the next days once somebody does", async () => {
    await send(0);
    const keeper = createMessagesKeeper(realtime.context);
    await keeper.maintain();
    await keeper.maintain();
    // Today's are where the first one went.
    expect(await partitions()).toEqual([dayOf(1), dayOf(2), dayOf(3), "realtime.messages_default"]);
    await send(-1);
    await send(0);
    expect(await countOf(dayOf(1))).toBe(1);
    expect(await countOf("realtime.messages_default")).toBe(2);
    expect(realtime.observations.filter(({ kind }) => kind === "warning")).toEqual([]);
  });

  it("shows a day's rows to nobody who goes past the policies of the whole", async () => {
    await send(0);
    await createMessagesKeeper(realtime.context).maintain();
    await send(-1);
    const [secured] = await realtime.sql(
      `select relrowsecurity as "isSecured", has_table_privilege('authenticated', oid, 'select') as "mayRead"
        from pg_class where oid = $1::regclass`,
      [dayOf(1)],
    );
    expect(secured).toEqual({ isSecured: true, mayRead: false });
  });

  it("loses what is older than it keeps, whole days at once and what is in the default one", async () => {
    await send(0);
    await send(9);
    await realtime.sql(`create table realtime.messages_old partition of realtime.messages
      for values from ('2001-01-01') to ('2001-01-02')`);
    await realtime.sql(
      "insert into realtime.messages (topic, extension, inserted_at) values ('room', 'broadcast', '2001-01-01 10:00')",
    );
    const keeper = createMessagesKeeper(realtime.context);
    await keeper.maintain();
    await keeper.maintain();
    expect(await partitions()).not.toContain("realtime.messages_old");
    expect(await countOf("realtime.messages")).toBe(1);
  });

  it("has room for today where there is no default partition", async () => {
    await realtime.sql("drop table realtime.messages_default");
    await createMessagesKeeper(realtime.context).maintain();
    expect(await partitions()).toEqual([dayOf(0), dayOf(1), dayOf(2), dayOf(3)]);
    await send(0);
  });

  it("waits for nobody for long, and comes again", async () => {
    await send(0);
    const keeper = createMessagesKeeper(realtime.context);
    await realtime.sql("begin");
    await realtime.sql("lock table realtime.messages in access exclusive mode");
    const blocked = keeper.maintain();
    await realtime.sql("select pg_sleep(0.1)");
    await realtime.sql("rollback");
    await blocked;
    await keeper.maintain();
    expect(await partitions()).toHaveLength(4);
  });

  it("R14 drops nothing that the log still has to give, since a dropped day is no news", async () => {
    const [publication] = await realtime.sql(
      "select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication where pubname = 'supabase_realtime_messages_publication'",
    );
    expect(publication).toEqual({
      pubinsert: true,
      pubupdate: false,
      pubdelete: false,
      pubtruncate: false,
      pubviaroot: true,
    });
  });
});
