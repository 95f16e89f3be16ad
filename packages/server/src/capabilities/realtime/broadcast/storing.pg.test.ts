import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCluster, type TestNode } from "../nodes.testing.ts";
import {
  openTestRealtime,
  type Received,
  type Reply,
  type TestClient,
  type TestRealtime,
  type TestRealtimeOptions,
} from "../testing.ts";
import type { UserBroadcast } from "../types.ts";
import { type Broadcast, createBroadcast } from "./index.ts";

/** All read `room…`. Who may write says the token's `may`; a policy also looks at the row itself: nobody swears. */
const sql = `
  create policy "read" on realtime.messages for select to authenticated using (realtime.topic() like 'room%');
  create policy "write" on realtime.messages for insert to authenticated
    with check (extension = 'broadcast' and auth.jwt() ->> 'may' in ('write', 'store')
      and coalesce(payload ->> 'text', '') not like '%damn%');
  create policy "store" on realtime.messages for insert to authenticated
    with check (extension = 'persistence' and auth.jwt() ->> 'may' = 'store');
`;

interface Node extends TestNode {
  readonly broadcast: Broadcast;
}

let cluster: TestCluster;
let first: Node;
let second: Node;

/** Opens what has broadcast as its only feature. */
async function withBroadcast<T>(
  open: (features: NonNullable<TestRealtimeOptions["features"]>) => Promise<T>,
): Promise<{ readonly opened: T; readonly broadcast: Broadcast }> {
  let broadcast: Broadcast | undefined;
  const opened = await open((context) => {
    broadcast = createBroadcast(context);
    return [broadcast];
  });
  return { opened, broadcast: broadcast! };
}

async function addNode(options: Parameters<TestCluster["add"]>[0] = {}): Promise<Node> {
  const { opened, broadcast } = await withBroadcast((features) => cluster.add({ ...options, features }));
  return { ...opened, broadcast };
}

beforeAll(async () => {
  cluster = await TestCluster.open();
  first = await addNode({
    sql,
    settings: { realtimeBroadcastPayloadBytes: 2_000, realtimeBroadcastStoreTimeoutMs: 300 },
  });
  second = await addNode();
});
afterAll(async () => {
  await first.broadcast.stop();
  await second.broadcast.stop();
  await cluster.close();
});

let rooms = 0;
const aRoom = (): string => `room-${++rooms}`;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface Joining {
  readonly node?: { readonly realtime: TestRealtime };
  readonly may?: string;
  readonly broadcast?: object;
  readonly isPrivate?: boolean;
  readonly version?: "1.0.0" | "2.0.0";
}

async function member(
  room: string,
  { node = first, may = "store", broadcast = {}, isPrivate = true, version = "2.0.0" }: Joining = {},
) {
  const client = node.realtime.connect({ version });
  const joined = await client.join(
    room,
    { private: isPrivate, broadcast: { ack: true, ...broadcast } },
    node.realtime.token({ may }),
  );
  expect(joined.status).toBe("ok");
  return client;
}

const frame = (event: string, payload: unknown, persist?: unknown): UserBroadcast => ({
  event,
  metadata: persist === undefined ? "" : JSON.stringify({ persist }),
  encoding: Buffer.isBuffer(payload) ? "bytes" : "json",
  payload: Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)),
});

/** Sends a frame and waits for its answer. */
async function ask(client: TestClient, room: string, broadcast: UserBroadcast): Promise<Reply> {
  const ref = client.push(room, "broadcast", null, broadcast);
  const reply = await client.waitFor((message) => message.event === "phx_reply" && message.ref === ref);
  return reply.payload as Reply;
}

const heard = (client: TestClient): unknown[] =>
  client.of("broadcast").map(({ broadcast, payload }) => {
    if (broadcast === null) return payload;
    const content =
      broadcast.encoding === "json" ? JSON.parse(broadcast.payload.toString()) : broadcast.payload.toString("hex");
    return [broadcast.event, content, broadcast.metadata === "" ? null : JSON.parse(broadcast.metadata)];
  });
const hears = (client: TestClient, event: string): Promise<Received> =>
  client.waitFor(({ broadcast }) => broadcast?.event === event);
const rowsOf = (room: string) =>
  first.realtime.sql(
    "select id::text, event, extension, private, payload, binary_payload as bytes, expires_at is null as forever from realtime.messages where topic = $1 order by inserted_at, event",
    [room],
  );
/** All that is under way is on its channels when a last message is. */
async function quiet(room: string, ...clients: readonly TestClient[]): Promise<void> {
  await first.realtime.sql(`select realtime.send('{}', 'last', '${room}')`);
  for (const client of clients) await hears(client, "last");
}

