import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { mint, userToken } from "../app.ts";
import { RawSocket } from "./raw-socket.ts";
import { newName, type RealtimeApp, startRealtimeApp, within } from "./realtime-app.ts";

/*
 * What the clients of other languages send and must be able to read, word by word: each differs from supabase-js in what it insists on.
 */
let app: RealtimeApp;
const sockets: RawSocket[] = [];
beforeAll(async () => {
  app = await startRealtimeApp(`
    create table public.rows (id int8 primary key, title text, owner uuid); grant all on public.rows to anon, authenticated;
    alter publication supabase_realtime add table public.rows;
    create policy "own" on realtime.messages for all to authenticated
      using (realtime.topic() = 'user:' || auth.uid()) with check (realtime.topic() = 'user:' || auth.uid());`);
});
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await app.stop();
});

async function open(
  query = `apikey=${app.anonKey}&vsn=1.0.0`,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawSocket> {
  const socket = await RawSocket.open(app.url, query, headers);
  sockets.push(socket);
  return socket;
}

const subscribedToRows = ({ event, payload }: { event: string; payload: Record<string, unknown> }) =>
  event === "system" && payload.message === "Subscribed to PostgreSQL";

describe("supabase-py: protocol 1.0.0, the key as a token, join_ref beside it", () => {
  it("joins, hears row changes, and beats", async () => {
    const socket = await open(`apikey=${app.anonKey}`);
    const topic = `realtime:${newName()}`;
    const ref = socket.nextRef();
    const binding = { event: "INSERT", schema: "public", table: "rows", filter: "id=gt.100" };
    const reply = await socket.ask({
      topic,
      event: "phx_join",
      payload: {
        config: { broadcast: null, presence: null, private: false, postgres_changes: [binding] },
        access_token: app.anonKey,
      },
      ref,
      join_ref: ref,
    });
    expect(reply).toEqual({ status: "ok", response: { postgres_changes: [{ ...binding, id: expect.any(Number) }] } });
    await socket.waitFor(subscribedToRows);
    await app.sql(`insert into public.rows values (1, 'no'), (101, 'yes')`);
    const { payload } = await socket.waitFor(({ event }) => event === "postgres_changes");
    const [{ id }] = reply.response.postgres_changes as [{ id: number }];
    expect(payload).toMatchObject({
      ids: [id],
      data: { type: "INSERT", record: { id: 101, title: "yes", owner: null } },
    });
    const beat = await socket.ask({ topic: "phoenix", event: "heartbeat", payload: {}, ref: socket.nextRef() });
    expect(beat).toEqual({ status: "ok", response: {} });
    expect(socket.of("postgres_changes")).toHaveLength(1);
  });

  it("messages have all five keys of the protocol, and nulls where there is nothing", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    await socket.ask({
      topic,
      event: "phx_join",
      payload: { config: { broadcast: { self: true, ack: true } } },
      ref: "1",
      join_ref: "1",
    });
    await socket.ask({
      topic,
      event: "broadcast",
      payload: { type: "broadcast", event: "x", payload: { a: 1 } },
      ref: "2",
      join_ref: "1",
    });
    const { payload, ...head } = socket.of("broadcast")[0]!;
    expect(head).toMatchObject({ topic, event: "broadcast", ref: null });
    expect(payload).toEqual({ type: "broadcast", event: "x", payload: { a: 1 } });
    for (const message of socket.messages) {
      expect(Object.keys(message)).toEqual(expect.arrayContaining(["topic", "event", "payload", "ref"]));
    }
  });

  it("leaves: answered, and told that it is closed", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    await socket.ask({ topic, event: "phx_join", payload: {}, ref: "1", join_ref: "1" });
    expect(await socket.ask({ topic, event: "phx_leave", payload: {}, ref: "2", join_ref: "1" })).toEqual({
      status: "ok",
      response: {},
    });
    await socket.waitFor(({ event, topic: of }) => event === "phx_close" && of === topic);
  });

  it("a join without join_ref, and numbers in place of texts", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    const reply = await socket.ask({ topic, event: "phx_join", payload: { config: {} }, ref: "7" });
    expect(reply).toEqual({ status: "ok", response: { postgres_changes: [] } });
  });
});

