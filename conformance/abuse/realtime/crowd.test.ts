import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort, templateDatabase, testDatabase } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runMainstay, servesOrEnds, stop } from "../command.ts";
import { failuresOf, type RealtimeApp, startRealtime, tokenOf, userId } from "./app.ts";
import { broadcastFrame, Client, clientFrame, handshakeOf, openTcp } from "./client.ts";

const room = "realtime:room";
const presence = { enabled: true, key: "" };

/** Somebody who is there all the time, and is to be served as if nobody else were. */
async function bystanderOf(app: RealtimeApp): Promise<{ served(): Promise<void>; client: Client }> {
  const client = await app.connect();
  const topic = "realtime:bystander";
  await client.follow(topic, [{ event: "INSERT", schema: "public", table: "ticks" }]);
  expect((await client.join("realtime:own", { broadcast: { self: true }, presence })).status).toBe("ok");
  return {
    client,
    async served() {
      const [broadcasts, changes] = [client.broadcasts, client.of("postgres_changes").length];
      client.broadcast("realtime:own", "x", {});
      await app.sql("insert into public.ticks default values");
      await expect.poll(() => client.broadcasts).toBe(broadcasts + 1);
      await expect.poll(() => client.of("postgres_changes").length).toBe(changes + 1);
      expect(client.of("phx_close")).toEqual([]);
    },
  };
}

const sql = `
  create table public.ticks (id serial primary key, level int, body text);
  grant select on public.ticks to anon, authenticated;
  alter publication supabase_realtime add table public.ticks;
  create table public.fragile (id int primary key, level int, body text);
  alter table public.fragile enable row level security;
  create policy "divides" on public.fragile for select to anon using (10 / level > 0);
  grant select on public.fragile to anon; grant usage on sequence public.ticks_id_seq to anon;
  alter publication supabase_realtime add table public.fragile;
  create function public.fails() returns boolean language plpgsql as $$ begin raise exception 'a bug of the app'; end $$;
  create policy "fails" on realtime.messages for select to authenticated using (realtime.topic() = 'failing' and public.fails());`;

