import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import { openTestRealtime, type TestRealtime } from "../testing.ts";
import { RightsDesk } from "./rights.ts";

let realtime: TestRealtime;
let desk: RightsDesk;
const member = randomUUID();

const policies = `
  create table public.members (room text, user_id uuid, primary key (room, user_id));
  alter table public.members enable row level security;
  create policy own on public.members for select to authenticated using (user_id = (select auth.uid()));
  grant select on public.members to authenticated, anon;
  insert into public.members values ('talk', '${member}');
  set role postgres;
  create policy "members read" on realtime.messages for select to authenticated
    using (extension = 'broadcast' and exists (select from public.members m where m.room = realtime.topic()));
  create policy "anybody signed in sees who is here" on realtime.messages for select to authenticated
    using (realtime.messages.extension = 'presence' and topic = 'lobby');
  create policy "readers of news" on realtime.messages for select to anon, authenticated using (realtime.topic() = 'news');
  create policy "writers of one's own" on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'inbox:' || (select auth.uid())::text);
  create policy "members say who they are" on realtime.messages for insert to authenticated
    with check (extension = 'presence' and exists (select from public.members m where m.room = topic));
  create policy "never here" on realtime.messages as restrictive for select to authenticated
    using (realtime.topic() <> 'closed');
  create policy "members of closed" on realtime.messages for select to authenticated using (topic = 'closed');
  create policy "broken" on realtime.messages for select to authenticated
    using (case when realtime.topic() = 'broken' then (1 / (length(topic) - length(topic))) = 1 else false end);
  reset role;
`;

beforeAll(async () => {
  realtime = await openTestRealtime({ sql: policies });
  desk = new RightsDesk(realtime.context.session, realtime.context.observe);
});
afterAll(() => realtime.close());

const user = (claims: Readonly<Record<string, unknown>> = {}): Principal =>
  realtime.context.identity.verify(realtime.token({ sub: member, ...claims }));
const stranger = (): Principal => user({ sub: randomUUID() });

async function all(name: string, who: Principal): Promise<string> {
  const rights = await desk.ask(name, who);
  const { readBroadcast, readPresence } = rights;
  const [writeBroadcast, writePresence] = await Promise.all([rights.writeBroadcast(), rights.writePresence()]);
  const letters = { b: readBroadcast, p: readPresence, B: writeBroadcast, P: writePresence };
  return Object.entries(letters)
    .filter(([, may]) => may)
    .map(([letter]) => letter)
    .join("");
}

/** The same, tried with rows that are taken back. */
async function really(name: string, who: Principal): Promise<string> {
  const inTransaction = async (first: string, statement: string): Promise<Record<string, unknown>[] | null> => {
    await realtime.sql("begin");
    try {
      if (first !== "") await realtime.sql(first, [name]);
      await realtime.sql(
        `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
          set_config('request.jwt.claim.sub', $3, true), set_config('realtime.topic', $4, true)`,
        [who.role, who.claimsJson, who.subject ?? "", name],
      );
      return await realtime.sql(statement, [name]);
    } catch {
      return null;
    } finally {
      await realtime.sql("rollback");
    }
  };
  const readable = await inTransaction(
    "insert into realtime.messages (topic, extension) values ($1, 'broadcast'), ($1, 'presence')",
    "select extension from realtime.messages where topic = $1",
  );
  const isRead = (extension: string) => readable?.some((row) => row.extension === extension) ?? false;
  const isWritten = async (extension: string) =>
    (await inTransaction(
      "",
      `insert into realtime.messages (topic, extension, private) values ($1, '${extension}', true)`,
    )) !== null;
  return [
    isRead("broadcast") ? "b" : "",
    isRead("presence") ? "p" : "",
    (await isWritten("broadcast")) ? "B" : "",
    (await isWritten("presence")) ? "P" : "",
  ].join("");
}

