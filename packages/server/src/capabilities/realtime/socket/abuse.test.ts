import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { deflateRawSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../../../platform/http/test-server.ts";
import { broadcastMessage, jsonMessage } from "../wire/index.ts";
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

/** A client beside the abuse, and the proof that it is still served. */
async function openBystander(sockets: TestSockets): Promise<() => Promise<void>> {
  const client = await openClient(sockets);
  return async () => {
    const before = client.heard.length;
    client.say([null, "1", "phoenix", "heartbeat", {}]);
    await until(() => client.heard.length > before);
  };
}

const heartbeat = clientFrame(1, JSON.stringify([null, "1", "phoenix", "heartbeat", {}]));

describe("R10 frames that are none", () => {
  const v1 = "/realtime/v1/websocket?apikey=anon-key";
  const unmasked = Buffer.from([0x81, 2, 0x7b, 0x7d]);
  const bomb = deflateRawSync(Buffer.alloc(50_000_000));
  test.each<[string, Buffer, number, string?]>([
    ["not masked", unmasked, 1002],
    ["compressed without agreement: a deflate bomb", clientFrame(1, bomb, 0xc0), 1002],
    ["of a reserved opcode", clientFrame(3, "x"), 1002],
    ["a continuation of nothing", clientFrame(0, "x"), 1002],
    ["a control frame in two parts", clientFrame(9, "x", 0), 1002],
    ["a control frame that is too long", clientFrame(9, Buffer.alloc(126)), 1002],
    ["a close frame of one byte", clientFrame(8, "x"), 1002],
    ["text that is not UTF-8", clientFrame(1, Buffer.from([0xff, 0xfe])), 1007],
    ["longer than allowed, by their own word", clientFrame(1, Buffer.alloc(20_000)).subarray(0, 100), 1009],
    [
      "longer than allowed, in parts",
      Buffer.concat([clientFrame(1, Buffer.alloc(9000), 0), clientFrame(0, Buffer.alloc(9000))]),
      1009,
    ],
    ["text that is not JSON", clientFrame(1, "hello"), 1007],
    ["binary, in 1.0.0", clientFrame(2, Buffer.alloc(20)), 1003, v1],
    ["binary, and end within their names", clientFrame(2, Buffer.from([3, 255, 0, 0, 0, 0, 0])), 1007],
  ])("R10 %s end their socket and nothing else", async (_name, bytes, code, target) => {
    const sockets = await open({ settings: { realtimeMessageBytes: 10_000 } });
    const isServed = await openBystander(sockets);
    const tcp = await openRaw(sockets, target);
    tcp.write(bytes);
    expect(closeCodeIn(await readToEnd(tcp))).toBe(code);
    await until(() => sockets.opened[1]!.wasClean === false);
    expect(sockets.opened[1]!.messages).toEqual([]);
    await isServed();
  });

  test("R10 messages that are well-formed and none of ours are passed over", async () => {
    const sockets = await open();
    const tcp = await openRaw(sockets);
    const unknown = [
      clientFrame(1, "{}"),
      clientFrame(1, "null"),
      clientFrame(1, JSON.stringify([null, {}, [], "e"])),
      clientFrame(2, Buffer.from([200, 1, 2, 3])),
      clientFrame(2, Buffer.from([4, 1, 1, 0, 0, 65, 65])),
    ];
    tcp.write(Buffer.concat([...unknown, heartbeat]));
    const end = readToEnd(tcp);
    tcp.once("data", () => tcp.write(clientFrame(8, Buffer.from([3, 232]))));
    expect(framesIn(await end).map(({ opcode }) => opcode)).toEqual([1, 8]);
    expect(sockets.opened[0]!.messages).toEqual([]);
  });

  test("R10 10,000 random ones leave the server, its other clients and its memory as they were", {
    timeout: 120_000,
  }, async () => {
    const sockets = await open({ settings: { realtimeMessagesBurst: 1000 } });
    const isServed = await openBystander(sockets);
    const usedBytes = collector();
    const abuse = async (connections: number, bytes: (round: number) => readonly Buffer[]) => {
      for (let round = 0; round < connections; round += 20) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const tcp = await openRaw(sockets);
            const end = readToEnd(tcp);
            for (const chunk of bytes(round + i)) tcp.write(chunk);
            tcp.end();
            await end;
          }),
        );
      }
    };
    // Whatever it may be, straight after the handshake …
    const anything = () => [randomBytes(Math.ceil(Math.random() * 2000))];
    // … and what is a frame, with anything in it: many to a socket, until one of them ends it.
    const kinds = [0, 1, 2, 3, 4];
    const framed = () =>
      Array.from({ length: 40 }, (_, i) => {
        const data = randomBytes(Math.ceil(Math.random() * 300));
        data[0] = kinds[i % kinds.length]!;
        for (let at = 1; at < 6 && at < data.length; at++) data[at]! &= 15; // names short enough to be there
        return clientFrame(2, data);
      });
    await abuse(200, anything);
    const before = usedBytes();
    await abuse(2000, anything);
    await abuse(200, framed);
    await isServed();
    await until(() => sockets.server.stats().connections === 1);
    expect(sockets.opened).toHaveLength(1 + 200 + 2000 + 200);
    expect(sockets.observations).toEqual([]);
    sockets.opened.splice(0); // what the test itself keeps
    expect(usedBytes() - before).toBeLessThan(10_000_000);
  });

  test("R10 messages that never end do not fill the memory: those that take most go first", async () => {
    const sockets = await open({ settings: { realtimeReceivingBytes: 3_000_000, realtimeIdleMs: 800 } });
    const part = (bytes: number) => clientFrame(1, Buffer.alloc(4_000_000)).subarray(0, bytes);
    const [small, large, larger] = [await openRaw(sockets), await openRaw(sockets), await openRaw(sockets)];
    const ends: string[] = [];
    small.on("close", () => ends.push("small"));
    large.on("close", () => ends.push("large"));
    larger.on("close", () => ends.push("larger"));
    for (const tcp of [small, large, larger]) tcp.resume();
    small.write(part(100_000));
    large.write(part(1_500_000));
    larger.write(part(2_500_000));
    await until(() => ends.length > 0);
    expect(ends).toEqual(["larger"]);
    await until(() => ends.length === 3); // the others said nothing either
  });
});