describe("a broadcast that is to be stored", () => {
  it("is a row, and with every member of every node once, by the id its sender is told", async () => {
    const room = aRoom();
    const [sender, echoing, near, far] = [
      await member(room),
      await member(room, { broadcast: { self: true } }),
      await member(room, { may: "read" }),
      await member(room, { node: second, may: "read" }),
    ];
    const text = await ask(sender, room, frame("text", { a: 1 }, true));
    const bytes = await ask(echoing, room, frame("bytes", Buffer.from([0, 255]), { ttl: 60 }));
    const ids = [text, bytes].map(({ response }) => response.id);
    expect([text.status, bytes.status]).toEqual(["ok", "ok"]);
    for (const id of ids) expect(id).toMatch(uuid);
    await quiet(room, sender, echoing, near, far);
    const [one, two] = [
      ["text", { a: 1 }, { id: ids[0] }],
      ["bytes", "00ff", { id: ids[1] }],
    ];
    const last = ["last", expect.anything(), expect.anything()];
    expect(heard(sender)).toEqual([two, last]);
    for (const client of [echoing, near, far]) expect(heard(client)).toEqual([one, two, last]);
    const head = { extension: "broadcast", private: true };
    expect((await rowsOf(room)).filter(({ event }) => event !== "last")).toEqual([
      { ...head, id: ids[0], event: "text", payload: { a: 1 }, bytes: null, forever: true },
      { ...head, id: ids[1], event: "bytes", payload: null, bytes: Buffer.from([0, 255]), forever: false },
    ]);
  });

  it("stands where its sender put it among those that are not, on every node, with and without ack", async () => {
    const room = aRoom();
    const [sender, near, far] = [
      await member(room, { broadcast: { ack: false } }),
      await member(room),
      await member(room, { node: second }),
    ];
    const events = Array.from({ length: 60 }, (_, n) => String(n));
    for (const [n, event] of events.entries())
      sender.push(room, "broadcast", null, frame(event, {}, n % 3 === 1 ? true : undefined));
    for (const client of [near, far]) {
      await hears(client, "59");
      expect(client.of("broadcast").map(({ broadcast }) => broadcast?.event)).toEqual(events);
    }
    expect(sender.of("broadcast")).toEqual([]);
    expect(await rowsOf(room)).toHaveLength(20);
  });

  it("comes to older clients as text, and means nothing in a text message", async () => {
    const room = aRoom();
    const [sender, older] = [await member(room), await member(room, { version: "1.0.0" })];
    const { response } = await ask(sender, room, frame("stored", { n: 1 }, true));
    const sent = { type: "broadcast", event: "text", payload: {}, persist: true };
    expect(await older.ask(room, "broadcast", sent)).toEqual({ status: "ok", response: {} });
    expect(heard(older)).toEqual([
      { type: "broadcast", event: "stored", payload: { n: 1 }, meta: { id: response.id } },
    ]);
    await sender.waitFor(({ payload }) => (payload as { event?: string } | null)?.event === "text");
    expect(await rowsOf(room)).toHaveLength(1);
  });

  it("B03: is refused in words and reaches nobody, unless its sender may write it, as it is, and may store", async () => {
    const room = aRoom();
    const watching = await member(room);
    const refusals: unknown[] = [];
    for (const [may, payload] of [
      ["read", {}],
      ["write", {}],
      ["store", { text: "damn" }],
    ] as const) {
      const sender = await member(room, { may });
      const { status, response } = await ask(sender, room, frame("no", payload, true));
      refusals.push([may, status, response.error]);
      expect(response.reason).toEqual(expect.any(String));
    }
    expect(refusals).toEqual([
      ["read", "error", "unauthorized"],
      ["write", "error", "persistence_unauthorized"],
      ["store", "error", "unauthorized"],
    ]);
    // Who may not store may still send.
    expect((await ask(await member(room, { may: "write" }), room, frame("yes", {}, false))).status).toBe("ok");
    await quiet(room, watching);
    expect(heard(watching).map((each) => (each as unknown[])[0])).toEqual(["yes", "last"]);
    expect((await rowsOf(room)).map(({ event }) => event)).toEqual(["last"]);
  });

  it("is refused where there is nothing to be stored, or PostgreSQL cannot", async () => {
    const room = aRoom();
    const [sender, watching] = [await member(room), await member(room)];
    // As PostgreSQL writes it this has a space after each comma: 2,699 bytes.
    const growing = `[${"1,".repeat(899)}1]`;
    for (const [payload, persist, error] of [
      [{}, { ttl: 0 }, "invalid_persist_ttl"],
      [{}, { ttl: 259_201 }, "invalid_persist_ttl"],
      [{}, "yes", "invalid_persist_ttl"],
      [{ text: "x".repeat(2_000) }, true, "payload_size_exceeded"],
      [growing, true, "payload_size_exceeded"],
      ["1e131071", true, "payload_not_storable"],
      ['"\\u0000"', true, "payload_not_storable"],
      ['"\\ud800"', true, "payload_not_storable"],
    ] as const) {
      expect(await ask(sender, room, frame("no", payload, persist))).toMatchObject({
        status: "error",
        response: { error },
      });
    }
    const open = await member(room, { isPrivate: false });
    expect(await ask(open, room, frame("no", {}, true))).toMatchObject({
      status: "error",
      response: { error: "persist_on_public_channel" },
    });
    await quiet(room, watching);
    expect(heard(watching)).toHaveLength(1);
    expect(await rowsOf(room)).toHaveLength(1);
    expect(sender.closedWith).toBeNull();
  });

  it("is given up when the database takes too long, and nobody has it then or later", async () => {
    const room = aRoom();
    const [sender, watching] = [await member(room), await member(room)];
    expect((await ask(sender, room, frame("before", {}, true))).status).toBe("ok");
    await first.realtime.sql("begin; lock table realtime.messages in access exclusive mode");
    const answer = await ask(sender, room, frame("late", {}, true));
    await first.realtime.sql("rollback");
    expect(answer).toMatchObject({ status: "error", response: { error: "unable_to_persist_message" } });
    await quiet(room, watching);
    expect(heard(watching).map((each) => (each as unknown[])[0])).toEqual(["before", "last"]);
    const warnings = first.realtime.observations.filter(
      (each) => each.kind === "warning" && each.message.includes("57014"),
    );
    expect(warnings).toHaveLength(1);
  });
});

