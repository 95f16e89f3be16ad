import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { JoinRefusal } from "../join-refusal.ts";
import { openTestRealtime, type TestClient, type TestRealtime } from "../testing.ts";
import type { Channel, ChannelFeature } from "../types.ts";
import { jsonMessage } from "../wire/index.ts";

let realtime: TestRealtime;
let now = Date.now();
/** What channels have told their features. */
let told: string[] = [];
let opened: Channel[] = [];
/** Kept from going on, for as long as a test wants. */
let gate: Promise<void> | null = null;

const say = (topic: string, text: string) => jsonMessage({ topic, event: "said", payload: JSON.stringify({ text }) });

/** Talks in rooms: `say` reaches whoever is in the room. */
const talking = (context: TestRealtime["context"]): ChannelFeature => ({
  name: "talking",
  async join(channel) {
    told.push(`join ${channel.name}`);
    channel.send(say(channel.topic, "before the reply"));
    if (channel.name === "refused") throw new JoinRefusal("InvalidJoinPayload", "not today");
    if (channel.name === "failing") throw new Error("a bug");
    if (channel.name === "slow") await gate;
    return { extra: channel.config.presence.key };
  },
  async joined(channel) {
    opened.push(channel);
    told.push(`joined ${channel.name}`);
    if (channel.name === "missing") {
      channel.hold();
      channel.sendNow(say(channel.topic, "missed"));
      await gate;
      channel.release();
    }
  },
  handle(channel, { event, payload }) {
    if (event === "crash") throw new Error("a bug");
    if (event === "crash later") return Promise.reject(new Error("a bug"));
    if (event !== "say") return false;
    for (const member of context.rooms.members(channel.room)) member.send(say(member.topic, String(payload)));
    return true;
  },
  identityChanged(channel) {
    told.push(`identity ${channel.name} ${channel.who.subject}`);
  },
  left(channel, isLost) {
    told.push(`left ${channel.name}${isLost ? " lost" : ""}`);
  },
});
const deaf: ChannelFeature = { name: "deaf", handle: async () => false };

const policies = `
  create table public.members (room text, user_id uuid, primary key (room, user_id));
  grant select on public.members to authenticated;
  create function public.allowed() returns boolean language sql stable as 'select true';
  set role postgres;
  create policy "members" on realtime.messages for select to authenticated
    using (public.allowed() and exists (select from public.members m where m.room = realtime.topic() and m.user_id = (select auth.uid())));
  create policy "anybody" on realtime.messages for select to anon using (realtime.topic() = 'hall');
  reset role;`;

async function open(settings: Parameters<typeof openTestRealtime>[0] = {}): Promise<void> {
  realtime = await openTestRealtime({
    features: (context) => [deaf, talking(context)],
    sql: policies,
    clock: { nowMs: () => now },
    ...settings,
    settings: { realtimeRulesPollMs: 100, ...settings.settings },
  });
}

beforeEach(() => {
  now = Date.now();
  told = [];
  opened = [];
  gate = null;
});
afterEach(() => realtime.close());

const texts = (client: TestClient) => client.of("said").map(({ payload }) => (payload as { text: string }).text);
const gone = (client: TestClient, name: string) =>
  client.waitFor(({ event, topic }) => event === "phx_close" && topic === `realtime:${name}`);
const systemError = (client: TestClient) =>
  client.received.find(({ event, payload }) => event === "system" && (payload as { status: string }).status === "error")
    ?.payload;

