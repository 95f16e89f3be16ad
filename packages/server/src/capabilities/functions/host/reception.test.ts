import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { frameKind } from "../channel/kinds.ts";
import { Reception } from "./reception.ts";

/** Who has come in, and what they have said since. */
const came: { readonly thread: number; said: string }[] = [];
let reception: Reception;
beforeEach(() => {
  came.length = 0;
  reception = new Reception((thread, socket) => {
    const one = { thread, said: "" };
    came.push(one);
    socket.on("data", (bytes: Buffer) => {
      one.said += bytes;
    });
  });
});
afterEach(() => reception.close());

/** The frame with which a thread says who it is. */
function hello(token: string, kind: number = frameKind.hello): Buffer {
  const frame = Buffer.alloc(9 + token.length);
  frame.writeUInt32LE(frame.length - 4, 0);
  frame[4] = kind;
  frame.write(token, 9, "latin1");
  return frame;
}
const say = (path: string, ...pieces: readonly Buffer[]): Socket => {
  const socket = connect(path).on("error", () => {});
  for (const piece of pieces) socket.write(piece);
  return socket;
};
const isEnded = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()));

describe("X23: the socket of threads", () => {
  it("lets a thread in once, whatever comes with its word", async () => {
    const { socketPath, token } = reception.invite(7);
    const word = hello(token);
    const thread = say(socketPath, word.subarray(0, 5), Buffer.concat([word.subarray(5), Buffer.from("and more")]));
    await expect.poll(() => came).toEqual([{ thread: 7, said: "and more" }]);
    await isEnded(say(socketPath, hello(token)));
    expect(came).toHaveLength(1);
    expect(thread.destroyed).toBe(false);
  });

  it.each([
    ["an unknown token", () => hello("x".repeat(32))],
    ["another frame", (token: string) => hello(token, frameKind.log)],
    ["a word without end", () => Buffer.concat([Buffer.from([255, 255, 0, 0, frameKind.hello]), Buffer.alloc(64)])],
  ])("ends who comes with %s", async (_, wordOf) => {
    const { socketPath, token } = reception.invite(1);
    await isEnded(say(socketPath, wordOf(token)));
    expect(came).toEqual([]);
  });

  it("ends who comes too late", async () => {
    const { socketPath, token } = reception.invite(1);
    reception.withdraw(token);
    await isEnded(say(socketPath, hello(token)));
    expect(came).toEqual([]);
  });

  it("has room for so many who say nothing, and for the others when they have gone", async () => {
    const { socketPath, token } = reception.invite(1);
    const silent = Array.from({ length: 256 }, () => say(socketPath));
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    await isEnded(say(socketPath, hello(token)));
    for (const socket of silent) socket.destroy();
    await expect
      .poll(async () => {
        const socket = say(socketPath, hello(token));
        await Promise.race([isEnded(socket), once(socket, "connect")]);
        return came.length;
      })
      .toBe(1);
  });

  it("is closed with all its connections, and leaves no folder", async () => {
    const { socketPath, token } = reception.invite(1);
    const socket = say(socketPath, hello(token));
    await expect.poll(() => came.length).toBe(1);
    const { folder } = reception;
    reception.close();
    await isEnded(socket);
    expect(existsSync(folder!)).toBe(false);
  });
});