/** Collects garbage, and says what is left. */
function collector(): () => number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  return () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}

describe("R11 readers that do not read", () => {
  const frame = jsonMessage({ topic: "realtime:a", event: "e", payload: JSON.stringify("x".repeat(10_000)) });
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test("R11 one is cut off at its limit, and told so when it reads again: whole frames, then 1013", async () => {
    const limit = 100_000;
    const sockets = await open({ settings: { realtimeQueueBytes: limit, realtimeCloseMs: 10_000 } });
    const tcp = await openRaw(sockets);
    const { socket } = sockets.opened[0]!;
    let most = 0;
    let sent = 0;
    while (sockets.server.stats().cutAsSlow === 0) {
      socket.send(frame);
      sent += 1;
      most = Math.max(most, socket.queuedBytes);
      if (sent % 5 === 0) await turn();
    }
    expect(most).toBeGreaterThan(limit / 2);
    expect(most).toBeLessThanOrEqual(limit + frame.frame("2.0.0")!.length);
    expect(socket.queuedBytes).toBe(0);
    const end = readToEnd(tcp);
    // Answers the goodbye, as clients do.
    tcp.on("data", (chunk: Buffer) => chunk.includes("Too slow") && tcp.end(clientFrame(8, "")));
    const frames = framesIn(await end);
    expect(frames.at(-1)!.opcode).toBe(8);
    expect(frames.at(-1)!.data.readUInt16BE(0)).toBe(1013);
    expect(frames.length).toBeLessThan(sent);
    const whole = frame.frame("2.0.0")!.length - 4;
    expect(frames.slice(0, -1).every(({ data }) => data.length === whole)).toBe(true);
    await until(() => sockets.opened[0]!.wasClean === false);
  });

  test("R11 much at once is no reason to cut a reader that keeps up", async () => {
    const sockets = await open({ settings: { realtimeQueueBytes: 50_000 } });
    const client = await openClient(sockets);
    const { socket } = sockets.opened[0]!;
    for (let i = 0; i < 500; i++) {
      socket.send(frame);
      while (socket.queuedBytes > 25_000) await turn();
    }
    await until(() => client.heard.length === 500);
    expect(sockets.server.stats()).toMatchObject({ connections: 1, cutAsSlow: 0 });
  });

  test("R11 500 of them hold a bounded number of bytes, and the one who reads gets everything", async () => {
    const limit = 65_536;
    const sockets = await open({ settings: { realtimeQueueBytes: limit, realtimeMessagesBurst: 10 } });
    const lazy = await Promise.all(Array.from({ length: 500 }, () => openRaw(sockets)));
    const reader = await openClient(sockets);
    const all = sockets.opened.map(({ socket }) => socket);
    let sent = 0;
    let mostBytes = 0;
    const payload = "y".repeat(50_000);
    while (sockets.server.stats().cutAsSlow < 500) {
      const message = jsonMessage({ topic: "realtime:a", event: "e", payload: JSON.stringify(`${sent} ${payload}`) });
      for (const socket of all) socket.send(message);
      sent += 1;
      mostBytes = Math.max(mostBytes, ...all.map(({ queuedBytes }) => queuedBytes));
      await until(() => reader.heard.length === sent);
    }
    expect(mostBytes).toBeLessThanOrEqual(limit + 51_000);
    expect(sockets.server.stats().queuedBytes).toBe(0);
    const ledger = reader.heard.map((message) => String((message as unknown[])[4]).split(" ")[0]);
    expect(ledger).toEqual(Array.from({ length: sent }, (_, i) => String(i)));
    await until(() => sockets.server.stats().connections === 1);
    for (const tcp of lazy) tcp.destroy();
  });

  test("R02 sockets of both versions share one message, each with its own frame", async () => {
    const sockets = await open();
    const [second, first] = [await openClient(sockets), await openClient(sockets, { apikey: "anon-key" })];
    const event = "e";
    const json = broadcastMessage("realtime:a", { event, metadata: "", encoding: "json", payload: Buffer.from("[1]") });
    const bytes = broadcastMessage("realtime:a", { event, metadata: "", encoding: "bytes", payload: Buffer.from([1]) });
    for (const { socket } of sockets.opened) for (const message of [json, bytes]) socket.send(message);
    await until(() => second.heard.length === 2 && first.heard.length === 1);
    expect(second.heard.every((message) => Buffer.isBuffer(message))).toBe(true);
    expect(first.heard).toEqual([
      {
        topic: "realtime:a",
        event: "broadcast",
        payload: { type: "broadcast", event, payload: [1] },
        ref: null,
        join_ref: null,
      },
    ]);
  });
});
