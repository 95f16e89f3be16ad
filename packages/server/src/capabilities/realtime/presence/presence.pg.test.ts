import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCluster, type TestNode } from "../nodes.testing.ts";
import type { TestClient } from "../testing.ts";
import { createPresence, type Presence } from "./index.ts";

interface PresenceNode extends TestNode {
  readonly presence: Presence;
}

/** Everybody may read broadcasts in `see…`; presences only with `see`, and track only with `be`. */
const sql = `
  create policy "broadcasts" on realtime.messages for select to authenticated
    using (realtime.topic() like 'see%' and extension = 'broadcast');
  create policy "presences" on realtime.messages for select to authenticated
    using (realtime.topic() like 'see%' and extension = 'presence' and (auth.jwt() ->> 'see') = 'yes');
  create policy "track" on realtime.messages for insert to authenticated
    with check (realtime.topic() like 'see%' and extension = 'presence' and (auth.jwt() ->> 'be') = 'yes');
`;

let cluster: TestCluster;
let first: PresenceNode;
let second: PresenceNode;

async function addNode(options: Parameters<TestCluster["add"]>[0] = {}): Promise<PresenceNode> {
  let presence: Presence | undefined;
  const node = await cluster.add({
    ...options,
    features(context) {
      presence = createPresence(context);
      return [presence];
    },
  });
  await presence!.start();
  return { ...node, presence: presence! };
}

beforeAll(async () => {
  cluster = await TestCluster.open();
  first = await addNode({ sql });
  second = await addNode();
});
afterAll(async () => {
  await first.presence.stop();
  await second.presence.stop();
  await cluster.close();
});

type Metas = Readonly<Record<string, { readonly metas: readonly Readonly<Record<string, unknown>>[] }>>;

/** Who is here, as a client adds it up from the state and the diffs: what is tracked, by key. */
function here(client: TestClient): Record<string, unknown[]> {
  const metas = new Map<string, { readonly key: string; readonly fields: unknown }>();
  const join = (entries: Metas): void => {
    for (const [key, of] of Object.entries(entries)) {
      for (const { phx_ref, phx_ref_prev: _, ...fields } of of.metas) metas.set(String(phx_ref), { key, fields });
    }
  };
  for (const { event, payload } of client.received) {
    if (event === "presence_state") {
      metas.clear();
      join(payload as Metas);
    }
    if (event !== "presence_diff") continue;
    const { joins, leaves } = payload as { readonly joins: Metas; readonly leaves: Metas };
    for (const of of Object.values(leaves)) for (const { phx_ref } of of.metas) metas.delete(String(phx_ref));
    join(joins);
  }
  const byKey: Record<string, unknown[]> = {};
  for (const { key, fields } of metas.values()) byKey[key] = [...(byKey[key] ?? []), fields];
  return byKey;
}

const track = (client: TestClient, room: string, payload: unknown = {}) =>
  client.ask(room, "presence", { type: "presence", event: "track", payload });
const untrack = (client: TestClient, room: string) =>
  client.ask(room, "presence", { type: "presence", event: "untrack" });
const shows = (client: TestClient, expected: Readonly<Record<string, unknown[]>>) =>
  expect.poll(() => here(client)).toEqual(expected);
const presence = (key: string, enabled = true) => ({ presence: { key, enabled } });
let rooms = 0;
const aRoom = (prefix = "room"): string => `${prefix}-${++rooms}`;

