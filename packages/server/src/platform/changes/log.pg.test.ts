import { afterAll, beforeAll, expect, it } from "vitest";
import { LogBench, Witness } from "./testing.ts";

let bench: LogBench;
beforeAll(async () => {
  bench = await LogBench.open();
});
afterAll(() => bench.close());

it("follows inserts, updates, deletes and messages", async () => {
  await bench.sql(
    "create table todos (id int primary key, title text); alter publication supabase_realtime add table todos",
  );
  const log = bench.log();
  const witness = new Witness();
  await log.follow(witness);
  await bench.sql("insert into todos values (1, 'a')");
  await bench.sql("update todos set title = 'b'");
  await bench.sql("delete from todos");
  await log.emit("test", Buffer.from("hello"), { isUrgent: true });
  await expect.poll(() => witness.entries.length).toBe(4);
  expect(witness.words).toEqual([
    ["insert", "todos", { id: "1", title: "a" }, null],
    ["update", "todos", { id: "1", title: "b" }, null],
    ["delete", "todos", null, { id: "1" }],
  ]);
  expect(witness.messages[0]?.content.toString()).toBe("hello");
  expect(log.stats().state).toBe("following");
});