describe("a join", () => {
  it("is answered with what the features add, and then what was sent meanwhile", async () => {
    await open();
    const client = realtime.connect();
    const reply = await client.join("room", { presence: { key: "ada" } });
    expect(reply).toEqual({ status: "ok", response: { postgres_changes: [], extra: "ada" } });
    expect(client.received.map(({ event }) => event)).toEqual(["phx_reply", "said"]);
    expect(client.received[0]).toMatchObject({ topic: "realtime:room", ref: "1", joinRef: "1" });
  });

  it.each(["1.0.0", "2.0.0"] as const)("speaks version %s", async (version) => {
    await open();
    const client = realtime.connect({ version });
    expect((await client.join("room")).status).toBe("ok");
  });

  it.each([
    ["without a name", "", {}, "TopicNameRequired"],
    ["with a long name", "x".repeat(300), {}, "InvalidJoinPayload"],
    ["with a NUL", "a\0b", {}, "InvalidJoinPayload"],
    ["with half a character", "a\ud800", {}, "InvalidJoinPayload"],
    ["with a large configuration", "room", { padding: "x".repeat(300_000) }, "InvalidJoinPayload"],
    ["that a feature refuses", "refused", {}, "InvalidJoinPayload: not today"],
    ["that a feature fails at", "failing", {}, "UnknownErrorOnChannel"],
    [
      "without permission",
      "room",
      { private: true },
      "Unauthorized: You do not have permissions to read from this Channel topic: room",
    ],
  ])("%s is refused, and leaves nothing", async (_what, name, config, reason) => {
    await open();
    const client = realtime.connect();
    const reply = await client.join(name, config);
    expect(reply).toEqual({ status: "error", response: { reason: expect.stringContaining(reason) } });
    expect(JSON.stringify(reply)).not.toContain("a bug");
    expect(realtime.context.rooms.size).toBe(0);
    expect(realtime.channels.stats()).toEqual({ channels: 0, privateChannels: 0 });
    expect(client.closedWith).toBeNull();
  });

  it("of anything but a channel is answered as a topic nobody knows", async () => {
    await open();
    const client = realtime.connect();
    await client.give({ joinRef: "1", ref: "1", topic: "other:room", event: "phx_join", payload: {}, broadcast: null });
    await client.waitFor(({ event }) => event === "phx_reply");
    expect(client.received[0]?.payload).toEqual({ status: "error", response: { reason: "unmatched topic" } });
  });

  it("of the same topic ends the older one first, which then hears nothing more", async () => {
    await open();
    const client = realtime.connect();
    await client.join("room");
    await client.join("room");
    expect(client.received.map(({ event, joinRef }) => [event, joinRef])).toEqual([
      ["phx_reply", "1"],
      ["said", null],
      ["phx_close", "1"],
      ["phx_reply", "2"],
      ["said", null],
    ]);
    expect(told).toEqual(["join room", "joined room", "left room", "join room", "joined room"]);
    await client.ask("room", "phx_leave", {});
    expect(realtime.context.rooms.size).toBe(0);
  });

  it("does not hold up other topics of the socket, and what it missed holds up nobody but itself", async () => {
    await open();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const client = realtime.connect();
    client.push("slow", "phx_join", {});
    expect((await client.join("quick")).status).toBe("ok");
    await client.join("missing");
    client.push("missing", "say", "now");
    client.push("quick", "say", "quick");
    await client.waitFor(({ payload }) => (payload as { text?: string }).text === "quick");
    expect(texts(client)).toEqual(["before the reply", "before the reply", "missed", "quick"]);
    resolve();
    await client.waitFor(({ payload }) => (payload as { text?: string }).text === "now");
    expect(client.of("phx_reply")).toHaveLength(3);
  });

  it("R12 is refused beyond the channels of a socket, the rooms of a server, and the joins of a second", async () => {
    await open({ settings: { realtimeChannelsPerSocket: 3, realtimeMaxRooms: 4, realtimeJoinsPerSecond: 6 } });
    const [one, two] = [realtime.connect(), realtime.connect()];
    for (const name of ["a", "b", "c"]) expect((await one.join(name)).status).toBe("ok");
    expect((await one.join("d")).response.reason).toBe("ChannelRateLimitReached: Too many channels");
    expect((await two.join("d")).status).toBe("ok");
    expect((await two.join("e")).response.reason).toBe("ChannelRateLimitReached: Too many channels on this server");
    expect((await two.join("a")).status).toBe("ok");
    for (let i = 0; i < 8; i++) two.push("a", "phx_join", {});
    await two.waitFor(() => two.closedWith !== null);
    expect(two.of("phx_reply").at(-1)?.payload).toEqual({
      status: "error",
      response: { reason: "ClientJoinRateLimitReached: Too many joins per second" },
    });
    expect(two.closedWith).toMatchObject({ code: 1008 });
    expect(one.closedWith).toBeNull();
  });

  it("to a public channel is refused where only private ones are wanted", async () => {
    await open({ settings: { realtimePrivateOnly: true } });
    const client = realtime.connect();
    expect((await client.join("hall")).response.reason).toMatch(/^PrivateOnly/);
    expect((await client.join("hall", { private: true })).status).toBe("ok");
  });

  it("is refused without a word too many while PostgreSQL is away", async () => {
    await open();
    await realtime.context.session.close();
    const client = realtime.connect();
    expect((await client.join("hall", { private: true })).response.reason).toMatch(/^UnableToConnectToProject/);
    expect((await client.join("hall")).status).toBe("ok");
  });
});

