import { afterEach, describe, expect, test } from "vitest";
import { until } from "../../../platform/http/test-server.ts";
import { jsonMessage } from "../wire/index.ts";
import {
  clientFrame,
  closeCodeIn,
  framesIn,
  openClient,
  openRaw,
  openTestSockets,
  readToEnd,
  type TestSockets,
} from "./testing.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
async function open(options: Parameters<typeof openTestSockets>[0] = {}): Promise<TestSockets> {
  const sockets = await openTestSockets(options);
  closers.push(() => sockets.stop());
  return sockets;
}
const word = (text: string) => jsonMessage({ topic: "realtime:a", event: "word", payload: JSON.stringify(text) });
const said = (text: string) => [null, null, "realtime:a", "word", text];

describe("heartbeats", () => {
  test("are answered in the client's version, and are nobody else's business", async () => {
    const sockets = await open();
    const second = await openClient(sockets);
    second.say([null, "1", "phoenix", "heartbeat", {}]);
    const first = await openClient(sockets, { apikey: "anon-key" });
    first.say({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "7" });
    await until(() => first.heard.length + second.heard.length === 2);
    const payload = { status: "ok", response: {} };
    expect(second.heard).toEqual([[null, "1", "phoenix", "phx_reply", payload]]);
    expect(first.heard).toEqual([{ topic: "phoenix", event: "phx_reply", payload, ref: "7", join_ref: null }]);
    expect(sockets.opened.flatMap(({ messages }) => messages)).toEqual([]);
  });

  test("are answered while something else takes long", async () => {
    let finish = () => {};
    const sockets = await open({ message: () => new Promise<void>((resolve) => (finish = resolve)) });
    const client = await openClient(sockets);
    client.say([null, "1", "realtime:a", "slow", {}]);
    client.say([null, "2", "phoenix", "heartbeat", {}]);
    await until(() => client.heard.length === 1);
    finish();
  });
});

describe("messages", () => {
  test("of one socket are handled in order, each when the one before is done; another's do not wait", async () => {
    const done: unknown[] = [];
    const finish: (() => void)[] = [];
    const sockets = await open({
      async message({ socket }, { payload }) {
        if (payload === "slow") await new Promise<void>((resolve) => finish.push(resolve));
        done.push([socket.id, payload]);
      },
    });
    const [slow, quick] = [await openClient(sockets), await openClient(sockets)];
    const [slowId, quickId] = sockets.opened.map(({ socket }) => socket.id);
    for (const payload of ["slow", "a", "b"]) slow.say([null, null, "t", "e", payload]);
    await until(() => finish.length === 1);
    quick.say([null, null, "t", "e", "c"]);
    await until(() => done.length === 1);
    finish[0]!();
    await until(() => done.length === 4);
    expect(done).toEqual([
      [quickId, "c"],
      [slowId, "slow"],
      [slowId, "a"],
      [slowId, "b"],
    ]);
  });

  test("R12 that come faster than they are handled wait at the client, and all arrive", async () => {
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const count = 3000;
    const sockets = await open({
      settings: { realtimeInboxMessages: 10, realtimeInboxBytes: 10_000, realtimeMessagesBurst: 10_000 },
      message: () => gate,
    });
    const client = await openClient(sockets);
    const filler = "x".repeat(5000);
    for (let i = 0; i < count; i++) client.say([null, String(i + 1), "t", "e", filler]);
    // 15 MB: more than the kernel keeps for both of them, so that what is not read stays with the client.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(client.websocket.bufferedAmount).toBeGreaterThan(1_000_000);
    expect(sockets.opened[0]!.socket.lastRef).toBeLessThan(count);
    letGo();
    await until(() => sockets.opened[0]!.messages.length === count);
    expect(sockets.opened[0]!.messages.map(({ ref }) => ref)).toEqual(
      Array.from({ length: count }, (_, i) => String(i + 1)),
    );
  });

  test("tell how far the client has counted", async () => {
    const sockets = await open();
    const client = await openClient(sockets);
    for (const ref of ["3", "12", "5", "x", null, "9999999999999999"]) client.say([null, ref, "t", "e", {}]);
    await until(() => sockets.opened[0]!.messages.length === 6);
    expect(sockets.opened[0]!.socket.lastRef).toBe(12);
  });

  test("X09 whose handling fails close their socket, and no other", async () => {
    const sockets = await open({
      async message(_recorded, { payload }) {
        if (payload === "fail") throw new Error("a bug");
      },
    });
    const [failing, other] = [await openClient(sockets), await openClient(sockets)];
    failing.say([null, "1", "t", "e", "fail"]);
    expect((await failing.closed).code).toBe(1011);
    other.say([null, "1", "phoenix", "heartbeat", {}]);
    await until(() => other.heard.length === 1);
    expect(sockets.observations).toEqual([
      {
        kind: "request.failed",
        id: sockets.opened[0]!.socket.id,
        error: expect.objectContaining({ message: "a bug" }),
      },
    ]);
  });

  test("X09 a socket that cannot be opened is closed, and counted out", async () => {
    const sockets = await open({
      open: () => {
        throw new Error("a bug");
      },
    });
    const client = await openClient(sockets);
    expect((await client.closed).code).toBe(1011);
    await until(() => sockets.server.stats().connections === 0);
    expect(sockets.observations).toHaveLength(1);
  });
});