describe("what was stored", () => {
  it("is replayed to who comes later, in order, until its time is over", async () => {
    const room = aRoom();
    const sender = await member(room);
    const ids: unknown[] = [];
    for (const [event, persist] of [
      ["kept", true],
      ["over", { ttl: 1 }],
      ["not yet", { ttl: 600 }],
    ] as const) {
      ids.push((await ask(sender, room, frame(event, { n: ids.length }, persist))).response.id);
    }
    const [times] = await first.realtime.sql<{ between: boolean }>(
      "select bool_and(extract(epoch from expires_at - inserted_at) in (1, 600)) as between from realtime.messages where topic = $1 and expires_at is not null",
      [room],
    );
    expect(times).toEqual({ between: true });
    await first.realtime.sql(
      "update realtime.messages set expires_at = now() at time zone 'UTC' where topic = $1 and event = 'over'",
      [room],
    );
    const late = await member(room, { node: second, broadcast: { replay: { since: 0 } } });
    await hears(late, "not yet");
    expect(heard(late)).toEqual([
      ["kept", { n: 0 }, { replayed: true, id: ids[0] }],
      ["not yet", { n: 2 }, { replayed: true, id: ids[2] }],
    ]);
  });

  it("comes once to who joins with replay while it is sent", async () => {
    const room = aRoom();
    const sender = await member(room);
    const joining: Promise<TestClient>[] = [];
    for (let n = 0; n < 30; n++) {
      sender.push(room, "broadcast", null, frame(String(n), {}, true));
      if (n % 3 === 0)
        joining.push(member(room, { node: n % 2 === 0 ? first : second, broadcast: { replay: { since: 0 } } }));
    }
    for (const client of await Promise.all(joining)) {
      await hears(client, "29");
      const events = client.of("broadcast").map(({ broadcast }) => Number(broadcast?.event));
      expect(events).toEqual(Array.from({ length: 30 }, (_, n) => n).slice(30 - events.length));
    }
  });
});

describe("a table of Supabase's without expires_at", () => {
  it("stores and replays; only a time of its own is refused, and the log says why", async () => {
    const { opened: realtime, broadcast } = await withBroadcast((features) =>
      openTestRealtime({ sql: `alter table realtime.messages drop column expires_at; ${sql}`, features }),
    );
    const room = aRoom();
    const node = { realtime };
    const sender = await member(room, { node });
    const { response } = await ask(sender, room, frame("kept", {}, true));
    expect(await ask(sender, room, frame("timed", {}, { ttl: 60 }))).toMatchObject({
      status: "error",
      response: { error: "unable_to_persist_message" },
    });
    const late = await member(room, { node, broadcast: { replay: { since: 0 } } });
    await hears(late, "kept");
    expect(heard(late)).toEqual([["kept", {}, { replayed: true, id: response.id }]]);
    expect(realtime.observations).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("expires_at") }),
    );
    await broadcast.stop();
    await realtime.close();
  });
});

describe("a database that is away", () => {
  it("is told to the sender, and the message is with nobody", async () => {
    const { opened: realtime, broadcast } = await withBroadcast((features) => openTestRealtime({ sql, features }));
    const room = aRoom();
    const node = { realtime };
    const [sender, watching] = [await member(room, { node }), await member(room, { node })];
    expect((await ask(sender, room, frame("there", {}, true))).status).toBe("ok");
    await realtime.context.session.close(AbortSignal.timeout(1_000));
    expect(await ask(sender, room, frame("away", {}, true))).toMatchObject({
      status: "error",
      response: { error: "unable_to_connect_to_project" },
    });
    // What is not to be stored goes on.
    expect((await ask(sender, room, frame("plain", {}))).status).toBe("ok");
    expect(watching.of("broadcast").map(({ broadcast: got }) => got?.event)).toEqual(["there", "plain"]);
    await broadcast.stop();
    await realtime.close();
  });
});