/** b, p: reads broadcasts, presence; B, P: writes them. */
describe("rights on private channels", () => {
  it("R07 are four, each by its own policies", async () => {
    expect(await all("talk", user())).toBe("bP");
    expect(await all("talk", stranger())).toBe("");
    expect(await all("lobby", stranger())).toBe("p");
    expect(await all("news", stranger())).toBe("bp");
    expect(await all(`inbox:${member}`, user())).toBe("BP");
    expect(await all(`inbox:${member}`, stranger())).toBe("");
    expect(await all("elsewhere", user())).toBe("");
  });

  it("are nobody's by a role that no policy names", async () => {
    const { anonymous } = realtime.context.identity;
    expect(await all("news", anonymous)).toBe("bp");
    expect(await all("talk", anonymous)).toBe("");
    expect(await all("news", user({ role: "no such role" }))).toBe("");
  });

  it("are all of them for who is above policies", async () => {
    expect(await all("anything", user({ role: "service_role" }))).toBe("bpBP");
  });

  it("obey restrictive policies", async () => {
    expect(await all("closed", user())).toBe("");
  });

  it("are none where a policy fails, which is reported", async () => {
    expect(await all("broken", user())).toBe("");
    expect(realtime.observations).toContainEqual({
      kind: "warning",
      area: "realtime",
      message: expect.stringContaining("division by zero"),
    });
  });

  it("R01 are asked with the caller's rights and for its topic alone, whatever the connection did before", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => [user(), stranger(), realtime.context.identity.anonymous][i % 3]!).map(
        (who) => all("talk", who),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 60 }, (_, i) => ["bP", "", ""][i % 3]));
  });

  it("take a topic as a value, whatever is in it", async () => {
    for (const name of ["'; drop table public.members; --", "$1", "{}", "a\nb", "тема", "%", "\\"]) {
      expect(await all(name, user())).toBe("");
    }
    expect(await realtime.sql("select count(*)::int as n from public.members")).toEqual([{ n: 1 }]);
  });

  it("are what PostgreSQL does with real rows", async () => {
    const names = ["talk", "lobby", "news", "closed", `inbox:${member}`, "elsewhere", ""];
    for (const who of [user(), stranger(), realtime.context.identity.anonymous, user({ role: "service_role" })]) {
      for (const name of names) expect([name, await all(name, who)]).toEqual([name, await really(name, who)]);
    }
  });

  it("leave nothing behind: no row, no dead row, no transaction number", async () => {
    const pages = () => realtime.sql("select pg_relation_size('realtime.messages_default')::int as bytes");
    // What rows of the test before have left, PostgreSQL would give back in between.
    await realtime.sql("vacuum realtime.messages_default");
    const before = await pages();
    for (let i = 0; i < 200; i++) await all("talk", user({ session: i }));
    expect(await pages()).toEqual(before);
    expect(await realtime.sql("select count(*)::int as n from realtime.messages")).toEqual([{ n: 0 }]);
    await realtime.sql("begin");
    await realtime.sql("select set_config('role', 'service_role', true), set_config('realtime.topic', 'talk', true)");
    expect(
      await realtime.sql(`select mainstay.may_write_channel('talk', 'broadcast') as "mayWrite",
        (mainstay.may_read_channel('talk')).broadcast as "mayRead", pg_current_xact_id_if_assigned() as xid`),
    ).toEqual([{ mayWrite: true, mayRead: true, xid: null }]);
    await realtime.sql("rollback");
  });

  it("ask PostgreSQL once for those who ask together, and anew after a doubt", async () => {
    const who = user({ together: 1 });
    const first = desk.ask("talk", who);
    expect(desk.ask("talk", user({ together: 1, sub: member, iat: who.claims.iat, exp: who.claims.exp }))).toBe(first);
    desk.doubt();
    const second = desk.ask("talk", who);
    expect(second).not.toBe(first);
    await Promise.all([first, second]);
  });
});