describe("R01 a token", () => {
  const joinWith = async (token: unknown) => realtime.connect().join("hall", { private: true }, token as string);

  it("that fails is refused, never taken for none", async () => {
    await open();
    const iat = Math.floor(now / 1_000) - 7_200;
    const expired = realtime.token({ iat, exp: iat + 3_600 });
    expect((await joinWith(expired)).response.reason).toBe("InvalidJWTToken: Token has expired");
    const forged = `${realtime.token().slice(0, -8)}AAAAAAAA`;
    expect((await joinWith(forged)).response.reason).toMatch(/^JwtSignatureError/);
    for (const token of ["nonsense", "a.b", 7, {}, ["x"], true]) {
      expect((await joinWith(token)).response.reason).toMatch(/^(MalformedJWT|JwtSignatureError)/);
    }
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"role":"service_role"}').toString("base64url")}.`;
    expect((await joinWith(none)).response.reason).toMatch(/^(MalformedJWT|JwtSignatureError)/);
  });

  it("that is none leaves the caller what its key is, and no more", async () => {
    await open();
    for (const token of [undefined, null, "", "sb_publishable_x", "sb_secret_x"]) {
      expect((await joinWith(token)).status).toBe("ok");
    }
    expect(opened.map(({ who }) => who.role)).toEqual(["anon", "anon", "anon", "anon", "anon"]);
    const { response } = await realtime.connect().join("members", { private: true }, "sb_secret_x");
    expect(response.reason).toMatch(/^Unauthorized/);
  });

  it("may come by its old name, and decides over the key", async () => {
    await open();
    const sub = randomUUID();
    await realtime
      .connect({ key: "service" })
      .ask("room", "phx_join", { config: {}, user_token: realtime.token({ sub }) });
    expect(opened[0]?.who).toMatchObject({ role: "authenticated", subject: sub });
  });
});

