import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogEntry } from "../../../kernel/change.ts";
import type { ChangeLog, LiveReader } from "../../../platform/changes/types.ts";
import { TestCluster, type TestNode } from "../nodes.testing.ts";
import { openTestRealtime, quietLog, type Received, type TestClient } from "../testing.ts";
import type { Channel, ChannelFeature, UserBroadcast } from "../types.ts";
import { type Broadcast, createBroadcast } from "./index.ts";

/** A node with broadcast, and what is on its channels. */
interface BroadcastNode extends TestNode {
  readonly broadcast: Broadcast;
  readonly channels: Channel[];
}

/** Readers read rooms named `read…`; writers write them besides; a row of `late` shows only to those whose claim is not later. */
const sql = `
  create policy "read rooms" on realtime.messages for select to authenticated
    using (realtime.topic() like 'read%' and coalesce((auth.jwt() ->> 'since')::timestamp, '-infinity') <= inserted_at);
  create policy "write rooms" on realtime.messages for insert to authenticated
    with check (realtime.topic() like 'read%' and (auth.jwt() ->> 'writer') = 'yes' and extension = 'broadcast');
`;

let cluster: TestCluster;
let first: BroadcastNode;
let second: BroadcastNode;

async function addNode(options: Parameters<TestCluster["add"]>[0] = {}): Promise<BroadcastNode> {
  const channels: Channel[] = [];
  const recorder: ChannelFeature = {
    name: "recorder",
    joined: (channel) => void channels.push(channel),
    left: (channel) => void channels.splice(channels.indexOf(channel), 1),
  };
  let broadcast: Broadcast | undefined;
  const node = await cluster.add({
    ...options,
    features(context) {
      broadcast = createBroadcast(context);
      return [broadcast, recorder];
    },
  });
  await broadcast!.start();
  return { ...node, broadcast: broadcast!, channels };
}

beforeAll(async () => {
  cluster = await TestCluster.open();
  first = await addNode({ sql });
  second = await addNode();
});
afterAll(async () => {
  await first.broadcast.stop();
  await second.broadcast.stop();
  await cluster.close();
});

const bytesOf = (event: string, payload: unknown, more: Partial<UserBroadcast> = {}): UserBroadcast => ({
  event,
  metadata: "",
  encoding: "json",
  payload: Buffer.from(JSON.stringify(payload)),
  ...more,
});
/** What came as broadcasts: event and payload, whatever the frame. */
const heard = (client: TestClient): unknown[] =>
  client.of("broadcast").map((message) => {
    if (message.broadcast === null) {
      const { event, payload, meta } = message.payload as Record<string, unknown>;
      return meta === undefined ? [event, payload] : [event, payload, meta];
    }
    const { event, encoding, payload, metadata } = message.broadcast;
    const content = encoding === "json" ? (JSON.parse(payload.toString()) as unknown) : payload.toString("hex");
    return metadata === "" ? [event, content] : [event, content, JSON.parse(metadata)];
  });
const isEvent = (event: string) => (message: Received) =>
  message.event === "broadcast" &&
  (message.broadcast?.event ?? (message.payload as { event?: string }).event) === event;
let rooms = 0;
const aRoom = (prefix = "room"): string => `${prefix}-${++rooms}`;