describe("the end of a socket", () => {
  test.each<[string, (client: Awaited<ReturnType<typeof openClient>>) => void, boolean]>([
    ["says goodbye", ({ websocket }) => websocket.close(1000), true],
    ["says goodbye without a code", ({ websocket }) => websocket.close(), true],
    ["goes to another page", ({ websocket }) => websocket.close(1001), true],
    ["gives up on us, as realtime-js puts it", ({ websocket }) => websocket.close(1000, "heartbeat timeout"), false],
    ["has a fault", ({ websocket }) => websocket.close(4000), false],
    ["is gone", ({ websocket }) => websocket.terminate(), false],
  ])("is clean or a loss: the client %s", async (_name, leave, isClean) => {
    const sockets = await open();
    leave(await openClient(sockets));
    await until(() => sockets.opened[0]!.wasClean !== null);
    expect(sockets.opened[0]!.wasClean).toBe(isClean);
    expect(sockets.server.stats().connections).toBe(0);
  });

  test("by us is never the client's goodbye; what was queued is sent before, and nothing after", async () => {
    const sockets = await open();
    const client = await openClient(sockets);
    const { socket } = sockets.opened[0]!;
    socket.send(word("before"));
    socket.close(4001, "é".repeat(200));
    socket.send(word("after"));
    socket.close(4002, "again");
    expect(await client.closed).toEqual({ code: 4001, reason: "é".repeat(61) });
    expect(client.heard).toEqual([said("before")]);
    await until(() => sockets.opened[0]!.wasClean !== null);
    expect(sockets.opened[0]!.wasClean).toBe(false);
    expect(socket.queuedBytes).toBe(0);
  });

  test("is told after the message in hand, without those that waited", async () => {
    let finish = () => {};
    const sockets = await open({ message: () => new Promise<void>((resolve) => (finish = resolve)) });
    const client = await openClient(sockets);
    for (const payload of ["a", "b"]) client.say([null, null, "t", "e", payload]);
    await until(() => sockets.opened[0]!.messages.length === 1);
    client.websocket.terminate();
    await until(() => sockets.server.stats().connections === 0);
    expect(sockets.opened[0]!.wasClean).toBeNull();
    finish();
    await until(() => sockets.opened[0]!.wasClean !== null);
    expect(sockets.opened[0]!.messages.map(({ payload }) => payload)).toEqual(["a"]);
  });

  test("comes although the client does not answer the goodbye", async () => {
    const sockets = await open({ settings: { realtimeCloseMs: 50 } });
    const tcp = await openRaw(sockets);
    sockets.opened[0]!.socket.close(4001, "");
    await until(() => sockets.opened[0]!.wasClean === false);
    tcp.destroy();
  });
});