/** A server as an operator runs it, in a process of its own: what it takes is its own, and nothing of these clients. */
async function ownProcess(env: Readonly<Record<string, string>>) {
  const [database, dir] = await Promise.all([
    templateDatabase().then((template) => testDatabase(template)),
    mkdtemp(join(tmpdir(), "mainstay-crowd-")),
  ]);
  const port = await freePort();
  const settings = { DATABASE_URL: database.url, MAINSTAY_LOG_LEVEL: "warn", ...env };
  const run = runMainstay(["start", "--port", String(port)], dir, settings);
  const url = `http://127.0.0.1:${port}`;
  expect(await servesOrEnds(run, url), run.output()).toBe("serves");
  const keys = runMainstay(["keys", "show", "--json"], dir, settings);
  expect(await keys.ended).toBe(0);
  return {
    url,
    anonKey: JSON.parse(keys.output()).anonKey as string,
    output: run.output,
    /** MB of memory that it has. */
    async sizeMb(): Promise<number> {
      const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(run.child.pid)]);
      return Number(stdout) / 1_024;
    },
    async stop() {
      await stop(run);
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

describe("R11 readers that do not read", () => {
  test("R11 500 of them, 2,000 messages of 10 KB: memory grows by less than 100 MB, and who reads gets everything", async () => {
    const server = await ownProcess({
      MAINSTAY_REALTIME_MESSAGES_PER_SECOND: "1000000",
      MAINSTAY_REALTIME_MESSAGES_BURST: "1000000",
    });
    const connect = async (): Promise<Client> => {
      const client = await Client.open(server.url, { key: server.anonKey, countsOnly: true });
      expect((await client.join(room)).status).toBe("ok");
      return client;
    };
    const [sender, ...readers] = (await Promise.all(Array.from({ length: 6 }, connect))) as [Client, ...Client[]];
    const frame = clientFrame(2, broadcastFrame(room, sender.joinRef(room), "x", JSON.stringify("x".repeat(10_000))));
    let sent = 0;
    /** As fast as those who read can: they are to get all of it. @returns the most memory that was seen, in MB */
    const send = async (count: number): Promise<number> => {
      let mostMb = 0;
      for (const until = sent + count; sent < until; ) {
        for (let at = 0; at < 20; at++) sender.raw(frame);
        sent += 20;
        const slowest = () => Math.min(...readers.map(({ broadcasts }) => broadcasts));
        await expect.poll(slowest, { interval: 1 }).toBe(sent);
        if (sent % 200 === 0) mostMb = Math.max(mostMb, await server.sizeMb());
      }
      return mostMb;
    };
    // What anybody's messages cost, the log of the last ones for instance, is no matter of those who do not read.
    await send(1_000);
    const openSilent = async () => {
      const tcp = await openTcp(server.url);
      tcp.write(handshakeOf(server.url, { key: server.anonKey }));
      tcp.write(clientFrame(1, JSON.stringify(["1", "1", room, "phx_join", { config: {} }])));
      await once(tcp, "data");
      tcp.pause();
      return tcp;
    };
    const silent = await Promise.all(Array.from({ length: 500 }, openSilent));
    await sleep(500);
    const before = await server.sizeMb();
    const most = await send(2_000);
    if (process.env.MAINSTAY_SHOW_TIMES) console.info(`R11: ${Math.round(before)} MB, at most ${Math.round(most)} MB`);
    expect(readers.map(({ broadcasts }) => broadcasts)).toEqual(readers.map(() => sent));
    expect(Math.round(most - before)).toBeLessThan(100);
    // Each is told why, as far as it reads on before it is cut off.
    const one = await openSilent();
    await send(1_000);
    let said = Buffer.alloc(0);
    one.on("data", (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]);
    });
    one.resume();
    await once(one, "close");
    expect(said.subarray(-12).toString()).toContain("Too slow");
    for (const tcp of silent) tcp.destroy();
    for (const client of [sender, ...readers]) client.cut();
    expect(server.output()).not.toMatch(/error/i);
    await server.stop();
  });
});

