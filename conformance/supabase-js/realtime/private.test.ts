import type { RealtimeChannel } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { mint } from "../app.ts";
import {
  broadcastsOn,
  newName,
  type RealtimeApp,
  refused,
  startRealtimeApp,
  statusesOf,
  subscribed,
  systemOn,
  within,
} from "./realtime-app.ts";

/** Who may do what is in a table of the app's, as in most apps. */
const sql = `
  create table public.members (
    room text, user_id uuid, can_read boolean default true, can_write boolean default false,
    can_see boolean default false, can_show boolean default false, primary key (room, user_id)
  );
  alter table public.members enable row level security;
  create policy "own" on public.members for select to authenticated using (user_id = auth.uid());
  grant select on public.members to authenticated;
  create policy "read" on realtime.messages for select to authenticated using (
    extension = 'broadcast' and exists (
      select from public.members where user_id = (select auth.uid()) and room = (select realtime.topic()) and can_read));
  create policy "write" on realtime.messages for insert to authenticated with check (
    extension = 'broadcast' and exists (
      select from public.members where user_id = (select auth.uid()) and room = (select realtime.topic()) and can_write));
  create policy "see" on realtime.messages for select to authenticated using (
    extension = 'presence' and exists (
      select from public.members where user_id = (select auth.uid()) and room = (select realtime.topic()) and can_see));
  create policy "show" on realtime.messages for insert to authenticated with check (
    extension = 'presence' and exists (
      select from public.members where user_id = (select auth.uid()) and room = (select realtime.topic()) and can_show));
  create policy "own topic" on realtime.messages for all to authenticated
    using (realtime.topic() = 'user:' || auth.uid()) with check (realtime.topic() = 'user:' || auth.uid());`;

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(sql, { identity: { jwtLeewaySeconds: 0 } });
});
afterAll(() => app.stop());

interface Rights {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly see?: boolean;
  readonly show?: boolean;
}

/** A signed-in user who is a member of a room. */
async function member(room: string, { read = false, write = false, see = false, show = false }: Rights) {
  const user = await app.user();
  await app.sql(`insert into public.members values ('${room}', '${user.id}', ${read}, ${write}, ${see}, ${show})`);
  return user;
}

const privately = (broadcast: object = {}) => ({ config: { private: true, broadcast } });

/** Somebody whom nothing is refused, to see what comes. */
async function watching(room: string): Promise<{ got: ReturnType<typeof broadcastsOn>; channel: RealtimeChannel }> {
  const channel = app.realtime({ key: app.serviceRoleKey }).client.channel(room, {
    config: { private: true, presence: { enabled: true, key: "watcher" } },
  });
  const got = broadcastsOn(channel);
  await subscribed(channel);
  return { got, channel };
}

describe("joining", () => {
  it("with the right to read; without it, and without a user, it is refused and says so", async () => {
    const room = newName();
    const reader = await member(room, { read: true });
    await subscribed(reader.client.channel(room, privately()));
    const reason = `Unauthorized: You do not have permissions to read from this Channel topic: ${room}`;
    const stranger = await app.user();
    expect(await refused(stranger.client.channel(room, privately()))).toBe(reason);
    expect(await refused(app.realtime().client.channel(room, privately()))).toBe(reason);
    expect(await refused(reader.client.channel(`${room}-2`, privately()))).toMatch(/^Unauthorized: /);
    for (const { client } of [stranger, reader]) await client.removeAllChannels();
  });

  it("a right to presence alone lets in, and no broadcast reaches", async () => {
    const room = newName();
    const { client } = await member(room, { see: true });
    const channel = client.channel(room, { config: { private: true, presence: { enabled: true } } });
    const got = broadcastsOn(channel);
    await subscribed(channel);
    const watcher = await watching(room);
    await watcher.channel.send({ type: "broadcast", event: "secret", payload: {} });
    await watcher.channel.track({ n: 1 });
    await vi.waitFor(() => expect(channel.presenceState()).toMatchObject({ watcher: [{ n: 1 }] }), within);
    expect(got).toEqual([]);
  });

  it("topics by who one is: the own one only", async () => {
    const [ann, bob] = [await app.user(), await app.user()];
    const channel = ann.client.channel(`user:${ann.id}`, privately({ self: true, ack: true }));
    const got = broadcastsOn(channel);
    await subscribed(channel);
    expect(await channel.send({ type: "broadcast", event: "x", payload: {} })).toBe("ok");
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    expect(await refused(bob.client.channel(`user:${ann.id}`, privately()))).toMatch(/^Unauthorized: /);
    await bob.client.removeAllChannels();
  });

  it("the service role needs no policy", async () => {
    await watching(newName());
  });

  it("a client that was refused comes in by itself when it may", async () => {
    const room = newName();
    const user = await app.user();
    const channel = user.client.channel(room, privately());
    const statuses = statusesOf(channel);
    await vi.waitFor(() => expect(statuses[0]?.status).toBe("CHANNEL_ERROR"), within);
    await app.sql(`insert into public.members (room, user_id) values ('${room}', '${user.id}')`);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("SUBSCRIBED"), { ...within, timeout: 30_000 });
  });
});

