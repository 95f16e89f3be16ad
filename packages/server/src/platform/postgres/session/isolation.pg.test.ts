import { describe, expect, test } from "vitest";
import { one, read, useDatabase, write } from "./testing.ts";

const database = useDatabase(`
  do $$ begin create role isolation_reader; exception when duplicate_object then null; when unique_violation then null; end $$;
  do $$ begin create role isolation_other; exception when duplicate_object then null; when unique_violation then null; end $$;
  create table notes (id int primary key, owner text not null, body text);
  insert into notes select n, 'user-' || n % 50, 'note ' || n from generate_series(0, 999) n;
  alter table notes enable row level security;
  create policy own on notes for select to isolation_reader using (owner = current_setting('request.jwt.claims', true)::json ->> 'sub');
  create policy late on notes for select to isolation_other using (id >= 990);
  grant select on notes to isolation_reader, isolation_other;
`);

const claims = (user: number): string => JSON.stringify({ sub: `user-${user}`, role: "isolation_reader" });

describe("B04 role and claims never stay on a shared connection", () => {
  test("10,000 interleaved requests of 50 users, with failing and abandoned ones between: each row proves its user", async () => {
    const session = await database.session({ readConnections: 2, readDepth: 64 });
    let wrong = 0;
    const work = Array.from({ length: 10_000 }, async (_, i) => {
      const user = (i * 7) % 50;
      if (i % 23 === 5) {
        await expect(session.fly(read("select 1 / 0", [], "isolation_reader", claims(user)))).rejects.toMatchObject({
          sqlstate: "22012",
        });
        return;
      }
      if (i % 29 === 7) {
        const leaving = new AbortController();
        const flight = session.fly({
          ...read("select count(*) from notes", [], "isolation_reader", claims(user)),
          signal: leaving.signal,
        });
        leaving.abort();
        await flight.catch(() => {});
        return;
      }
      const { rows } = await session.fly(
        read(
          "select owner, current_user, current_setting('request.jwt.claims') from notes",
          [],
          "isolation_reader",
          claims(user),
        ),
      );
      if (rows.length !== 20) wrong++;
      for (const [owner, role, seen] of rows) {
        if (
          owner!.toString() !== `user-${user}` ||
          role!.toString() !== "isolation_reader" ||
          seen!.toString() !== claims(user)
        )
          wrong++;
      }
    });
    await Promise.all(work);
    expect(wrong).toBe(0);
  });

  test("a flight without a context sees none", async () => {
    const session = await database.session({ readConnections: 1 });
    const bare = {
      ...read("select current_user::text || coalesce(current_setting('request.jwt.claims', true), '')"),
      prologue: [],
    };
    for (let i = 0; i < 20; i++) {
      const [, answer] = await Promise.all([
        session.fly(read("select 1", [], "isolation_reader", claims(i))),
        one(session, bare),
      ]);
      expect(answer).toBe("postgres");
    }
  });
});

test("B05 the same prepared shape under alternating roles obeys each role's policies", async () => {
  const session = await database.session({ readConnections: 1 });
  const count = "select count(*) from notes where id >= $1::int";
  for (let i = 0; i < 40; i++) {
    const [mine, late] = await Promise.all([
      one(session, read(count, ["0"], "isolation_reader", claims(3))),
      one(session, read(count, ["0"], "isolation_other", claims(3))),
    ]);
    expect([mine, late]).toEqual(["20", "10"]);
  }
  // A policy that changes is in force for statements that were prepared before.
  await database.admin().query("alter policy late on notes using (id >= 995)");
  expect(await one(session, read(count, ["0"], "isolation_other", claims(3)))).toBe("5");
  await database.admin().query("alter policy late on notes using (id >= 990)");
});

test("writes on many connections all arrive, in one transaction each", async () => {
  const session = await database.session();
  await session.fly(write("create table tally (n int primary key)"));
  await Promise.all(
    Array.from({ length: 500 }, (_, i) => session.fly(write("insert into tally values ($1::int)", [String(i)]))),
  );
  expect(await one(session, read("select count(*) || '/' || sum(n) from tally"))).toBe("500/124750");
});