describe("supabase-kt: strict about what is in an answer", () => {
  it("only the keys it sent, and an id that is an Int; postgres_changes is there even when there are none", async () => {
    const socket = await open(`apikey=${app.publishableKey}&vsn=1.0.0`);
    const bindings = [
      { event: "*", schema: "public", table: "rows" },
      { schema: "public", event: "INSERT" },
      { event: "DELETE", schema: "public", table: "rows", filter: "id=eq.1", select: ["id"] },
      { event: "insert", schema: "*" },
    ];
    const topic = `realtime:${newName()}`;
    const config = {
      broadcast: { ack: false, self: false },
      presence: { key: "", enabled: false },
      postgres_changes: bindings,
      private: false,
    };
    const { response } = await socket.ask({ topic, event: "phx_join", payload: { config }, ref: "1" });
    const given = response.postgres_changes as (object & { id: number })[];
    expect(given.map(({ id, ...rest }) => rest)).toEqual(bindings);
    for (const [at, object] of given.entries())
      expect(Object.keys(object).toSorted()).toEqual([...Object.keys(bindings[at]!), "id"].toSorted());
    for (const { id } of given) expect(Number.isInteger(id) && Math.abs(id) < 2 ** 31).toBe(true);
    expect(new Set(given.map(({ id }) => id)).size).toBe(4);
    const empty = await socket.ask({
      topic: `realtime:${newName()}`,
      event: "phx_join",
      payload: { config: { ...config, postgres_changes: [] } },
      ref: "2",
    });
    expect(empty).toEqual({ status: "ok", response: { postgres_changes: [] } });
  });

  it("the same bindings have the same ids when it joins again", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    const payload = {
      config: {
        postgres_changes: [
          { event: "*", schema: "public", table: "rows" },
          { event: "*", schema: "public" },
        ],
      },
    };
    const first = await socket.ask({ topic, event: "phx_join", payload, ref: "1", join_ref: "1" });
    const second = await socket.ask({ topic, event: "phx_join", payload, ref: "2", join_ref: "2" });
    expect(second).toEqual(first);
    const [close] = socket.of("phx_close");
    expect(close?.topic).toBe(topic);
  });

  it("presence: phx_ref is text in state and diffs, and a meta has the tracked fields beside it", async () => {
    const [one, two] = [await open(), await open()];
    const topic = `realtime:${newName()}`;
    const joining = (key: string) => ({
      topic,
      event: "phx_join",
      payload: { config: { presence: { key, enabled: true } } },
      ref: "1",
      join_ref: "1",
    });
    await one.ask(joining("one"));
    const tracking = {
      topic,
      event: "presence",
      payload: { type: "presence", event: "track", payload: { name: "Ada" } },
      ref: "2",
      join_ref: "1",
    };
    expect(await one.ask(tracking)).toMatchObject({ status: "ok" });
    const diff = await one.waitFor(({ event }) => event === "presence_diff");
    expect(diff.payload).toEqual({
      joins: { one: { metas: [{ phx_ref: expect.any(String), name: "Ada" }] } },
      leaves: {},
    });
    await two.ask(joining("two"));
    const state = await two.waitFor(({ event }) => event === "presence_state");
    expect(state.payload).toEqual({ one: { metas: [{ phx_ref: expect.any(String), name: "Ada" }] } });
    two.send({ ...tracking, payload: { type: "PRESENCE", event: "TRACK", payload: { name: "Bob" } } });
    await one.waitFor(
      ({ event, payload }) => event === "presence_diff" && "two" in (payload as { joins: object }).joins,
    );
  });

  it("nothing has a status of error but what is one", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    await socket.ask({ topic, event: "phx_join", payload: {}, ref: "1", join_ref: "1" });
    socket.send({ topic, event: "something new", payload: { a: 1 }, ref: "2", join_ref: "1" });
    socket.send({ topic, event: "access_token", payload: { access_token: app.anonKey }, ref: "3", join_ref: "1" });
    socket.send({ topic, event: "access_token", payload: { access_token: null }, ref: "4", join_ref: "1" });
    socket.send({
      topic,
      event: "access_token",
      payload: { access_token: app.publishableKey },
      ref: "5",
      join_ref: "1",
    });
    await socket.ask({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "6" });
    expect(socket.frames.filter((frame) => frame.includes('"error"'))).toEqual([]);
    expect(socket.of("phx_reply").map(({ ref }) => ref)).toEqual(["1", "6"]);
  });
});