describe("R07 reading, writing and presence are rights apart", () => {
  it("who may only read is heard by nobody, and not answered", async () => {
    const room = newName();
    const watcher = await watching(room);
    const reader = await member(room, { read: true });
    const writer = await member(room, { read: true, write: true });
    const [silent, heard] = [reader, writer].map(({ client }) => client.channel(room, privately({ ack: true })));
    await Promise.all([subscribed(silent!), subscribed(heard!)]);
    expect(await silent!.send({ type: "broadcast", event: "no", payload: {} }, { timeout: 500 })).toBe("timed out");
    expect(await heard!.send({ type: "broadcast", event: "yes", payload: {} })).toBe("ok");
    expect(await silent!.httpSend("no", {}).catch(() => "refused")).toBe("refused");
    await vi.waitFor(() => expect(watcher.got.map(({ event }) => event)).toEqual(["yes"]), within);
  });

  it("who may not show themselves is refused, and nobody sees them", async () => {
    const room = newName();
    const watcher = await watching(room);
    const [hidden, shown] = [
      await member(room, { read: true, see: true }),
      await member(room, { read: true, show: true }),
    ];
    const [one, two] = [hidden, shown].map(({ client }) =>
      client.channel(room, {
        config: { private: true, presence: { key: client === hidden.client ? "hidden" : "shown" } },
      }),
    );
    let syncs = 0;
    one!.on("presence", { event: "sync" }, () => void syncs++);
    await Promise.all([subscribed(one!), subscribed(two!)]);
    expect(await one!.track({})).toBe("error");
    expect(await two!.track({})).toBe("ok");
    await vi.waitFor(() => expect(Object.keys(watcher.channel.presenceState())).toEqual(["shown"]), within);
    await vi.waitFor(() => expect(Object.keys(one!.presenceState())).toEqual(["shown"]), within);
    expect(syncs).toBeGreaterThan(0);
  });

  it("who may not see others is told of nobody", async () => {
    const room = newName();
    const blind = await member(room, { read: true, show: true });
    const channel = blind.client.channel(room, { config: { private: true, presence: { enabled: true } } });
    await subscribed(channel);
    expect(await channel.track({})).toBe("ok");
    const watcher = await watching(room);
    await vi.waitFor(() => expect(Object.keys(watcher.channel.presenceState())).toHaveLength(1), within);
    await blind.client.realtime.sendHeartbeat();
    await watcher.channel.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(blind.wire.bytes).toHaveLength(1), within);
    expect([...blind.wire.payloads("presence_state"), ...blind.wire.payloads("presence_diff")]).toEqual([]);
  });
});

describe("R06 a public and a private channel of one name", () => {
  it("hear nothing of each other: broadcasts, presence, from SQL", async () => {
    const room = newName();
    const [outside, inside] = [
      app.realtime().client.channel(room, { config: { presence: { key: "out", enabled: true } } }),
      (await watching(room)).channel,
    ];
    const got = [broadcastsOn(outside), broadcastsOn(inside)];
    await subscribed(outside);
    await outside.send({ type: "broadcast", event: "from outside", payload: {} });
    await inside.send({ type: "broadcast", event: "from inside", payload: {} });
    await outside.track({});
    await inside.track({});
    await vi.waitFor(() => expect(Object.keys(outside.presenceState())).toEqual(["out"]), within);
    await vi.waitFor(() => expect(Object.keys(inside.presenceState())).toEqual(["watcher"]), within);
    await app.sql(
      `select realtime.send('{}', 'sql private', '${room}'), realtime.send('{}', 'sql public', '${room}', false)`,
    );
    await vi.waitFor(
      () => expect(got.map((of) => of.map(({ event }) => event))).toEqual([["sql public"], ["sql private"]]),
      within,
    );
  });
});