describe("presence on a channel", () => {
  it("is told as a state after the reply, then as diffs with the refs clients need", async () => {
    const room = aRoom();
    const ana = first.realtime.connect();
    await ana.join(room, presence("ana"));
    expect(ana.received.map(({ event }) => event)).toEqual(["phx_reply", "presence_state"]);
    expect(ana.received[1]?.payload).toEqual({});
    expect(await track(ana, room, { at: "door" })).toEqual({ status: "ok", response: {} });
    await shows(ana, { ana: [{ at: "door" }] });
    const ben = first.realtime.connect();
    await ben.join(room, presence("ben"));
    expect(here(ben)).toEqual({ ana: [{ at: "door" }] });
    await track(ana, room, { at: "bar" });
    await shows(ben, { ana: [{ at: "bar" }] });
    const [diff] = ben.of("presence_diff").map(({ payload }) => payload as { joins: Metas; leaves: Metas });
    const before = (ben.of("presence_state")[0]!.payload as Metas).ana!.metas[0]!.phx_ref;
    expect(diff?.joins.ana?.metas[0]).toEqual({ phx_ref: expect.any(String), phx_ref_prev: before, at: "bar" });
    expect(diff?.leaves.ana?.metas[0]).toEqual({ phx_ref: before, at: "door" });
    await untrack(ana, room);
    await shows(ben, {});
  });

  it("ends when a client leaves, or its connection is lost", async () => {
    const room = aRoom();
    const [ana, ben, eve] = [1, 2, 3].map(() => first.realtime.connect()) as [TestClient, TestClient, TestClient];
    for (const [client, key] of [
      [ana, "ana"],
      [ben, "ben"],
      [eve, "eve"],
    ] as const) {
      await client.join(room, presence(key));
      await track(client, room);
    }
    await shows(eve, { ana: [{}], ben: [{}], eve: [{}] });
    await ana.ask(room, "phx_leave", {});
    ben.drop();
    await shows(eve, { eve: [{}] });
  });

  it("takes a key of the server's without one of the client's, and several clients under one", async () => {
    const room = aRoom();
    const clients = Array.from({ length: 3 }, () => first.realtime.connect());
    await clients[0]!.join(room, presence(""));
    await clients[1]!.join(room, presence("same"));
    await clients[2]!.join(room, presence("same"));
    for (const [n, client] of clients.entries()) await track(client, room, { n });
    await expect.poll(() => Object.values(here(clients[0]!)).flat().length).toBe(3);
    const { same, ...rest } = here(clients[0]!);
    expect(same).toEqual([{ n: 1 }, { n: 2 }]);
    expect(Object.keys(rest)).toEqual([expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4/)]);
  });

  it("begins with the first track for a client that did not ask for it; others who did not are told nothing", async () => {
    const room = aRoom();
    const [late, never] = [first.realtime.connect(), first.realtime.connect()];
    await late.join(room, presence("late", false));
    await never.join(room, presence("never", false));
    await track(late, room, { x: 1 });
    await shows(late, { late: [{ x: 1 }] });
    expect(late.received.map(({ event }) => event)).toEqual([
      "phx_reply",
      "presence_state",
      "phx_reply",
      "presence_diff",
    ]);
    expect(never.received.map(({ event }) => event)).toEqual(["phx_reply"]);
  });

  it("answers what it cannot take, and changes nothing", async () => {
    const room = aRoom();
    const client = first.realtime.connect();
    await client.join(room, presence("ana"));
    expect(await track(client, room, "text")).toEqual({
      status: "error",
      response: { reason: "Presence track payload must be a map" },
    });
    expect(await client.ask(room, "presence", { event: "dance" })).toMatchObject({ status: "error" });
    await track(client, room, { phx_ref: "forged", phx_ref_prev: "forged", __proto__: 1 });
    await shows(client, { ana: [{}] });
    expect(JSON.stringify(client.received)).not.toContain("forged");
  });
});

describe("presence on private channels", () => {
  it("R07: is read and written by rights of its own", async () => {
    const room = aRoom("see");
    const [both, writer, reader] = [1, 2, 3].map(() => first.realtime.connect()) as [
      TestClient,
      TestClient,
      TestClient,
    ];
    const config = (key: string) => ({ ...presence(key), private: true });
    await both.join(room, config("both"), first.realtime.token({ see: "yes", be: "yes" }));
    await writer.join(room, config("writer"), first.realtime.token({ be: "yes" }));
    await reader.join(room, config("reader"), first.realtime.token({ see: "yes" }));
    expect(await track(both, room)).toMatchObject({ status: "ok" });
    expect(await track(writer, room)).toMatchObject({ status: "ok" });
    expect(await track(reader, room)).toMatchObject({ status: "error", response: { reason: /^Unauthorized/ } });
    await shows(both, { both: [{}], writer: [{}] });
    await shows(reader, { both: [{}], writer: [{}] });
    expect(writer.received.some(({ event }) => event.startsWith("presence_"))).toBe(false);
  });

  it("R05: ends with the right to it", async () => {
    const room = aRoom("see");
    const [client, witness] = [first.realtime.connect(), first.realtime.connect()];
    const config = (key: string) => ({ ...presence(key), private: true });
    await witness.join(room, config("witness"), first.realtime.token({ see: "yes" }));
    await client.join(room, config("client"), first.realtime.token({ see: "yes", be: "yes" }));
    await track(client, room);
    await shows(witness, { client: [{}] });
    client.push(room, "access_token", { access_token: first.realtime.token() });
    await shows(witness, {});
    const told = client.received.length;
    const other = first.realtime.connect();
    await other.join(room, config("other"), first.realtime.token({ see: "yes", be: "yes" }));
    await track(other, room);
    await shows(witness, { other: [{}] });
    expect(client.received.slice(told).filter(({ event }) => event === "presence_diff")).toEqual([]);
  });
});