describe("supabase-flutter: booleans may be text, user_token is an old name, filters may be null", () => {
  it("joins", async () => {
    const socket = await open();
    const sub = crypto.randomUUID();
    const topic = `realtime:user:${sub}`;
    const config = {
      broadcast: { ack: "true", self: "true" },
      presence: { key: "", enabled: "false" },
      private: "true",
      postgres_changes: [{ event: "INSERT", schema: "public", table: "rows", filter: null }],
      an_unknown_field: { deep: [1] },
    };
    const payload = { config, user_token: userToken(sub), version: "realtime-dart/1" };
    const { status, response } = await socket.ask({ topic, event: "phx_join", payload, ref: "1", join_ref: "1" });
    expect([status, response.postgres_changes]).toEqual([
      "ok",
      [{ ...config.postgres_changes[0], id: expect.any(Number) }],
    ]);
    const reply = await socket.ask({
      topic,
      event: "broadcast",
      payload: { type: "broadcast", event: "x", payload: {} },
      ref: "2",
      join_ref: "1",
    });
    expect(reply).toEqual({ status: "ok", response: {} });
    expect(socket.of("broadcast")).toHaveLength(1);
  });

  it("stream(): a binding on everything of a table, each value of the JSON that the data API gives", async () => {
    const socket = await open();
    await socket.ask({
      topic: `realtime:${newName()}`,
      event: "phx_join",
      payload: { config: { postgres_changes: [{ event: "*", schema: "public", table: "rows" }] } },
      ref: "1",
    });
    await socket.waitFor(subscribedToRows);
    const owner = crypto.randomUUID();
    const inserted = await app.rest("/rows", {
      method: "POST",
      body: { id: 501, title: "ü", owner },
      headers: { Prefer: "return=representation" },
    });
    const { payload } = await socket.waitFor(({ event }) => event === "postgres_changes");
    const { data } = payload as unknown as { data: Record<string, unknown> };
    expect([data.record]).toEqual(inserted.json);
    expect(Object.keys(data).toSorted()).toEqual([
      "columns",
      "commit_timestamp",
      "errors",
      "record",
      "schema",
      "table",
      "type",
    ]);
  });

  it("a token that is not good ends the channel with a system error, then a close", async () => {
    const socket = await open();
    const topic = `realtime:${newName()}`;
    await socket.ask({ topic, event: "phx_join", payload: {}, ref: "1", join_ref: "1" });
    socket.send({
      topic,
      event: "access_token",
      payload: { access_token: mint({ sub: "x", role: "authenticated", exp: 1_000 }) },
      ref: "2",
      join_ref: "1",
    });
    await socket.waitFor(({ event }) => event === "phx_close");
    expect(socket.messages.map(({ event }) => event)).toEqual(["phx_reply", "system", "phx_close"]);
    expect(socket.of("system")[0]?.payload).toEqual({
      extension: "system",
      status: "error",
      message: expect.any(String),
      channel: topic.slice("realtime:".length),
    });
    expect(socket.closed).toBeNull();
  });
});

