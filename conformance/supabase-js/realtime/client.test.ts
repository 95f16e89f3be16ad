import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  broadcastsOn,
  changesOn,
  newName,
  type RealtimeApp,
  replicating,
  startRealtimeApp,
  statusesOf,
  subscribed,
  systemOn,
  Wire,
  within,
} from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(`
    create table public.pings (id int primary key); grant all on public.pings to anon;
    alter publication supabase_realtime add table public.pings`);
});
afterAll(() => app.stop());

describe("the connection", () => {
  it("connect(), its state, disconnect(), and connect() again", async () => {
    const { client, wire } = app.realtime();
    const { realtime } = client;
    expect([realtime.connectionState(), realtime.isConnected()]).toEqual(["closed", false]);
    realtime.connect();
    expect(realtime.isConnecting()).toBe(true);
    await vi.waitFor(() => expect(realtime.isConnected()).toBe(true), within);
    expect(realtime.connectionState()).toBe("open");
    expect(wire.urls).toEqual([expect.stringMatching(/^ws:\/\/[^/]+\/realtime\/v1\/websocket\?.*vsn=2\.0\.0/)]);
    expect(realtime.endpointURL()).toBe(wire.urls[0]);
    expect(await realtime.disconnect()).toBe("ok");
    expect([realtime.isConnected(), realtime.isDisconnecting()]).toEqual([false, false]);
    realtime.connect();
    await vi.waitFor(() => expect(realtime.isConnected()).toBe(true), within);
    expect(await realtime.disconnect(1000, "enough")).toBe("ok");
  });

  it.each(["publishableKey", "anonKey", "serviceRoleKey"] as const)("with the %s", async (key) => {
    await subscribed(app.realtime({ key: app[key] }).client.channel(newName()));
  });

  it("R01 a key that is none never connects, and the app is told", async () => {
    const { client } = app.realtime({ key: "sb_publishable_nonsense", reconnectAfterMs: () => 60_000 });
    const statuses = statusesOf(client.channel(newName()));
    await vi.waitFor(() => expect(statuses[0]?.status).toBe("CHANNEL_ERROR"), within);
    expect(client.realtime.isConnected()).toBe(false);
    await client.removeAllChannels();
  });

  it("heartbeats are answered, by themselves and by hand", async () => {
    const statuses: string[] = [];
    const { client, wire } = app.realtime({ heartbeatIntervalMs: 100 });
    client.realtime.onHeartbeat((status) => void statuses.push(status));
    await subscribed(client.channel(newName()));
    await vi.waitFor(() => expect(statuses.filter((status) => status === "ok").length).toBeGreaterThan(2), within);
    expect(new Set(statuses)).toEqual(new Set(["sent", "ok"]));
    const before = wire.sentPayloads("heartbeat").length;
    await client.realtime.sendHeartbeat();
    expect(wire.sentPayloads("heartbeat").length).toBeGreaterThanOrEqual(before);
    expect(client.realtime.isConnected()).toBe(true);
  });

  it("a push of the app's own is answered; an event that nobody knows is let go", async () => {
    const { client, wire } = app.realtime();
    const name = newName();
    const channel = client.channel(name, { config: { broadcast: { self: true } } });
    const got = broadcastsOn(channel);
    await subscribed(channel);
    const topic = `realtime:${name}`;
    client.realtime.push({ topic, event: "no such event", payload: { a: 1 }, ref: "900" });
    client.realtime.push({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "901" });
    await vi.waitFor(() => expect(JSON.stringify(wire.received)).toContain('\\"901\\"'), within);
    expect(JSON.stringify(wire.received)).not.toContain('\\"900\\"');
    await channel.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
  });

  it("log(), hasLogger(): what the client logs of the server is no error", async () => {
    const kinds: string[] = [];
    const { client } = app.realtime({ logger: (kind) => void kinds.push(kind) });
    expect(client.realtime.hasLogger()).toBe(true);
    client.realtime.log("app", "said");
    await subscribed(client.channel(newName()));
    expect(kinds).toContain("app");
    expect(kinds).not.toContain("error");
  });

  it("closes by itself when the last channel is gone", async () => {
    const { client } = app.realtime({ disconnectOnEmptyChannelsAfterMs: 20 });
    const channel = client.channel(newName());
    await subscribed(channel);
    await client.removeChannel(channel);
    await vi.waitFor(() => expect(client.realtime.isConnected()).toBe(false), within);
  });
});