describe("R12 one client that wants everything", () => {
  let app: RealtimeApp;
  let bystander: Awaited<ReturnType<typeof bystanderOf>>;
  beforeAll(async () => {
    app = await startRealtime(sql);
    bystander = await bystanderOf(app);
  });
  afterAll(async () => {
    expect(failuresOf(app)).toEqual([]);
    await app.stop();
  });

  const track = (n: number) => ({ type: "presence", event: "track", payload: { n } });

  test("R12 presence: the flooder is cut off, and others of the room hear of few of its changes", async () => {
    const other = await app.connect();
    await other.join(room, { presence });
    const client = await app.connect();
    await client.join(room, { presence });
    for (let n = 0; n < 300; n++) client.push(room, "presence", track(n));
    await client.next(({ event }) => event === "phx_close");
    expect(client.of("system").at(-1)?.payload.message).toBe("Client presence rate limit exceeded");
    await other.beat();
    expect(other.of("presence_diff").length).toBeLessThan(100);
    await bystander.served();
    client.cut();
    other.cut();
  });

  test("R12 presence: what is too much to say of oneself ends the channel, and no key is longer than keys are", async () => {
    const client = await app.connect();
    await client.join(room, { presence });
    client.push(room, "presence", { type: "presence", event: "track", payload: { much: "x".repeat(100_000) } });
    await client.next(({ event }) => event === "phx_close");
    const reply = await client.join(room, { presence: { enabled: true, key: "k".repeat(2_000) } });
    expect(reply.response.reason).toContain("InvalidPresencePayload");
    await bystander.served();
    client.cut();
  });

  test("R12 joins: too many a second close the socket; too many channels are refused", async () => {
    const client = await app.connect();
    for (let n = 0; n < 100; n++) expect((await client.join(`realtime:${n}`)).status).toBe("ok");
    await sleep(1_100);
    const reply = await client.join("realtime:one more");
    expect(reply.response.reason).toMatch(/^ChannelRateLimitReached: /);
    for (let n = 0; n < 200; n++) client.push("realtime:again", "phx_join", { config: {} });
    expect((await client.closed).code).toBe(1008);
    expect(JSON.stringify(client.received)).toContain("ClientJoinRateLimitReached");
    await bystander.served();
  });

  test.each<[what: string, frame: (client: Client) => Buffer]>([
    ["broadcasts", (client) => clientFrame(2, broadcastFrame(room, client.joinRef(room), "x", "{}"))],
    ["messages nobody knows", () => clientFrame(1, JSON.stringify(["1", "1", room, "what", {}]))],
    ["tokens", () => clientFrame(1, JSON.stringify(["1", "1", room, "access_token", { access_token: "x.y.z" }]))],
    ["heartbeats", () => clientFrame(1, JSON.stringify([null, "1", "phoenix", "heartbeat", {}]))],
    ["pings", () => clientFrame(9, "")],
    ["JSON of no meaning", () => clientFrame(1, "7")],
  ])("R12 messages: a flood of %s closes the socket", async (_what, frame) => {
    const client = await app.connect();
    await client.join(room);
    const bytes = frame(client);
    for (let n = 0; n < 2_000; n++) client.raw(bytes);
    // 1006: what was said last is lost where more has come meanwhile (RFC 9293 §3.10.7.4).
    expect([1006, 1008]).toContain((await client.closed).code);
    await bystander.served();
  });

  test("R12 row changes: so many bindings, filters so long, so many that only the database can decide", async () => {
    const binding = { event: "*", schema: "public", table: "ticks" };
    const client = await app.connect();
    const follow = (bindings: readonly object[], name: string) =>
      client.follow(`realtime:${name}`, bindings).then(
        () => "on",
        (error: Error) => error.message,
      );
    const many = (count: number, filter: (n: number) => string) =>
      Array.from({ length: count }, (_, n) => ({ ...binding, filter: filter(n) }));
    expect(
      await follow(
        many(101, (n) => `id=eq.${n}`),
        "bindings",
      ),
    ).toContain("at most 100 bindings");
    expect(
      await follow(
        many(1, () => `body=eq.${"x".repeat(9_000)}`),
        "long",
      ),
    ).toContain("at most 8192 characters");
    expect(
      await follow(
        many(51, (n) => `body=ilike.${n}%`),
        "asked",
      ),
    ).toContain("at most 50 filters");
    expect(
      await follow(
        many(50, (n) => `body=ilike.${n}%`),
        "asked",
      ),
    ).toBe("on");
    expect(
      await follow(
        many(1, () => "body=match.^x"),
        "one more",
      ),
    ).toContain("at most 50 filters");
    await bystander.served();
    client.cut();
  });

  test("B10 R12 a regular expression that never ends is its subscriber's own trouble", async () => {
    const client = await app.connect();
    const filter = "body=match.^(a*)(a*)(a*)(a*)(a*)(a*)b\\1\\2\\3\\4\\5\\6a$";
    await client.follow("realtime:endless", [{ event: "*", schema: "public", table: "ticks", filter }]);
    await app.sql("insert into public.ticks (body) values (repeat('a', 200) || 'b' || repeat('a', 200))");
    // Its subscriber is not told yet: nobody else has waited for that.
    await bystander.client.next(({ payload }) => payload?.data?.record?.body?.length === 401);
    expect(client.of("system").filter(({ payload }) => payload.status === "error")).toEqual([]);
    const { payload } = await client.next(({ event, payload }) => event === "system" && payload.status === "error");
    expect(payload.message).toContain("takes too long");
    await bystander.served();
    client.cut();
  });

  test("R12 over HTTP: a batch has its limit, and so has a caller", async () => {
    const post = (count: number) =>
      app.request("/realtime/v1/api/broadcast", {
        body: { messages: Array.from({ length: count }, () => ({ topic: "room", event: "x", payload: {} })) },
        as: tokenOf(userId(1)),
      });
    expect((await post(1_001)).status).toBe(422);
    const statuses: number[] = [];
    for (let n = 0; n < 10; n++) {
      const reply = await post(300);
      statuses.push(reply.status);
      if (reply.status === 429) expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(new Set(statuses)).toEqual(new Set([202, 429]));
    await bystander.served();
  });

  test("X09 R12 policies that fail let nobody in and hold up nobody", async () => {
    const client = await app.connect();
    const reply = await client.join("realtime:failing", { private: true }, tokenOf(userId(1)));
    expect(reply.response.reason).toMatch(/^Unauthorized: /);
    await client.follow("realtime:fragile", [{ event: "*", schema: "public", table: "fragile" }]);
    await app.sql("insert into public.fragile values (1, 1, 'before')");
    await app.sql("insert into public.fragile values (2, 0, 'fails')");
    await app.sql("insert into public.fragile values (3, 1, 'in one'), (4, 0, 'transaction')");
    await app.sql("insert into public.fragile values (5, 1, 'after')");
    await client.next(({ payload }) => payload?.data?.record?.id === 5);
    const ids = client.of("postgres_changes").map(({ payload }) => payload.data.record.id);
    expect(ids.filter((id) => id === 2 || id === 4)).toEqual([]);
    expect(ids).toEqual(expect.arrayContaining([1, 5]));
    await bystander.served();
    client.cut();
  });
});

describe("R12 many at once", () => {
  test("R12 no address has more connections than it may, and no server more rooms", async () => {
    const app = await startRealtime("", {
      realtime: { realtimeConnectionsPerAddressLimit: 20, realtimeConnectionsLimit: 30, realtimeMaxRooms: 10 },
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => app.connect()));
    await expect(app.connect()).rejects.toThrow(/^HTTP\/1.1 429 /);
    for (let n = 0; n < 10; n++) expect((await clients[0]!.join(`realtime:${n}`)).status).toBe("ok");
    expect((await clients[1]!.join("realtime:other")).response.reason).toMatch(/^ChannelRateLimitReached: /);
    expect((await clients[1]!.join("realtime:1")).status).toBe("ok");
    clients[2]!.cut();
    await expect
      .poll(() =>
        app.connect().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await app.stop();
  });

  test("R12 a thousand sockets that come back at once, with their channels, are all served, and so is everybody else", async () => {
    const app = await startRealtime(sql);
    const bystander = await bystanderOf(app);
    const token = tokenOf(userId(1));
    let isOver = false;
    const served = (async () => {
      for (let times = 1; ; times++) {
        await bystander.served();
        if (isOver) return times;
      }
    })();
    const storm = () =>
      Promise.all(
        Array.from({ length: 1_000 }, async (_, n) => {
          const client = await app.connect();
          const bindings = [{ event: "*", schema: "public", table: "ticks", filter: `level=eq.${n}` }];
          const config = { presence: { enabled: true, key: `${n}` }, postgres_changes: bindings };
          const replies = await Promise.all([
            client.join(`realtime:${n % 50}`, config, token),
            client.join("realtime:all"),
          ]);
          expect(replies.map(({ status }) => status)).toEqual(["ok", "ok"]);
          return client;
        }),
      );
    let clients = await storm();
    for (const client of clients) client.cut();
    clients = await storm();
    isOver = true;
    expect(await served).toBeGreaterThan(1);
    const sender = clients[0]!;
    sender.broadcast("realtime:all", "x", "everybody");
    await app.sql("insert into public.ticks (level) select generate_series(0, 999)");
    for (const client of clients.slice(1)) await client.next(({ event }) => event === "broadcast");
    for (const client of clients) await client.next(({ event }) => event === "postgres_changes");
    for (const client of clients) expect(await client.beat()).toBe(true);
    const levels = clients.map((client) =>
      client.of("postgres_changes").map(({ payload }) => payload.data.record.level),
    );
    expect(levels).toEqual(clients.map((_, n) => [n]));
    expect(failuresOf(app)).toEqual([]);
    await app.stop();
  });
});