describe("silence", () => {
  test("is first asked about, then ended", async () => {
    const sockets = await open({ settings: { realtimeIdleMs: 200 } });
    const bytes = await readToEnd(await openRaw(sockets));
    expect(framesIn(bytes).map(({ opcode }) => opcode)).toEqual([9, 8]);
    expect(closeCodeIn(bytes)).toBe(1001);
    await until(() => sockets.opened[0]!.wasClean === false);
  });

  test("is no end while pings are answered", async () => {
    const sockets = await open({ settings: { realtimeIdleMs: 100 } });
    const client = await openClient(sockets);
    let pings = 0;
    client.websocket.on("ping", () => {
      pings += 1;
    });
    await until(() => pings === 6);
    expect(sockets.opened[0]!.wasClean).toBeNull();
  });

  test("is not held against a client that we do not read", async () => {
    let finish = () => {};
    const sockets = await open({
      settings: { realtimeIdleMs: 100, realtimeInboxMessages: 1 },
      message: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    const tcp = await openRaw(sockets);
    const frame = clientFrame(1, JSON.stringify([null, null, "t", "e", {}]));
    tcp.write(Buffer.concat([frame, frame, frame, frame]));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(sockets.opened[0]!.wasClean).toBeNull();
    tcp.destroy();
    while (sockets.opened[0]!.wasClean === null) {
      finish();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});

describe("R12 a flood", () => {
  const settings = { realtimeMessagesPerSecond: 1, realtimeMessagesBurst: 5 };

  test("R12 of messages is told of on its channel, and ends the socket", async () => {
    const sockets = await open({ settings });
    const [client, other] = [await openClient(sockets), await openClient(sockets)];
    for (let i = 1; i <= 20; i++) client.say(["9", String(i), "realtime:a:b", "broadcast", {}]);
    expect(await client.closed).toEqual({ code: 1008, reason: "Too many messages per second" });
    const message = "Too many messages per second";
    expect(client.heard).toEqual([
      ["9", null, "realtime:a:b", "system", { extension: "system", status: "error", message, channel: "a:b" }],
      ["9", null, "realtime:a:b", "phx_close", {}],
    ]);
    expect(sockets.opened[0]!.messages).toHaveLength(5);
    other.say([null, "1", "phoenix", "heartbeat", {}]);
    await until(() => other.heard.length === 1);
    expect(sockets.server.stats()).toMatchObject({ cutAsFlood: 1 });
  });

  test.each([
    ["messages that are none", clientFrame(1, "{}")],
    ["heartbeats", clientFrame(1, JSON.stringify([null, "1", "phoenix", "heartbeat", {}]))],
    ["pings", clientFrame(9, "")],
  ])("R12 of %s ends the socket, too", async (_name, frame) => {
    const sockets = await open({ settings });
    const tcp = await openRaw(sockets);
    tcp.write(Buffer.concat(Array.from({ length: 20 }, () => frame)));
    expect(closeCodeIn(await readToEnd(tcp))).toBe(1008);
    expect(sockets.opened[0]!.messages).toEqual([]);
  });
});

describe("drain", () => {
  test("closes everybody with 1012, not all at once, and takes no more", async () => {
    const sockets = await open({ settings: { realtimeDrainMs: 400 } });
    const clients = await Promise.all(Array.from({ length: 16 }, () => openClient(sockets)));
    sockets.server.drain();
    await expect(openClient(sockets)).rejects.toThrow("503");
    await Promise.race(clients.map(({ closed }) => closed));
    expect(sockets.server.stats().connections).toBeGreaterThan(4);
    for (const { closed } of clients) expect((await closed).code).toBe(1012);
    await until(() => sockets.server.stats().connections === 0);
    expect(sockets.opened.every(({ wasClean }) => wasClean === false)).toBe(true);
  });

  test("stop cuts those that stay, and tells every handler", async () => {
    const sockets = await open({ settings: { realtimeCloseMs: 60_000, realtimeDrainMs: 0 } });
    const staying = await Promise.all([openRaw(sockets), openRaw(sockets)]);
    sockets.server.drain();
    await sockets.server.stop(AbortSignal.timeout(5000));
    expect(sockets.opened.map(({ wasClean }) => wasClean)).toEqual([false, false]);
    expect(sockets.server.stats().connections).toBe(0);
    for (const tcp of staying) tcp.destroy();
  });

  test("stop does not wait for a handler that never ends", async () => {
    const sockets = await open({ settings: { realtimeCloseMs: 50 }, message: () => new Promise(() => {}) });
    (await openClient(sockets)).say([null, null, "t", "e", {}]);
    await until(() => sockets.opened[0]!.messages.length === 1);
    await sockets.server.stop(new AbortController().signal);
    expect(sockets.opened[0]!.wasClean).toBeNull();
  });
});
