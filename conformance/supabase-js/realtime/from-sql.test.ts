import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { broadcastsOn, newName, type RealtimeApp, startRealtimeApp, subscribed, within } from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(`
    create policy "all read" on realtime.messages for select to authenticated, anon using (true);
    create table public.tickets (id int primary key, item text, price numeric);
    grant all on public.tickets to anon, authenticated, service_role;
    create function public.tell() returns trigger language plpgsql security definer as $$
    begin
      perform realtime.broadcast_changes('tickets:' || coalesce(new.id, old.id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
      return null;
    end $$;
    create trigger tell after insert or update or delete on public.tickets for each row execute function public.tell();
    create function public.announce(name text, is_private boolean) returns void language sql security definer as $$
      select realtime.send('{"by": "rpc"}', 'announced', name, is_private) $$;`);
});
afterAll(() => app.stop());

const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

const idOf = (value: unknown): string => (value as { readonly id: string }).id;

async function listening(name: string, isPrivate: boolean, vsn = "2.0.0") {
  const channel = app.realtime({ vsn }).client.channel(name, { config: { private: isPrivate } });
  const got = broadcastsOn(channel);
  await subscribed(channel);
  return got;
}

describe.each(["2.0.0", "1.0.0"])("realtime.send, to a client of vsn %s", (vsn) => {
  it("private by default: its payload with an id, and the same id beside it", async () => {
    const name = newName();
    const [got, others] = [await listening(name, true, vsn), await listening(name, false, vsn)];
    await app.sql(`select realtime.send('{"text": "ü", "n": 1.5}', 'created', '${name}')`);
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    expect(got).toEqual([{ event: "created", payload: { text: "ü", n: 1.5, id: uuid }, meta: { id: uuid } }]);
    expect(got[0]?.meta).toEqual({ id: idOf(got[0]?.payload) });
    await app.sql(`select realtime.send('{}', 'public', '${name}', false)`);
    await vi.waitFor(() => expect(others).toHaveLength(1), within);
    expect(others).toMatchObject([{ event: "public", payload: {} }]);
    expect(got).toHaveLength(1);
  });

  it("an id of the app's own stays", async () => {
    const name = newName();
    const got = await listening(name, false, vsn);
    await app.sql(`select realtime.send('{"id": 7}', 'x', '${name}', false)`);
    await vi.waitFor(() => expect(got).toEqual([{ event: "x", payload: { id: 7 }, meta: { id: uuid } }]), within);
  });

  it("with the transaction, in its order, and never what was rolled back", async () => {
    const name = newName();
    const got = await listening(name, true, vsn);
    await app.sql(`begin; select realtime.send('{}', 'undone', '${name}'); rollback`);
    await app.sql(`begin;
      select realtime.send(jsonb_build_object('n', n), 'n', '${name}') from generate_series(1, 20) as n;
      commit`);
    await vi.waitFor(() => expect(got).toHaveLength(20), within);
    expect(got.map(({ payload }) => (payload as { n: number }).n)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });
});

describe("other ways from SQL", () => {
  it("realtime.send_binary: bytes", async () => {
    const name = newName();
    const [got, older] = [await listening(name, true), await listening(name, true, "1.0.0")];
    await app.sql(`select realtime.send_binary('\\x00ff2a', 'blob', '${name}')`);
    await app.sql(`select realtime.send('{}', 'after', '${name}')`);
    await vi.waitFor(() => expect(got).toHaveLength(2), within);
    expect(got[0]).toMatchObject({ event: "blob", meta: { id: uuid } });
    expect([...new Uint8Array(got[0]?.payload as ArrayBuffer)]).toEqual([0, 255, 42]);
    await vi.waitFor(() => expect(older.map(({ event }) => event)).toEqual(["after"]), within);
  });

  it("realtime.broadcast_changes in a trigger, for each operation, of what apps do by REST", async () => {
    const got = await listening("tickets:1", true);
    const { client } = app.realtime();
    const head = { schema: "public", table: "tickets", id: uuid };
    expect((await client.from("tickets").insert({ id: 1, item: "tea", price: 2.5 })).error).toBeNull();
    expect((await client.from("tickets").update({ price: 3 }).eq("id", 1)).error).toBeNull();
    expect((await client.from("tickets").delete().eq("id", 1)).error).toBeNull();
    await vi.waitFor(() => expect(got).toHaveLength(3), within);
    const [tea, dearTea] = [2.5, 3].map((price) => ({ id: 1, item: "tea", price }));
    expect(got.map(({ event, payload }) => [event, payload])).toEqual([
      ["INSERT", { ...head, operation: "INSERT", record: tea, old_record: null }],
      ["UPDATE", { ...head, operation: "UPDATE", record: dearTea, old_record: tea }],
      ["DELETE", { ...head, operation: "DELETE", record: null, old_record: dearTea }],
    ]);
  });

  it("a row that the service role inserts; by RPC too; and none of an extension that is none", async () => {
    const name = newName();
    const got = await listening(name, true);
    await app.sql(`set role service_role;
      insert into realtime.messages (topic, extension, event, payload, private) values
        ('${name}', 'presence', 'no', '{}', true), ('${name}', 'broadcast', 'yes', '{"n": 1}', true);
      reset role`);
    await vi.waitFor(() => expect(got).toEqual([{ event: "yes", payload: { n: 1 }, meta: { id: uuid } }]), within);
    expect((await app.realtime().client.rpc("announce", { name, is_private: true })).error).toBeNull();
    await vi.waitFor(() => expect(got[1]).toMatchObject({ event: "announced", payload: { by: "rpc" } }), within);
  });

  it("B03 whoever has no right to write there sends nothing, and nothing fails", async () => {
    const name = newName();
    const got = await listening(name, true);
    await app.sql(`set role authenticated; select realtime.send('{}', 'forged', '${name}'); reset role`);
    await app.sql(`select realtime.send('{}', 'real', '${name}')`);
    await vi.waitFor(() => expect(got.map(({ event }) => event)).toEqual(["real"]), within);
  });
});

describe("replay", () => {
  const replayed = (name: string, replay: { since: number; limit?: number }, vsn = "2.0.0") => {
    const listener = app.realtime({ vsn });
    const channel = listener.client.channel(name, { config: { private: true, broadcast: { replay } } });
    return { ...listener, channel, got: broadcastsOn(channel) };
  };
  const send = (name: string, ...events: readonly string[]) =>
    events.reduce(
      (before, event) =>
        before.then(async () => void (await app.sql(`select realtime.send('{"a": 1}', '${event}', '${name}')`))),
      Promise.resolve(),
    );

  it.each(["2.0.0", "1.0.0"])(
    "the newest that were stored, oldest first, marked; then those of now; vsn %s",
    async (vsn) => {
      const name = newName();
      const witness = await listening(name, true);
      await send(name, "one", "two", "three");
      await vi.waitFor(() => expect(witness).toHaveLength(3), within);
      const { channel, got } = replayed(name, { since: Date.now() - 60_000, limit: 2 }, vsn);
      await subscribed(channel);
      await send(name, "four");
      await vi.waitFor(() => expect(got).toHaveLength(3), within);
      const payload = { a: 1, id: uuid };
      expect(got).toEqual([
        { event: "two", payload, meta: { replayed: true, id: uuid } },
        { event: "three", payload, meta: { replayed: true, id: uuid } },
        { event: "four", payload, meta: { id: uuid } },
      ]);
      expect(got[0]?.meta).toMatchObject({ id: idOf(got[0]?.payload) });
    },
  );

  it("none from before, none of another channel, none of a public one; 25 at most", async () => {
    const name = newName();
    const witness = await listening(name, true);
    await send(name, "old");
    await app.sql(`update realtime.messages set inserted_at = inserted_at - interval '1 hour' where topic = '${name}'`);
    await send(`${name}-2`, "other");
    await app.sql(`select realtime.send('{}', 'public', '${name}', false)`);
    await app.sql(`select realtime.send(jsonb_build_object('n', n), 'n', '${name}') from generate_series(1, 30) as n`);
    // What the log has yet to bring is news, and comes besides.
    await vi.waitFor(() => expect(witness).toHaveLength(31), within);
    const { channel, got } = replayed(name, { since: Date.now() - 60_000, limit: 1_000 });
    await subscribed(channel);
    await vi.waitFor(() => expect(got).toHaveLength(25), within);
    await send(name, "now");
    await vi.waitFor(() => expect(got.at(-1)?.event).toBe("now"), within);
    expect(got).toHaveLength(26);
    expect(new Set(got.slice(0, 25).map(({ event }) => event))).toEqual(new Set(["n"]));
  });

  it("what is sent while it joins comes once, and in its place", async () => {
    const name = newName();
    let isJoined = false;
    const sending = (async () => {
      for (let n = 0; n < 200 && !isJoined; n++) await send(name, `e${n}`);
      await send(name, "last");
    })();
    await vi.waitFor(async () => {
      const [row] = await app.sql(`select count(*)::int as n from realtime.messages where topic = '${name}'`);
      expect(row?.n).toBeGreaterThan(2);
    }, within);
    const { channel, got } = replayed(name, { since: Date.now() - 60_000 });
    await subscribed(channel);
    isJoined = true;
    await sending;
    await vi.waitFor(() => expect(got.at(-1)?.event).toBe("last"), within);
    const ids = got.map(({ meta }) => idOf(meta));
    expect(new Set(ids).size).toBe(ids.length);
    const stored = await app.sql(`select id from realtime.messages where topic = '${name}' order by inserted_at`);
    // Everything from the first that came on, without a gap.
    expect(ids).toEqual(stored.slice(-ids.length).map(({ id }) => id));
  });

  it("the client itself refuses it on a public channel; whoever asks all the same is refused by the server", async () => {
    const { client } = app.realtime();
    expect(() => client.channel(newName(), { config: { broadcast: { replay: { since: 1 } } } })).toThrow(/private/);
    const channel = client.channel(newName());
    channel.params.config.broadcast = { replay: { since: Date.now() } };
    const statuses: unknown[] = [];
    channel.subscribe((status, error) => statuses.push([status, error?.message]));
    await vi.waitFor(
      () => expect(statuses[0]).toEqual(["CHANNEL_ERROR", expect.stringMatching(/^UnableToReplayMessages: /)]),
      within,
    );
    await client.removeChannel(channel);
  });

  it("replication_ready: the word that the database's messages will come", async () => {
    const { client } = app.realtime();
    const channel = client.channel(newName(), { config: { private: true, broadcast: { replication_ready: true } } });
    const system: unknown[] = [];
    channel.on("system", {}, (message) => void system.push(message));
    await subscribed(channel);
    await vi.waitFor(
      () =>
        expect(system).toEqual([
          {
            extension: "system",
            status: "ok",
            message: "Replication connection established",
            channel: channel.subTopic,
          },
        ]),
      within,
    );
  });
});