describe("broadcast on a channel", () => {
  it("reaches the others in the sender's order, in the form it was sent and each version takes", async () => {
    const room = aRoom();
    const [sender, newer, older] = [
      first.realtime.connect(),
      first.realtime.connect(),
      first.realtime.connect({ version: "1.0.0" }),
    ];
    for (const client of [sender, newer, older]) await client.join(room);
    sender.push(room, "broadcast", { type: "broadcast", event: "text", payload: { n: 1 } });
    sender.push(room, "broadcast", null, bytesOf("frame", { n: 2 }, { metadata: '{"id":"forged"}' }));
    sender.push(room, "broadcast", null, bytesOf("raw", 0, { encoding: "bytes", payload: Buffer.from([0, 255]) }));
    await newer.waitFor(isEvent("raw"));
    expect(heard(newer)).toEqual([
      ["text", { n: 1 }],
      ["frame", { n: 2 }],
      ["raw", "00ff"],
    ]);
    expect(newer.of("broadcast").map(({ broadcast }) => broadcast !== null)).toEqual([false, true, true]);
    expect(heard(older)).toEqual([
      ["text", { n: 1 }],
      ["frame", { n: 2 }],
    ]);
    expect(sender.of("broadcast")).toEqual([]);
    expect(sender.of("phx_reply")).toHaveLength(1);
  });

  it("comes back to a sender that wants it, and is answered where that is asked for", async () => {
    const room = aRoom();
    const client = first.realtime.connect();
    await client.join(room, { broadcast: { ack: true, self: true } });
    expect(await client.ask(room, "broadcast", { event: "e", payload: 1 })).toEqual({ status: "ok", response: {} });
    expect(heard(client)).toEqual([["e", 1]]);
  });

  it("is refused when it is too large, in words only with ack", async () => {
    const room = aRoom();
    const small = await addNode({ settings: { realtimeBroadcastPayloadBytes: 100 } });
    const [loud, quiet, other] = [1, 2, 3].map(() => small.realtime.connect()) as [TestClient, TestClient, TestClient];
    await loud.join(room, { broadcast: { ack: true } });
    await quiet.join(room);
    await other.join(room);
    const payload = { event: "large", payload: "x".repeat(100) };
    expect(await loud.ask(room, "broadcast", payload)).toMatchObject({
      status: "error",
      response: { reason: /100 bytes/ },
    });
    quiet.push(room, "broadcast", payload);
    quiet.push(room, "broadcast", { event: "small", payload: 1 });
    await other.waitFor(isEvent("small"));
    expect(heard(other)).toEqual([["small", 1]]);
    expect(quiet.of("phx_reply")).toHaveLength(1);
    await small.broadcast.stop();
    await small.kill();
  });

  it("R06: stays in its room: a private and a public one of a name are two", async () => {
    const room = aRoom("read");
    const token = first.realtime.token({ writer: "yes" });
    const [inside, outside] = [first.realtime.connect(), first.realtime.connect()];
    const [reader, passer] = [first.realtime.connect(), first.realtime.connect()];
    await inside.join(room, { private: true }, token);
    await reader.join(room, { private: true }, token);
    await outside.join(room);
    await passer.join(room);
    await inside.give({ ...message(room, inside), payload: { event: "secret", payload: 1 } });
    await outside.give({ ...message(room, outside), payload: { event: "open", payload: 1 } });
    await reader.waitFor(isEvent("secret"));
    await passer.waitFor(isEvent("open"));
    expect([heard(reader), heard(passer), heard(inside), heard(outside)]).toEqual([
      [["secret", 1]],
      [["open", 1]],
      [],
      [],
    ]);
  });

  it("R07: needs the right to write: whoever may only read is not heard, nor answered", async () => {
    const room = aRoom("read");
    const [mute, writer, reader] = [1, 2, 3].map(() => first.realtime.connect()) as [
      TestClient,
      TestClient,
      TestClient,
    ];
    await mute.join(room, { private: true, broadcast: { ack: true } }, first.realtime.token());
    await writer.join(room, { private: true, broadcast: { ack: true } }, first.realtime.token({ writer: "yes" }));
    await reader.join(room, { private: true }, first.realtime.token());
    await mute.give({ ...message(room, mute), payload: { event: "mute", payload: 1 } });
    expect(await writer.ask(room, "broadcast", { event: "heard", payload: 1 })).toMatchObject({ status: "ok" });
    expect(heard(reader)).toEqual([["heard", 1]]);
    expect(mute.of("phx_reply")).toHaveLength(1);
  });

  it("says when the log is followed, to those who ask", async () => {
    const room = aRoom();
    const client = first.realtime.connect();
    await client.join(room, { broadcast: { replication_ready: "true" } });
    const { payload } = await client.waitFor(({ event }) => event === "system");
    expect(payload).toEqual({
      extension: "system",
      status: "ok",
      message: "Replication connection established",
      channel: room,
    });
  });
});