describe("R12: presence floods", () => {
  it("close the channel of whoever calls too often, and of nobody else", async () => {
    const room = aRoom();
    const node = await addNode({ settings: { realtimePresenceCalls: 3, realtimePresencePayloadBytes: 50 } });
    const [loud, calm, large] = [1, 2, 3].map(() => node.realtime.connect()) as [TestClient, TestClient, TestClient];
    for (const client of [loud, calm, large]) await client.join(room, presence("k"));
    await track(calm, room, { n: 0 });
    for (let n = 0; n < 3; n++) await track(loud, room, { n });
    loud.push(room, "presence", { event: "track", payload: { n: 4 } });
    const end = await loud.waitFor(({ event }) => event === "system");
    expect(end.payload).toMatchObject({ status: "error", message: "Client presence rate limit exceeded" });
    await loud.waitFor(({ event }) => event === "phx_close");
    large.push(room, "presence", { event: "track", payload: { text: "x".repeat(50) } });
    expect((await large.waitFor(({ event }) => event === "system")).payload).toMatchObject({
      message: "Track message size exceeded",
    });
    await shows(calm, { k: [{ n: 0 }] });
    const refused = node.realtime.connect();
    expect(await refused.join(room, presence("k".repeat(2_000)))).toMatchObject({ status: "error" });
    await node.presence.stop();
    await node.kill();
  });

  it("close the channel of whoever tracks when all of them track too often", async () => {
    const room = aRoom();
    const node = await addNode({ settings: { realtimePresencePerSecond: 2 } });
    const clients = Array.from({ length: 3 }, () => node.realtime.connect());
    for (const client of clients) await client.join(room, presence("k"));
    for (const client of clients) client.push(room, "presence", { event: "track", payload: {} });
    await clients[2]!.waitFor(({ event }) => event === "phx_close");
    expect(clients[2]!.of("system")[0]?.payload).toMatchObject({ message: "Too many presence messages per second" });
    await shows(clients[0]!, { k: [{}, {}] });
    await node.presence.stop();
    await node.kill();
  });

  it("cost the members of a room one message for many", async () => {
    const room = aRoom();
    const node = await addNode({ settings: { realtimePresenceDiffMs: 200 } });
    const witness = node.realtime.connect();
    await witness.join(room, presence("witness"));
    const clients = Array.from({ length: 50 }, () => node.realtime.connect());
    for (const client of clients) await client.join(room, presence("k"));
    for (const [n, client] of clients.entries()) await track(client, room, { n });
    await expect.poll(() => here(witness).k?.length).toBe(50);
    expect(witness.of("presence_diff").length).toBeLessThan(10);
    await node.presence.stop();
    await node.kill();
  });
});

describe("presence over nodes", () => {
  it("is one on all of them, and follows what changes", async () => {
    const room = aRoom();
    const [ana, ben] = [first.realtime.connect(), second.realtime.connect()];
    await ana.join(room, presence("ana"));
    await track(ana, room, { at: 1 });
    await ben.join(room, presence("ben"));
    await track(ben, room, { at: 2 });
    for (const client of [ana, ben]) await shows(client, { ana: [{ at: 1 }], ben: [{ at: 2 }] });
    await track(ben, room, { at: 3 });
    await shows(ana, { ana: [{ at: 1 }], ben: [{ at: 3 }] });
    ben.drop();
    await shows(ana, { ana: [{ at: 1 }] });
  });

  it("R13: is whole on a node that comes, and ends with a node that dies", async () => {
    const room = aRoom();
    const ana = first.realtime.connect();
    await ana.join(room, presence("ana"));
    await track(ana, room);
    const third = await addNode();
    const [eve, ivy] = [third.realtime.connect(), third.realtime.connect()];
    await eve.join(room, presence("eve"));
    await shows(eve, { ana: [{}] });
    await ivy.join(room, presence("ivy"));
    await track(ivy, room);
    await shows(ana, { ana: [{}], ivy: [{}] });
    await third.kill();
    await shows(ana, { ana: [{}] });
  });
});
