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
