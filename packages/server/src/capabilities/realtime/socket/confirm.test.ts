import { afterEach, expect, test } from "vitest";
import { until } from "../../../platform/http/test-server.ts";
import { jsonMessage } from "../wire/index.ts";
import { framesIn, openClient, openRaw, openTestSockets, type TestSockets } from "./testing.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
async function open(): Promise<TestSockets> {
  const sockets = await openTestSockets();
  closers.push(() => sockets.stop());
  return sockets;
}
const word = jsonMessage({ topic: "realtime:a", event: "word", payload: '"hello"' });

test("what was sent has arrived once the client's websocket says so, and nothing is asked where nothing was sent", async () => {
  const sockets = await open();
  const client = await openClient(sockets);
  await until(() => sockets.opened.length === 1);
  const { socket } = sockets.opened[0]!;
  let told = 0;
  socket.confirm(() => told++);
  expect(told).toBe(1);
  socket.send(word);
  socket.confirm(() => {
    told++;
    expect(client.heard).toHaveLength(1);
  });
  expect(told).toBe(1);
  await until(() => told === 2);
  socket.confirm(() => told++);
  expect(told).toBe(3);
});

test("a client that does not answer has confirmed nothing, however often it is asked", async () => {
  const sockets = await open();
  const tcp = await openRaw(sockets);
  closers.push(() => tcp.destroy());
  await until(() => sockets.opened.length === 1);
  const { socket } = sockets.opened[0]!;
  const bytes: Buffer[] = [];
  tcp.on("data", (chunk: Buffer) => bytes.push(chunk));
  let told = 0;
  socket.send(word);
  socket.confirm(() => told++);
  socket.confirm(() => told++);
  await until(() => framesIn(Buffer.concat(bytes)).length === 2);
  // The ping is behind what it asks about, and there is one.
  expect(framesIn(Buffer.concat(bytes)).map(({ opcode }) => opcode)).toEqual([1, 9]);
  expect(told).toBe(0);
});

test("what was sent is read once the client beats again after the answer that stood behind it", async () => {
  const sockets = await open();
  const client = await openClient(sockets);
  await until(() => sockets.opened.length === 1);
  const { socket } = sockets.opened[0]!;
  let beats = 0;
  const beat = async () => {
    const ref = String(++beats);
    client.say([null, ref, "phoenix", "heartbeat", {}]);
    await until(() =>
      client.heard.some((message) => JSON.stringify(message).includes(`"${ref}","phoenix","phx_reply"`)),
    );
  };
  const told: string[] = [];
  await beat();
  socket.send(word);
  socket.confirmRead(() => told.push("the first"));
  socket.confirmRead(() => told.push("while it is being asked"));
  await beat();
  // That one may have been on its way before the word.
  expect(told).toEqual([]);
  await beat();
  expect(told).toEqual(["the first"]);
  expect(socket.isGivenUp).toBe(false);
  client.websocket.close(1000, "heartbeat timeout");
  await until(() => sockets.opened[0]!.wasClean !== null);
  expect(socket.isGivenUp).toBe(true);
});