describe("channels", () => {
  it("getChannels(), channel() of one name twice, removeChannel(), removeAllChannels()", async () => {
    const { client } = app.realtime();
    const [one, two] = [client.channel(newName()), client.channel(newName())];
    expect(client.channel(one.subTopic)).toBe(one);
    await Promise.all([subscribed(one), subscribed(two)]);
    expect(client.getChannels()).toEqual([one, two]);
    expect(client.realtime.getChannels()).toEqual([one, two]);
    expect(await client.realtime.removeChannel(one)).toBe("ok");
    expect(client.getChannels()).toEqual([two]);
    expect(await client.realtime.removeAllChannels()).toEqual(["ok"]);
    expect(client.getChannels()).toEqual([]);
  });

  it("unsubscribe(): the app is told CLOSED, once", async () => {
    const channel = app.realtime().client.channel(newName());
    const statuses = await subscribed(channel);
    expect(await channel.unsubscribe()).toBe("ok");
    await vi.waitFor(() => expect(statuses.map(({ status }) => status)).toEqual(["SUBSCRIBED", "CLOSED"]), within);
  });

  it("teardown(): a channel that is dropped without a word disturbs nobody", async () => {
    const { client } = app.realtime();
    const name = newName();
    const dropped = client.channel(name);
    await subscribed(dropped);
    dropped.teardown();
    const other = client.channel(newName(), { config: { broadcast: { self: true } } });
    const got = broadcastsOn(other);
    await subscribed(other);
    await other.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
  });

  it("copyBindings(): a channel with the listeners of another", async () => {
    const { client } = app.realtime();
    const [from, to] = [
      client.channel(newName()),
      client.channel(newName(), { config: { broadcast: { self: true } } }),
    ];
    const got = broadcastsOn(from);
    const changes = changesOn(from, { event: "INSERT", schema: "public", table: "pings" });
    const system = systemOn(from);
    to.copyBindings(from);
    await subscribed(to);
    await replicating(system);
    await to.send({ type: "broadcast", event: "x", payload: {} });
    await app.sql(`insert into public.pings values (1)`);
    await vi.waitFor(() => expect([got.length, changes.length]).toEqual([1, 1]), within);
  });

  it("updateJoinPayload(): what is sent with the next join", async () => {
    const { client, wire } = app.realtime();
    const channel = client.channel(newName());
    const statuses = await subscribed(channel);
    channel.updateJoinPayload({ config: { broadcast: { self: true, ack: true } } });
    const got = broadcastsOn(channel);
    wire.cut();
    await vi.waitFor(() => expect(wire.sentPayloads("phx_join")).toHaveLength(2), within);
    await vi.waitFor(() => expect(channel.state).toBe("joined"), within);
    await channel.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    expect(statuses.at(-1)?.status).toBe("SUBSCRIBED");
  });

  it("a join that is taken back before it is answered, and another at once", async () => {
    const { client } = app.realtime();
    const name = newName();
    const first = client.channel(name);
    statusesOf(first);
    await client.removeChannel(first);
    const second = client.channel(name, { config: { broadcast: { self: true } } });
    const got = broadcastsOn(second);
    await subscribed(second);
    await second.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    expect(got).toHaveLength(1);
  });

  it("a hundred channels on one connection", async () => {
    const { client, wire } = app.realtime();
    const channels = Array.from({ length: 100 }, () =>
      client.channel(newName(), { config: { broadcast: { self: true } } }),
    );
    const got = channels.map((channel) => broadcastsOn(channel));
    await Promise.all(channels.map(subscribed));
    expect(wire.urls).toHaveLength(1);
    for (const [at, channel] of channels.entries())
      void channel.send({ type: "broadcast", event: "x", payload: { at } });
    await vi.waitFor(() => expect(got.map(([one]) => one?.payload)).toEqual(channels.map((_, at) => ({ at }))), within);
    expect((await client.removeAllChannels()).every((answer) => answer === "ok")).toBe(true);
  });
});