describe("R05 rights that change while one is there", () => {
  it("a policy that is dropped ends the channel within 5 s, and says why", async () => {
    const room = newName();
    await app.sql(
      `create policy "passing" on realtime.messages for select to authenticated using (realtime.topic() = '${room}')`,
    );
    const user = await app.user();
    const channel = user.client.channel(room, privately());
    const system = systemOn(channel);
    const statuses = await subscribed(channel);
    await app.sql(`drop policy "passing" on realtime.messages`);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
    expect(system).toEqual([expect.objectContaining({ extension: "system", status: "error", channel: room })]);
  });

  it("a member who is thrown out hears nothing more", async () => {
    const room = newName();
    const user = await member(room, { read: true, write: true });
    const channel = user.client.channel(room, privately());
    const statuses = await subscribed(channel);
    await app.sql(`delete from public.members where room = '${room}'`);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), { ...within, timeout: 30_000 });
  });

  it("setAuth with a token of somebody without the right ends it; with one who has it goes on", async () => {
    const room = newName();
    const [reader, other, stranger] = [
      await member(room, { read: true }),
      await member(room, { read: true }),
      await app.user(),
    ];
    const tokenOf = async (user: typeof reader) =>
      (await user.client.auth.getSession()).data.session?.access_token ?? "";
    const { client } = app.realtime();
    await client.realtime.setAuth(await tokenOf(reader));
    const channel = client.channel(room, privately());
    const got = broadcastsOn(channel);
    const system = systemOn(channel);
    const statuses = await subscribed(channel);
    const watcher = await watching(room);
    // The client was made with a callback of its own, which setAuth overrides for now.
    await client.realtime.setAuth(await tokenOf(other));
    await watcher.channel.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    await client.realtime.setAuth(await tokenOf(stranger));
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
    expect(system.at(-1)).toMatchObject({
      status: "error",
      message: expect.stringMatching(/^(Unauthorized: )?You do not have permissions/),
    });
  });
});

describe("R01 a token that is not good", () => {
  const broken: readonly [string, string, RegExp][] = [
    [
      "expired",
      mint({ sub: crypto.randomUUID(), role: "authenticated", exp: Math.floor(Date.now() / 1_000) - 60 }),
      /^InvalidJWTToken: /,
    ],
    [
      "of another secret",
      mint({ sub: crypto.randomUUID(), role: "service_role" }, "x".repeat(32)),
      /^JwtSignatureError: /,
    ],
    ["no token at all", "not a token", /^MalformedJWT: /],
  ];

  it.each(broken)("%s: the join is refused, to a public channel as well", async (_, token, reason) => {
    const { client } = app.realtime();
    client.realtime.accessToken = null;
    await client.realtime.setAuth(token);
    expect(await refused(client.channel(newName()))).toMatch(reason);
    await client.removeAllChannels();
  });

  it.each(broken)("%s, given while one is there: the channel ends", async (_, token) => {
    const { client } = app.realtime();
    client.realtime.accessToken = null;
    const channel = client.channel(newName());
    const system = systemOn(channel);
    const statuses = await subscribed(channel);
    await client.realtime.setAuth(token);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
    expect(system).toEqual([expect.objectContaining({ extension: "system", status: "error" })]);
  });

  it("one that expires ends its channels then", async () => {
    const room = newName();
    const user = await member(room, { read: true });
    const { client } = app.realtime();
    client.realtime.accessToken = null;
    await client.realtime.setAuth(
      mint({ sub: user.id, role: "authenticated", exp: Math.floor(Date.now() / 1_000) + 2 }),
    );
    const channel = client.channel(room, privately());
    const system = systemOn(channel);
    const statuses = await subscribed(channel);
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
    expect(system).toEqual([expect.objectContaining({ status: "error", message: expect.stringMatching(/expired/i) })]);
  });

  it("a sign-out ends the channels of its session", async () => {
    const user = await app.user();
    const channel = user.client.channel(`user:${user.id}`, privately());
    const statuses = await subscribed(channel);
    const { data } = await user.client.auth.getSession();
    const admin = app.client(app.serviceRoleKey).auth.admin;
    expect((await admin.signOut(data.session?.access_token ?? "")).error).toBeNull();
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
  });
});

describe("private channels only", () => {
  it("public ones are refused, everywhere", async () => {
    const strict = await startRealtimeApp(sql, { realtime: { realtimePrivateOnly: true } });
    const user = await strict.user();
    const name = `user:${user.id}`;
    expect(await refused(user.client.channel(name))).toBe("PrivateOnly: This project only allows private channels");
    await user.client.removeAllChannels();
    const channel = user.client.channel(name, privately());
    const got = broadcastsOn(channel);
    await subscribed(channel);
    await expect(strict.realtime().client.channel(name).httpSend("x", {})).rejects.toThrow();
    await user.client.channel(name, privately()).httpSend("y", {});
    await vi.waitFor(() => expect(got.map(({ event }) => event)).toEqual(["y"]), within);
    await strict.stop();
  });
});
