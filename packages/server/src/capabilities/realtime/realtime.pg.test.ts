import { once } from "node:events";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";

let app: BootedApp;
const sockets: WebSocket[] = [];

const schema = `
  create table public.todos (id int primary key, title text);
  create table public.notes (id int primary key, title text, is_shown boolean);
  alter table public.notes enable row level security;
  create policy "shown" on public.notes for select to anon using (is_shown);
  alter publication supabase_realtime add table public.notes;
  set role postgres;
  create policy "rooms" on realtime.messages for all to anon using (realtime.topic() like 'room%') with check (realtime.topic() = 'room');
  reset role;
  create function public.tell() returns trigger language plpgsql security definer as $$ begin
    perform realtime.broadcast_changes('room', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
    return null;
  end $$;
  create trigger tell after insert or update or delete on public.todos for each row execute function public.tell();`;

beforeAll(async () => {
  app = await boot({ sql: schema });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
});
afterAll(() => app.stop());

interface Message {
  readonly topic: string;
  readonly event: string;
  readonly payload: Record<string, unknown>;
  readonly ref: string | null;
}

/** A client of version 1.0.0, whose frames are all text. @param lastRef what it has counted to before a reconnection */
async function connect(server = app, lastRef = 0) {
  const url = `${server.url.replace("http", "ws")}/realtime/v1/websocket?apikey=${server.anonKey}&vsn=1.0.0`;
  const socket = new WebSocket(url);
  sockets.push(socket);
  const received: Message[] = [];
  socket.on("message", (data) => received.push(JSON.parse(String(data))));
  await once(socket, "open");
  let ref = lastRef;
  const joinRefs = new Map<string, string>();
  const push = (name: string, event: string, payload: unknown): string => {
    ref++;
    if (event === "phx_join") joinRefs.set(name, String(ref));
    const join_ref = joinRefs.get(name) ?? null;
    socket.send(JSON.stringify({ topic: `realtime:${name}`, event, payload, ref: String(ref), join_ref }));
    return String(ref);
  };
  const find = (fits: (message: Message) => boolean) =>
    vi.waitFor(
      () => {
        const found = received.find(fits);
        expect(found, JSON.stringify(received)).toBeDefined();
        return found!;
      },
      { timeout: 30_000, interval: 5 },
    );
  return {
    socket,
    received,
    push,
    find,
    lastRef: () => ref,
    async join(name: string, config: unknown = {}) {
      const asked = push(name, "phx_join", { config });
      const { payload } = await find((message) => message.event === "phx_reply" && message.ref === asked);
      return payload;
    },
  };
}
const isBroadcast = (event: string) => (message: Message) =>
  message.event === "broadcast" && message.payload.event === event;