describe("supabase-swift: the key in a header, every field that its decoder wants", () => {
  it("joins with x-api-key, and gets whole changes", async () => {
    const socket = await open("vsn=1.0.0", {
      "x-api-key": app.publishableKey,
      "X-Client-Info": "supabase-swift/3.0.0",
    });
    await socket.ask({
      topic: `realtime:${newName()}`,
      event: "phx_join",
      payload: { config: { postgres_changes: [{ event: "*", schema: "public", table: "rows" }] } },
      ref: "1",
      join_ref: "1",
    });
    await socket.waitFor(subscribedToRows);
    await app.sql(
      `insert into public.rows values (601, 'a'); update public.rows set title = 'b' where id = 601; delete from public.rows where id = 601`,
    );
    await vi.waitFor(() => expect(socket.of("postgres_changes")).toHaveLength(3), within);
    const [insert, update, remove] = socket
      .of("postgres_changes")
      .map(({ payload }) => (payload as unknown as { data: Record<string, unknown> }).data);
    for (const change of [insert, update, remove]) {
      expect(change).toMatchObject({ columns: expect.any(Array), commit_timestamp: expect.any(String), errors: null });
    }
    expect([insert?.record, update?.record, update?.old_record, remove?.old_record]).toEqual([
      { id: 601, title: "a", owner: null },
      { id: 601, title: "b", owner: null },
      { id: 601 },
      { id: 601 },
    ]);
  });
});

describe("handshakes", () => {
  const statusOf = (query: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${app.url.replace(/^http/, "ws")}/realtime/v1/websocket?${query}`, { headers });
      socket.once("unexpected-response", (_, response) => {
        resolve(response.statusCode ?? 0);
        response.resume();
        socket.terminate();
      });
      socket.once("open", () => {
        socket.terminate();
        resolve(101);
      });
      socket.once("error", reject);
    });

  it.each([
    ["no key", () => "vsn=1.0.0"],
    ["a key that is none", () => "apikey=nonsense&vsn=2.0.0"],
    ["a token of another secret", () => `apikey=${mint({ role: "anon" }, "x".repeat(32))}`],
    ["an expired one", () => `apikey=${mint({ role: "authenticated", exp: 1_000 })}`],
  ])("R01 %s: refused before there is a websocket", async (_, query) => {
    expect([401, 403]).toContain(await statusOf(query()));
  });

  it("any other parameter is let be; a user's token may be the key", async () => {
    expect(await statusOf(`apikey=${app.anonKey}&vsn=1.0.0&log_level=info&eventsPerSecond=10&x[]=1`)).toBe(101);
    expect(await statusOf(`apikey=${userToken(crypto.randomUUID())}&vsn=2.0.0`)).toBe(101);
  });
});

describe("broadcast over protocol 1.0.0 from all sides", () => {
  it("a client of 2.0.0, HTTP and SQL send what a client of 1.0.0 reads as text", async () => {
    const socket = await open();
    const name = newName();
    await socket.ask({ topic: `realtime:${name}`, event: "phx_join", payload: {}, ref: "1", join_ref: "1" });
    const channel = app.realtime().client.channel(name);
    await new Promise<void>((resolve) => channel.subscribe((status) => status === "SUBSCRIBED" && resolve()));
    await channel.send({ type: "broadcast", event: "js", payload: { text: 'ü "🎈"' } });
    await channel.httpSend("http", { n: 1 });
    await app.sql(`select realtime.send('{"n": 2}', 'sql', '${name}', false)`);
    await vi.waitFor(() => expect(socket.of("broadcast")).toHaveLength(3), within);
    const id = expect.any(String);
    expect(socket.of("broadcast").map(({ payload }) => payload)).toEqual([
      { type: "broadcast", event: "js", payload: { text: 'ü "🎈"' } },
      { type: "broadcast", event: "http", payload: { n: 1 } },
      { type: "broadcast", event: "sql", payload: { n: 2, id }, meta: { id } },
    ]);
  });
});