const message = (room: string, client: TestClient) => ({
  joinRef: "1",
  ref: String(++client.lastRef),
  topic: `realtime:${room}`,
  event: "broadcast",
  payload: null,
  broadcast: null,
});

describe("broadcast over nodes", () => {
  it("reaches members on others, once, in order, in every form", async () => {
    const room = aRoom();
    const [here, there] = [first.realtime.connect(), second.realtime.connect()];
    const older = second.realtime.connect({ version: "1.0.0" });
    for (const client of [here, there, older]) await client.join(room, { broadcast: { self: true } });
    for (let n = 0; n < 200; n++) here.push(room, "broadcast", { event: "text", payload: n });
    here.push(room, "broadcast", null, bytesOf("frame", "é"));
    here.push(room, "broadcast", null, bytesOf("raw", 0, { encoding: "bytes", payload: Buffer.from([7]) }));
    here.push(room, "broadcast", { event: "last", payload: 0 });
    await there.waitFor(isEvent("last"));
    await older.waitFor(isEvent("last"));
    const numbers = Array.from({ length: 200 }, (_, n) => ["text", n]);
    expect(heard(there)).toEqual([...numbers, ["frame", "é"], ["raw", "07"], ["last", 0]]);
    expect(heard(older)).toEqual([...numbers, ["frame", "é"], ["last", 0]]);
    expect(heard(here)).toHaveLength(203);
  });
});

describe("broadcast from the database", () => {
  it("reaches members on every node when its transaction commits, and says its id", async () => {
    const room = aRoom("read");
    const token = first.realtime.token();
    const [here, there, open] = [first.realtime.connect(), second.realtime.connect(), second.realtime.connect()];
    await here.join(room, { private: true }, token);
    await there.join(room, { private: true }, second.realtime.token());
    await open.join(room);
    await first.realtime.sql("begin");
    await first.realtime.sql(`select realtime.send('{"n": 0}', 'undone', '${room}')`);
    await first.realtime.sql("rollback");
    await first.realtime.sql(`select realtime.send('{"n": 1}', 'sent', '${room}')`);
    await first.realtime.sql(
      `insert into realtime.messages (topic, extension, event, private, payload) values ('${room}', 'presence', 'no', true, '{}')`,
    );
    await first.realtime.sql(`select realtime.send_binary('\\x00ff', 'bytes', '${room}')`);
    await first.realtime.sql(`select realtime.send('{}', 'public', '${room}', false)`);
    const [sent] = await first.realtime.sql<{ id: string }>(`select id from realtime.messages where event = 'sent'`);
    for (const client of [here, there]) {
      await client.waitFor(isEvent("bytes"));
      expect(heard(client)).toEqual([
        ["sent", { n: 1, id: sent!.id }, { id: sent!.id }],
        ["bytes", "00ff", { id: expect.any(String) }],
      ]);
    }
    await open.waitFor(isEvent("public"));
    expect(open.of("broadcast")).toHaveLength(1);
  });
});