describe("R05 who is on a private channel", () => {
  const sub = randomUUID();
  const joinTalk = async (claims: Readonly<Record<string, unknown>> = {}) => {
    const client = realtime.connect();
    expect((await client.join("talk", { private: true }, realtime.token({ sub, ...claims }))).status).toBe("ok");
    return client;
  };
  beforeEach(async () => {
    await open();
    await realtime.sql("insert into public.members values ('talk', $1)", [sub]);
  });

  it.each([
    ["policy is dropped", `drop policy "members" on realtime.messages`],
    ["policy is altered", `alter policy "members" on realtime.messages using (false)`],
    ["policy is for others", 'alter policy "members" on realtime.messages to service_role'],
    [
      "function it calls is another",
      "create or replace function public.allowed() returns boolean language sql as 'select false'",
    ],
    ["privilege is taken", "revoke select on realtime.messages from authenticated"],
    ["look into a table is taken", "revoke select on public.members from authenticated"],
    // PostgreSQL counts writes when a connection pauses, within 10 s at the latest: here at once.
    ["membership ends", "select pg_stat_force_next_flush(); delete from public.members"],
  ])("is out within 5 s when the %s", async (_what, change) => {
    const client = await joinTalk();
    const anon = realtime.connect();
    await anon.join("hall", { private: true });
    await realtime.sql("select pg_sleep(0.25)");
    await realtime.sql(change);
    await gone(client, "talk");
    expect(systemError(client)).toEqual({
      extension: "system",
      status: "error",
      message: expect.stringContaining("You do not have permissions to read from this Channel topic: talk"),
      channel: "talk",
    });
    const heard = client.received.length;
    client.push("talk", "say", "anybody?");
    await client.waitFor(({ payload }) => JSON.stringify(payload).includes("unmatched topic"));
    expect(client.received).toHaveLength(heard + 1);
    expect(anon.of("phx_close")).toEqual([]);
    expect(told).toContain("left talk");
  });

  it("is out at once when a membership ends in a table that is published", async () => {
    await realtime.close();
    await open({ log: "real", settings: { realtimeRulesPollMs: 500 } });
    await realtime.sql("alter publication supabase_realtime add table public.members");
    await realtime.sql("insert into public.members values ('talk', $1)", [sub]);
    const client = await joinTalk();
    // Its first look, from which on it follows the log.
    await vi.waitFor(() => expect(realtime.context.log.stats().state).toBe("following"), { timeout: 30_000 });
    await realtime.sql("delete from public.members");
    await gone(client, "talk");
  });

  it.each([
    ["a policy asks", ""],
    [
      "a function that a policy calls asks",
      `create function public.is_member(room text) returns boolean language plpgsql security definer set search_path = '' as
         $$ begin return exists (select from public.members as m where m.room = $1 and m.user_id = auth.uid()); end $$;
       alter policy "members" on realtime.messages using (public.is_member(realtime.topic()));`,
    ],
    [
      "a view asks",
      `create view public.mine with (security_invoker) as select room from public.members where user_id = auth.uid();
       grant select on public.mine to authenticated;
       alter policy "members" on realtime.messages using (realtime.topic() in (select room from public.mine));`,
    ],
    [
      "is a partition of what a policy asks",
      `alter table public.members rename to members_of_some;
       create table public.members (room text, user_id uuid, primary key (room, user_id)) partition by list (room);
       grant select on public.members to authenticated;
       alter table public.members attach partition public.members_of_some default;
       alter policy "members" on realtime.messages using (realtime.topic() in (
         select m.room from public.members as m where m.user_id = auth.uid()));`,
    ],
  ])(
    "is out at once when a membership ends in a table that nobody has published and that %s",
    async (_what, change) => {
      await realtime.close();
      await open({
        log: "real",
        policies: "real",
        settings: { realtimeRulesPollMs: 200 },
        sql: `${policies} ${change}`,
      });
      await realtime.sql("insert into public.members values ('talk', $1)", [sub]);
      const client = await joinTalk();
      const followed = () =>
        realtime.sql(
          "select 1 from pg_publication_tables where pubname = 'mainstay_policies' and tablename like 'members%'",
        );
      await vi.waitFor(async () => expect((await followed()).length).toBeGreaterThan(0), { timeout: 30_000 });
      // Its counts of writes would be news, too, once PostgreSQL has written them down.
      await realtime.sql("begin; delete from public.members; commit");
      await client.waitFor(({ event }) => event === "phx_close", 2_000);
    },
  );

  it("stays when nothing that counts has changed", async () => {
    const client = await joinTalk();
    await realtime.sql(
      "create table public.unrelated (id int); insert into public.members values ('other', gen_random_uuid())",
    );
    await realtime.sql("select pg_sleep(0.6)");
    expect(client.of("phx_close")).toEqual([]);
    expect(told).not.toContain("left talk");
  });

  it("is out when the token expires, and a fresh one in time keeps it in", async () => {
    const [stays, leaves] = [await joinTalk(), await joinTalk()];
    const iat = Math.floor(now / 1_000) + 60;
    stays.push("talk", "access_token", { access_token: realtime.token({ sub, exp: iat + 7_200 }) });
    await stays.waitFor(() => told.includes(`identity talk ${sub}`));
    now += 3_700_000;
    await gone(leaves, "talk");
    expect(systemError(leaves)).toMatchObject({ message: "Token has expired" });
    expect(stays.of("phx_close")).toEqual([]);
  });

  it("is asked again now and then, whatever is seen of changes", async () => {
    await realtime.close();
    await open({ settings: { realtimeRulesPollMs: 60_000 } });
    await realtime.sql("insert into public.members values ('talk', $1)", [sub]);
    const client = await joinTalk();
    await realtime.sql("delete from public.members");
    now += 301_000;
    await gone(client, "talk");
  });

  it("is out when another token may not, and the features hear of one that may", async () => {
    const client = await joinTalk();
    const [other, stranger] = [randomUUID(), randomUUID()];
    await realtime.sql("insert into public.members values ('talk', $1)", [other]);
    client.push("talk", "access_token", { access_token: realtime.token({ sub: other }) });
    await client.waitFor(() => told.includes(`identity talk ${other}`));
    expect(opened[0]?.who.subject).toBe(other);
    client.push("talk", "access_token", { access_token: realtime.token({ sub: stranger }) });
    await gone(client, "talk");
    expect(told).not.toContain(`identity talk ${stranger}`);
  });

  it("is not touched by the same token, by none, or by a key", async () => {
    const token = realtime.token({ sub });
    const client = realtime.connect();
    await client.join("talk", { private: true }, token);
    for (const again of [token, null, undefined, "", "sb_publishable_x"]) {
      client.push("talk", "access_token", { access_token: again });
    }
    await client.ask("nowhere", "phx_leave", {});
    expect(told.filter((what) => what.startsWith("identity"))).toEqual([]);
    expect(client.of("phx_close")).toEqual([]);
  });

  it("R01 is out when the new token is bad", async () => {
    const client = await joinTalk();
    client.push("talk", "access_token", { access_token: "nonsense" });
    await gone(client, "talk");
    expect(systemError(client)).toMatchObject({ message: "MalformedJWT: The token provided is not a valid JWT" });
  });

  it("A04 is out when the key behind its token is revoked, whoever the token is of, and stays by another's", async () => {
    await realtime.sql(`create policy "everybody" on realtime.messages for select using (true)`);
    const client = realtime.connect();
    const retiring = { exp: Math.floor(Date.now() / 1_000) + 86_400 };
    expect((await client.join("without", {})).status).toBe("ok");
    expect((await client.join("user", {}, realtime.token())).status).toBe("ok");
    expect((await client.join("private", { private: true }, realtime.token(retiring))).status).toBe("ok");
    // No user, so that nothing of it is in any list of sessions.
    expect((await client.join("backend", {}, realtime.token({ sub: undefined, role: "service_role" }))).status).toBe(
      "ok",
    );
    await realtime.keys.rotate();
    await client.ask("without", "phx_join", { config: {} });
    expect(client.of("phx_close").map(({ topic }) => topic)).toEqual(["realtime:without"]);
    await realtime.keys.rotate({ revoke: true });
    for (const name of ["user", "private", "backend"]) {
      const told = await client.waitFor(({ event, topic }) => event === "system" && topic === `realtime:${name}`);
      expect(told.payload).toMatchObject({
        status: "error",
        message: "The token is not valid any more: its key was revoked",
      });
    }
    expect((await client.join("user", {}, realtime.token())).status).toBe("ok");
    expect(
      client
        .of("phx_close")
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual(["without", "backend", "private", "user"].map((name) => `realtime:${name}`).sort());
  });

  it("A04 is out when the key behind its token retires, though the token says later", async () => {
    const client = realtime.connect();
    const exp = Math.floor(now / 1_000) + 90 * 86_400;
    expect((await client.join("lobby", {}, realtime.token({ exp }))).status).toBe("ok");
    await realtime.keys.rotate();
    await vi.waitFor(() => expect(opened[0]?.who.expiresAtMs).toBeLessThan(exp * 1_000), { timeout: 30_000 });
    now += 80 * 86_400_000;
    await client.waitFor(({ event }) => event === "phx_close");
    expect(client.of("system").at(-1)?.payload).toMatchObject({ message: "Token has expired" });
  });

  it("A22 is out within 5 s of signing out, being banned or erased, and stays with another session", async () => {
    const user = randomUUID();
    const sessions = [randomUUID(), randomUUID()];
    await realtime.sql("insert into public.members values ('talk', $1)", [user]);
    await realtime.sql("insert into auth.users (id, email) values ($1, 'a@b.c')", [user]);
    for (const id of sessions)
      await realtime.sql("insert into auth.sessions (id, user_id) values ($1, $2)", [id, user]);
    const [first, second] = [
      await joinTalk({ sub: user, session_id: sessions[0] }),
      await joinTalk({ sub: user, session_id: sessions[1] }),
    ];
    await realtime.sql("delete from auth.sessions where id = $1", [sessions[0]]);
    await gone(first, "talk");
    expect(systemError(first)).toMatchObject({ message: expect.stringContaining("session has ended") });
    expect(second.of("phx_close")).toEqual([]);
    await realtime.sql("update auth.users set banned_until = now() + interval '1 day' where id = $1", [user]);
    await gone(second, "talk");
  });
});

describe("a channel", () => {
  it("R06 is another one when it is private", async () => {
    await open();
    const [public_, private_] = [realtime.connect(), realtime.connect()];
    await public_.join("hall");
    await private_.join("hall", { private: true });
    public_.push("hall", "say", "in public");
    private_.push("hall", "say", "in private");
    await public_.waitFor(({ payload }) => (payload as { text?: string }).text === "in public");
    await private_.waitFor(({ payload }) => (payload as { text?: string }).text === "in private");
    expect(texts(public_)).toEqual(["before the reply", "in public"]);
    expect(texts(private_)).toEqual(["before the reply", "in private"]);
  });

  it("is left with an answer and a close, and is then unknown", async () => {
    await open();
    const client = realtime.connect();
    await client.join("room");
    expect(await client.ask("room", "phx_leave", {})).toEqual({ status: "ok", response: {} });
    await gone(client, "room");
    expect(await client.ask("room", "say", "hello")).toEqual({
      status: "error",
      response: { reason: "unmatched topic" },
    });
    expect(told).toContain("left room");
  });

  it("is not ended by a leave that was meant for an older join", async () => {
    await open();
    const client = realtime.connect();
    await client.join("room");
    await client.join("room");
    await client.give({
      joinRef: "1",
      ref: "9",
      topic: "realtime:room",
      event: "phx_leave",
      payload: {},
      broadcast: null,
    });
    expect(realtime.channels.stats().channels).toBe(1);
  });

  it("is lost with its socket, and never heard of again", async () => {
    await open();
    const [client, other] = [realtime.connect(), realtime.connect()];
    await client.join("a");
    await client.join("b");
    await other.join("a");
    client.drop();
    expect(told.slice(-2)).toEqual(["left a lost", "left b lost"]);
    other.push("a", "say", "hello");
    await other.waitFor(({ payload }) => (payload as { text?: string }).text === "hello");
    expect(texts(client)).not.toContain("hello");
    expect(realtime.channels.stats().channels).toBe(1);
  });

  it("is never opened for a socket that has gone meanwhile", async () => {
    await open();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const client = realtime.connect();
    client.push("slow", "phx_join", {});
    client.push("hall", "phx_join", { config: { private: true } });
    await client.waitFor(() => told.includes("join slow"));
    client.drop();
    resolve();
    await realtime.sql("select pg_sleep(0.1)");
    expect(realtime.context.rooms.size).toBe(0);
    expect(told).not.toContain("joined slow");
    expect(realtime.channels.stats()).toEqual({ channels: 0, privateChannels: 0 });
  });

  it.each(["crash", "crash later"])(
    "that fails (%s) is closed so that the client joins again, and reported whole",
    async (event) => {
      await open();
      const client = realtime.connect();
      await client.join("room");
      await client.join("other");
      client.push("room", event, {});
      await client.waitFor((message) => message.event === "phx_error");
      expect(told).toContain("left room lost");
      expect(realtime.observations).toContainEqual(expect.objectContaining({ kind: "request.failed" }));
      expect((await client.join("room")).status).toBe("ok");
      client.push("other", "say", "still here");
      await client.waitFor(({ payload }) => (payload as { text?: string }).text === "still here");
    },
  );

  it("lets go of what it does not know", async () => {
    await open();
    const client = realtime.connect();
    await client.join("room");
    client.push("room", "no such event", {});
    client.push("room", "say", "after it");
    await client.waitFor(({ payload }) => (payload as { text?: string }).text === "after it");
    expect(client.of("phx_reply")).toHaveLength(1);
  });

  it("R11 keeps back only so much", async () => {
    await open({ settings: { realtimeHeldBytes: 2_000 } });
    gate = new Promise(() => {});
    const [client, other] = [realtime.connect(), realtime.connect()];
    await client.join("missing");
    await other.join("missing");
    for (let i = 0; i < 30; i++) other.push("missing", "say", "x".repeat(100));
    await client.waitFor(() => client.closedWith !== null);
    expect(client.closedWith).toMatchObject({ code: 1013 });
  });
});