describe("realtime on a booted server", () => {
  it("carries broadcasts from one client to the others, and from HTTP", async () => {
    const [ada, bob] = [await connect(), await connect()];
    for (const client of [ada, bob]) expect(await client.join("room")).toMatchObject({ status: "ok" });
    ada.push("room", "broadcast", { type: "broadcast", event: "hello", payload: { from: "ada" } });
    expect((await bob.find(isBroadcast("hello"))).payload).toEqual({
      type: "broadcast",
      event: "hello",
      payload: { from: "ada" },
    });
    const response = await fetch(`${app.url}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: { apikey: app.anonKey, "Content-Type": "application/json" },
      body: JSON.stringify({ messages: [{ topic: "room", event: "by http", payload: { a: 1 } }] }),
    });
    expect(response.status).toBe(202);
    await ada.find(isBroadcast("by http"));
    expect(ada.received.filter(isBroadcast("hello"))).toEqual([]);
  });

  it("tells who is here, first of all", async () => {
    const [ada, bob] = [await connect(), await connect()];
    await ada.join("here", { presence: { key: "ada", enabled: true } });
    ada.push("here", "presence", { type: "presence", event: "track", payload: { mood: "fine" } });
    await ada.find(({ event }) => event === "presence_diff");
    await bob.join("here", { presence: { key: "bob", enabled: true } });
    const state = await bob.find(({ event }) => event === "presence_state");
    expect(state.payload).toEqual({ ada: { metas: [{ phx_ref: expect.any(String), mood: "fine" }] } });
    expect(bob.received.map(({ event }) => event)).toEqual(["phx_reply", "presence_state"]);
    ada.socket.terminate();
    const diff = await bob.find(({ event }) => event === "presence_diff");
    expect(diff.payload).toMatchObject({ leaves: { ada: { metas: [{ mood: "fine" }] } } });
  });

  it("carries what the database sends to private channels, once its transaction commits", async () => {
    const [inside, outside] = [await connect(), await connect()];
    expect(await inside.join("room", { private: true })).toMatchObject({ status: "ok" });
    expect(await outside.join("room")).toMatchObject({ status: "ok" });
    await app.sql(`begin; select realtime.send('{"n":0}', 'never', 'room'); rollback`);
    await app.sql("insert into public.todos values (1, 'a')");
    await app.sql(`select realtime.send('{"n":1}', 'sent', 'room')`);
    expect((await inside.find(isBroadcast("INSERT"))).payload).toMatchObject({
      payload: {
        schema: "public",
        table: "todos",
        operation: "INSERT",
        record: { id: 1, title: "a" },
        old_record: null,
      },
      meta: { id: expect.any(String) },
    });
    expect((await inside.find(isBroadcast("sent"))).payload).toMatchObject({ payload: { n: 1 } });
    expect(inside.received.some(isBroadcast("never"))).toBe(false);
    expect(outside.received.map(({ event }) => event)).toEqual(["phx_reply"]);
  });

  it("R02 tells of changes of rows, to those who may see them", async () => {
    const client = await connect();
    const binding = { event: "*", schema: "public", table: "notes", filter: "id=gt.1" };
    expect(await client.join("notes", { postgres_changes: [binding] })).toEqual({
      status: "ok",
      response: { postgres_changes: [{ ...binding, id: expect.any(Number) }] },
    });
    const ready = await client.find(({ event }) => event === "system");
    expect(ready.payload).toMatchObject({ extension: "postgres_changes", status: "ok" });
    await app.sql("insert into public.notes values (1, 'filtered', true), (2, 'shown', true), (3, 'hidden', false)");
    await app.sql("update public.notes set title = 'still shown' where id = 2");
    await client.find(({ payload }) => (payload.data as { type?: string } | undefined)?.type === "UPDATE");
    const changes = client.received
      .filter(({ event }) => event === "postgres_changes")
      .map(({ payload }) => payload.data);
    expect(changes).toMatchObject([
      { type: "INSERT", record: { id: 2, title: "shown", is_shown: true } },
      { type: "UPDATE", record: { id: 2, title: "still shown" }, old_record: { id: 2 } },
    ]);
  });

  it("R13 sends a client that comes back what it missed, in order, and nothing to a new one", async () => {
    const [lost, stays] = [await connect(), await connect()];
    for (const client of [lost, stays]) await client.join("rooms to return to", { private: true });
    await app.sql(`select realtime.send('{}', 'before', 'rooms to return to')`);
    await lost.find(isBroadcast("before"));
    lost.socket.terminate();
    await once(lost.socket, "close");
    for (let i = 0; i < 20; i++) await app.sql(`select realtime.send('{}', 'missed ${i}', 'rooms to return to')`);
    // So that nothing of it is still on its way when the others join.
    await stays.find(isBroadcast("missed 19"));
    const [back, other] = [await connect(app, lost.lastRef()), await connect()];
    await other.join("rooms to return to", { private: true });
    await back.join("rooms to return to", { private: true });
    await back.find(isBroadcast("missed 19"));
    await app.sql(`select realtime.send('{}', 'after', 'rooms to return to')`);
    for (const client of [back, other]) await client.find(isBroadcast("after"));
    const events = (client: typeof back) =>
      client.received.filter(({ event }) => event === "broadcast").map(({ payload }) => payload.event);
    // What was sent just before the end may not have arrived, so it is sent again.
    const all = ["before", ...Array.from({ length: 20 }, (_, i) => `missed ${i}`), "after"];
    expect(events(back)).toEqual(all.slice(-events(back).length));
    expect(events(back).length).toBeGreaterThan(20);
    expect(events(other)).toEqual(["after"]);
  });

  it("R07 lets nobody write who may only read, and refuses who may do neither", async () => {
    const [reader, listener] = [await connect(), await connect()];
    for (const client of [reader, listener]) {
      expect(
        await client.join("room for reading", { private: true, broadcast: { ack: true, self: true } }),
      ).toMatchObject({ status: "ok" });
    }
    reader.push("room for reading", "broadcast", { type: "broadcast", event: "x", payload: {} });
    await app.sql(`select realtime.send('{}', 'after it', 'room for reading')`);
    await listener.find(isBroadcast("after it"));
    await reader.find(isBroadcast("after it"));
    for (const { received } of [reader, listener]) expect(received.some(isBroadcast("x"))).toBe(false);
    expect(await reader.join("office", { private: true })).toMatchObject({
      status: "error",
      response: { reason: "Unauthorized: You do not have permissions to read from this Channel topic: office" },
    });
  });

  it("A22 ends what was joined with a user's token, soon after signing out", async () => {
    const headers = { apikey: app.anonKey, "Content-Type": "application/json" };
    const body = JSON.stringify({ email: `ada${Date.now()}@example.com`, password: "a long enough passphrase" });
    const signedUp = await fetch(`${app.url}/auth/v1/signup`, { method: "POST", headers, body });
    const { access_token: token } = (await signedUp.json()) as { access_token: string };
    const client = await connect();
    const asked = client.push("hers", "phx_join", { config: {}, access_token: token });
    await client.find(({ event, ref }) => event === "phx_reply" && ref === asked);
    await fetch(`${app.url}/auth/v1/logout`, {
      method: "POST",
      headers: { ...headers, Authorization: `Bearer ${token}` },
    });
    const end = await client.find(({ event }) => event === "phx_close");
    expect(end.topic).toBe("realtime:hers");
  });

  it("says goodbye when the server stops, and then is gone", async () => {
    const other = await boot({ settings: { realtime: { realtimeDrainMs: 50 } } });
    const client = await connect(other);
    await client.join("room");
    const closed = once(client.socket, "close");
    await other.stop();
    expect((await closed)[0]).toBe(1012);
  });
});