describe("replay of stored broadcasts", () => {
  const send = (room: string, event: string, at: string, isPrivate = true) =>
    first.realtime.sql(
      `insert into realtime.messages (topic, extension, event, private, payload, inserted_at)
       values ($1, 'broadcast', $2, $3, '{}', timezone('utc', now()) - $4::interval) returning id`,
      [room, event, isPrivate, at],
    );

  it("sends the newest since a time, oldest first, after the reply; and what comes live once", async () => {
    const room = aRoom("read");
    for (let minute = 40; minute > 0; minute--) await send(room, `m${minute}`, `${minute} minutes`);
    await send(room, "public", "1 minute", false);
    const client = first.realtime.connect();
    const since = Date.now() - 30.5 * 60_000;
    await client.join(room, { private: true, broadcast: { replay: { since, limit: 3 } } }, first.realtime.token());
    await send(room, "live", "0");
    await client.waitFor(isEvent("live"));
    expect(heard(client).map((each) => (each as unknown[])[0])).toEqual(["m3", "m2", "m1", "live"]);
    expect(heard(client)[0]).toEqual(["m3", {}, { replayed: true, id: expect.any(String) }]);
    expect(client.received[0]?.event).toBe("phx_reply");
    const many = first.realtime.connect();
    await many.join(room, { private: true, broadcast: { replay: { since, limit: 99 } } }, first.realtime.token());
    await expect.poll(() => many.of("broadcast").length).toBe(25);
  });

  it("keeps the order of what one transaction sent, and a bound on what it sends", async () => {
    const room = aRoom("read");
    await first.realtime.sql(
      `do $$ begin for n in 1..12 loop perform realtime.send(jsonb_build_object('n', n), 'e', '${room}'); end loop; end $$`,
    );
    const config = { private: true, broadcast: { replay: { since: 0 } } };
    const client = first.realtime.connect();
    await client.join(room, config, first.realtime.token());
    await expect.poll(() => client.of("broadcast").length).toBe(12);
    const numbers = (of: TestClient) => heard(of).map((each) => ((each as unknown[])[1] as { n: number }).n);
    expect(numbers(client)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const small = await addNode({ settings: { realtimeBroadcastReplayBytes: 200 } });
    const poor = small.realtime.connect();
    await poor.join(room, config, small.realtime.token());
    await poor.waitFor((each) => each.event === "broadcast" && numbers(poor).includes(12));
    expect(numbers(poor)).toEqual([10, 11, 12]);
    await small.broadcast.stop();
    await small.kill();
  });

  it("sends what comes while it joins once, in its place", async () => {
    const room = aRoom("read");
    await send(room, "before", "1 minute");
    const clients = Array.from({ length: 10 }, () => first.realtime.connect());
    const token = first.realtime.token();
    const config = { private: true, broadcast: { replay: { since: 0 } } };
    const joining = clients.map((client) => client.join(room, config, token));
    for (let n = 0; n < 20; n++) await send(room, `n${n}`, "0");
    await Promise.all(joining);
    await send(room, "last", "0");
    for (const client of clients) {
      await client.waitFor(isEvent("last"));
      const events = heard(client).map((each) => String((each as unknown[])[0]));
      expect(events[0]).toBe("before");
      expect([...events].sort()).toEqual(["before", "last", ...Array.from({ length: 20 }, (_, n) => `n${n}`)].sort());
    }
  });

  it("R08: shows strangers nothing, and newcomers nothing from before their time", async () => {
    const room = aRoom("read");
    const witness = first.realtime.connect();
    await witness.join(room, { private: true }, first.realtime.token());
    await send(room, "early", "2 hours");
    await send(room, "late", "1 minute");
    // The log has come past them: nobody is sent them as news.
    await witness.waitFor(isEvent("late"));
    const since = new Date(Date.now() - 3_600_000).toISOString().slice(0, -1);
    const newcomer = first.realtime.connect();
    const config = { private: true, broadcast: { replay: { since: 0 } } };
    await newcomer.join(room, config, first.realtime.token({ since }));
    await newcomer.waitFor(isEvent("late"));
    expect(heard(newcomer).map((each) => (each as unknown[])[0])).toEqual(["late"]);
    const stranger = first.realtime.connect();
    expect(await stranger.join(room, config)).toMatchObject({ status: "error", response: { reason: /^Unauthorized/ } });
    const passer = first.realtime.connect();
    expect(await passer.join(room, { broadcast: { replay: { since: 0 } } })).toMatchObject({
      status: "error",
      response: { reason: "UnableToReplayMessages: Replay is not allowed for public channels" },
    });
    expect([stranger, passer].map((client) => client.of("broadcast"))).toEqual([[], []]);
  });
});

describe("R13: what a channel gets that comes back", () => {
  /** All entries beyond `from`, once everything sent so far is among them. */
  async function missed(node: BroadcastNode, from: bigint): Promise<readonly LogEntry[]> {
    await node.broadcast.settled?.();
    return [...(node.log.between(from, node.broadcast.position()) ?? [])];
  }

  it("is what was sent while it was away, by anybody on any node, in order, without its own", async () => {
    const room = aRoom("read");
    const elsewhere = aRoom();
    const token = first.realtime.token({ writer: "yes" });
    const config = { private: true };
    const [leaver, stayer, far] = [first.realtime.connect(), first.realtime.connect(), second.realtime.connect()];
    await leaver.join(room, config, token);
    await stayer.join(room, config, token);
    await far.join(room, config, second.realtime.token({ writer: "yes" }));
    await far.join(elsewhere);
    const from = first.broadcast.position();
    await leaver.give({ ...message(room, leaver), payload: { event: "own", payload: 0 } });
    await far.waitFor(isEvent("own"));
    leaver.drop();
    for (let n = 0; n < 5; n++) await stayer.give({ ...message(room, stayer), payload: { event: "here", payload: n } });
    await far.waitFor((each) => isEvent("here")(each) && (each.payload as { payload: number }).payload === 4);
    await far.give({ ...message(elsewhere, far), payload: { event: "elsewhere", payload: 0 } });
    await far.give({ ...message(room, far), payload: { event: "there", payload: 0 } });
    await stayer.waitFor(isEvent("there"));
    await first.realtime.sql(`select realtime.send('{}', 'stored', '${room}')`);
    await stayer.waitFor(isEvent("stored"));
    await stayer.give({ ...message(room, stayer), payload: { event: "last", payload: 0 } });

    const back = first.realtime.connect();
    await back.join(room, config, token);
    const channel = first.channels.find(({ socket }) => socket === back)!;
    const entries = await missed(first, from);
    await first.broadcast.replay(channel, entries, leaver.id);
    const events = heard(back).map((each) => (each as unknown[])[0]);
    expect(events).toEqual(["here", "here", "here", "here", "here", "there", "stored", "last"]);
    // Once more, without a word of where it was: its own is somebody's then.
    await first.broadcast.replay(channel, entries);
    expect(
      heard(back)
        .slice(8)
        .map((each) => (each as unknown[])[0]),
    ).toEqual(["own", ...events]);
  });

  it("is nothing of what it has got since it joined, and nothing it may not read now", async () => {
    const room = aRoom("read");
    const token = first.realtime.token({ writer: "yes" });
    const [sender, far, back] = [first.realtime.connect(), second.realtime.connect(), first.realtime.connect()];
    await sender.join(room, { private: true }, token);
    await far.join(room, { private: true }, second.realtime.token({ writer: "yes" }));
    const from = first.broadcast.position();
    await back.join(room, { private: true }, token);
    await sender.give({ ...message(room, sender), payload: { event: "near", payload: 0 } });
    await far.give({ ...message(room, far), payload: { event: "far", payload: 0 } });
    await first.realtime.sql(`select realtime.send('{}', 'stored', '${room}')`);
    // The other node writes into the log when it gets to it, which may be after the row.
    await Promise.all(["far", "stored"].map((event) => back.waitFor(isEvent(event))));
    const channel = first.channels.find(({ socket }) => socket === back)!;
    const entries = await missed(first, from);
    expect(entries.length).toBeGreaterThan(0);
    await first.broadcast.replay(channel, entries);
    expect(back.of("broadcast")).toHaveLength(3);
    const blind = { ...channel, isOpen: true, rights: { ...channel.rights, readBroadcast: false } } as Channel;
    await first.broadcast.replay(blind, entries);
    expect(back.of("broadcast")).toHaveLength(3);
  });

  it("is a word that something is missing when the log has a gap", async () => {
    const room = aRoom();
    const readers: LiveReader[] = [];
    const log: ChangeLog = {
      ...quietLog,
      async follow(reader) {
        readers.push(reader);
        return { position: () => 1n, stop() {} };
      },
    };
    let broadcast: Broadcast | undefined;
    const realtime = await openTestRealtime({
      database: cluster.database,
      log,
      features(context) {
        broadcast = createBroadcast(context);
        return [broadcast];
      },
    });
    const [here, gone] = [realtime.connect(), realtime.connect()];
    await here.join(room);
    await gone.join(room);
    await gone.ask(room, "phx_leave", {});
    for (const reader of readers) reader.onGap("retention");
    expect(here.of("system").map(({ payload }) => payload)).toEqual([
      { extension: "system", status: "ok", message: expect.stringContaining("missed"), channel: room },
    ]);
    expect(gone.of("system")).toEqual([]);
    await broadcast!.stop();
    await realtime.close();
  });
});
