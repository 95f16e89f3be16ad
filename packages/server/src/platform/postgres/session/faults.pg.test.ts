import { describe, expect, test } from "vitest";
import { openSession } from "./index.ts";
import { defaults, one, openWire, read, slow, targetOf, useDatabase, write } from "./testing.ts";

const database = useDatabase("create table ledger (n int primary key)");

const terminate = (application: string) =>
  database
    .admin()
    .query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and pid <> pg_backend_pid()",
      [application],
    );

describe("a backend is terminated", () => {
  test("reads in flight are answered by another connection", async () => {
    const session = await database.session({}, { applicationName: "fault-reads" });
    const answers = Array.from({ length: 50 }, (_, i) =>
      one(session, read("select pg_sleep(0.01), $1::int", [String(i)])),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await terminate("fault-reads");
    await Promise.all(answers);
    expect(await one(session, read("select 'back'"))).toBe("back");
  });

  test("a write in flight is not repeated: the caller is told that its fate is unknown", async () => {
    const session = await database.session({ writeConnections: 1 }, { applicationName: "fault-writes" });
    await session.fly(write("select 1"));
    const doomed = session.fly(write("insert into ledger select 1 from pg_sleep(5)"));
    doomed.catch(() => {});
    await expect
      .poll(
        async () =>
          (
            await database
              .admin()
              .query(
                "select 1 from pg_stat_activity where query like 'insert into ledger select 1%' and state = 'active'",
              )
          ).rowCount,
      )
      .toBe(1);
    await terminate("fault-writes");
    await expect(doomed).rejects.toMatchObject({
      code: "postgres/unavailable",
      status: 503,
      details: expect.stringContaining("not known"),
    });
    await session.fly(write("insert into ledger values (2)"));
    expect(await one(session, read("select string_agg(n::text, ',') from ledger"))).toBe("2");
  });
});

test("a connection that falls silent is found out, and its reads go again", async () => {
  const wire = await openWire(Number(new URL(database.url()).port));
  const session = await database.session({ readConnections: 1 }, { host: "127.0.0.1", port: wire.port });
  expect(await one(session, read("select 1"))).toBe("1");
  wire.freeze();
  expect(await one(session, read("select 'found'"))).toBe("found");
  await session.close();
  await wire.close();
});

test("a long statement is not taken for a silent connection", async () => {
  const session = await database.session();
  expect(await one(session, slow("select 'done' from pg_sleep(7)"))).toBe("done");
});

test("a slow read moves out of the lane that others share", async () => {
  const session = await database.session({ readConnections: 1 });
  const sleepy = read("select pg_sleep(0.12)");
  await session.fly(sleepy);
  const order: string[] = [];
  await Promise.all([
    session.fly(sleepy).then(() => order.push("slow")),
    session.fly(read("select 1")).then(() => order.push("quick")),
  ]);
  expect(order).toEqual(["quick", "slow"]);
});

test("PostgreSQL away: requests are refused with 503 after a bounded wait, and served again when it is back", async () => {
  const port = Number(new URL(database.url()).port);
  const wire = await openWire(port);
  const session = await openSession({
    target: targetOf(database.url(), { host: "127.0.0.1", port: wire.port }),
    settings: defaults,
    observe: () => {},
  });
  await wire.close();
  await expect(session.fly(read("select 1"))).rejects.toMatchObject({
    code: "postgres/unavailable",
    status: 503,
    headers: { "Retry-After": "1" },
  });
  await session.close();
});

test("a wrong password is known at the start", async () => {
  await expect(database.session({}, { password: "wrong" })).rejects.toMatchObject({ sqlstate: "28P01" });
});