describe("a cut connection", () => {
  it("is made again, with all channels and what is listened for, and the app sees it", async () => {
    const { client, wire } = app.realtime();
    const channels = [client.channel(newName()), client.channel(newName())];
    const got = channels.map((channel) => broadcastsOn(channel));
    const changes = changesOn(channels[0]!, { event: "INSERT", schema: "public", table: "pings" });
    const statuses = await Promise.all(channels.map(subscribed));
    wire.cut();
    await vi.waitFor(
      () =>
        expect(statuses.map((of) => of.map(({ status }) => status))).toEqual(
          [0, 1].map(() => ["SUBSCRIBED", "CHANNEL_ERROR", "SUBSCRIBED"]),
        ),
      within,
    );
    const other = app.realtime().client;
    for (const { subTopic } of channels) await other.channel(subTopic).httpSend("x", { to: subTopic });
    await vi.waitFor(
      () =>
        expect(got.map((of) => of.map(({ payload }) => payload))).toEqual(
          channels.map(({ subTopic }) => [{ to: subTopic }]),
        ),
      within,
    );
    await app.sql(`insert into public.pings values (2)`);
    await vi.waitFor(() => expect(changes.map(({ new: now }) => now)).toEqual([{ id: 2 }]), within);
  });

  it("broadcasts sent meanwhile are heard afterwards, in order, and one's own are not", async () => {
    const name = newName();
    const { client, wire } = await app.user({ reconnectAfterMs: () => 300 });
    const channel = client.channel(name);
    const got = broadcastsOn(channel);
    await subscribed(channel);
    const sender = app.realtime().client.channel(name, { config: { broadcast: { ack: true } } });
    await subscribed(sender);
    await sender.send({ type: "broadcast", event: "before", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    await channel.send({ type: "broadcast", event: "own", payload: {} });
    wire.cut();
    await vi.waitFor(() => expect(client.realtime.isConnected()).toBe(false), within);
    for (const event of ["one", "two"]) expect(await sender.send({ type: "broadcast", event, payload: {} })).toBe("ok");
    await vi.waitFor(() => expect(channel.state).toBe("joined"), within);
    await sender.send({ type: "broadcast", event: "after", payload: {} });
    await vi.waitFor(() => expect(got.at(-1)?.event).toBe("after"), within);
    const events = got.map(({ event }) => event);
    expect([...new Set(events)]).toEqual(["before", "one", "two", "after"]);
  });

  it("a server that stops tells its clients; one that starts on its database has them back with what they missed", async () => {
    const { boot, freePort } = await import("@mainstay/testing");
    const port = await freePort();
    const settings = { http: { port }, realtime: { realtimeDrainMs: 0 } };
    const env = { MAINSTAY_MASTER_KEY: "shared by both of them, one after the other" };
    const home = await boot({
      env,
      sql: `create table public.pings (id int primary key); grant all on public.pings to anon;
        alter publication supabase_realtime add table public.pings`,
    });
    const there = { settings, env: { ...env, DATABASE_URL: home.databaseUrl } };
    const first = await boot(there);
    const wire = new Wire();
    const client = createClient(first.url, first.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: wire.transport, reconnectAfterMs: () => 100 },
    });
    const channel = client.channel("pings");
    const changes = changesOn(channel, { event: "INSERT", schema: "public", table: "pings" });
    const statuses = await subscribed(channel);
    await home.sql(`insert into public.pings values (1)`);
    await vi.waitFor(() => expect(changes).toHaveLength(1), within);
    await first.stop();
    await vi.waitFor(() => expect(statuses.at(-1)?.status).not.toBe("SUBSCRIBED"), within);
    await home.sql(`insert into public.pings values (2)`);
    const second = await boot(there);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("SUBSCRIBED"), { ...within, timeout: 30_000 });
    await home.sql(`insert into public.pings values (3)`);
    await vi.waitFor(() => expect(changes.at(-1)?.new).toEqual({ id: 3 }), within);
    expect([...new Set(changes.map(({ new: now }) => (now as { id: number }).id))]).toEqual([1, 2, 3]);
    await client.removeAllChannels();
    await second.stop();
    await home.stop();
  });
});
