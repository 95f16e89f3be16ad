import { mkdtempSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, writerRoomBytes } from "./frame-writer.ts";
import { joinHead, splitHead } from "./heads.ts";
import { frameKind, streamWindowBytes } from "./kinds.ts";
import { StreamBroken, Streams } from "./streams.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Two ends of a real socket. */
async function ends(): Promise<[Socket, Socket]> {
  const path = join(mkdtempSync(join(tmpdir(), "frames-")), "s");
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket)).listen(path);
  const one = connect(path);
  const other = await accepted.promise;
  closers.push(() => {
    one.destroy();
    other.destroy();
    server.close();
  });
  return [one, other];
}

interface Seen {
  readonly kind: number;
  readonly number: number;
  readonly payload: Buffer;
}
const reading = (limitBytes = 1_000_000): { reader: FrameReader; seen: Seen[] } => {
  const seen: Seen[] = [];
  const reader = new FrameReader(limitBytes, (kind, number, bytes, start, end) =>
    seen.push({ kind, number, payload: Buffer.from(bytes.subarray(start, end)) }),
  );
  return { reader, seen };
};

describe("frames", () => {
  test("are the same whatever pieces they come in", async () => {
    const [socket, other] = await ends();
    const chunks: Buffer[] = [];
    other.on("data", (chunk: Buffer) => chunks.push(chunk));
    const writer = new FrameWriter(socket);
    const large = Buffer.alloc(writerRoomBytes * 2, 7);
    writer.begin(frameKind.call, 1).u8(1).u16(65_535).u32(0xffff_ffff).latin1("häder").text("ünd ☃").end();
    writer.begin(frameKind.over, 0xffff_fffe).end();
    writer.begin(frameKind.data, 3).bytes(large).end();
    writer.begin(frameKind.data, 4).text("x".repeat(writerRoomBytes)).end();
    writer.flush();
    socket.end();
    await new Promise((resolve) => other.once("close", resolve));
    const all = Buffer.concat(chunks);
    for (const size of [1, 3, 9, 1_000, all.length]) {
      const { reader, seen } = reading();
      for (let at = 0; at < all.length; at += size) reader.push(all.subarray(at, at + size));
      expect(seen.map(({ kind, number }) => [kind, number])).toEqual([
        [frameKind.call, 1],
        [frameKind.over, 0xffff_fffe],
        [frameKind.data, 3],
        [frameKind.data, 4],
      ]);
      const first = seen[0]!.payload;
      expect([first[0], first.readUInt16LE(1), first.readUInt32LE(3)]).toEqual([1, 65_535, 0xffff_ffff]);
      expect(first.toString("latin1", 11, 16)).toBe("häder");
      expect(first.toString("utf8", 16)).toBe("ünd ☃");
      expect(seen[2]!.payload.equals(large)).toBe(true);
      expect(seen[3]!.payload.length).toBe(writerRoomBytes);
    }
  });

  test("that are larger than may be, or smaller than can be, are refused before room is made", () => {
    const sized = (size: number): Buffer => {
      const bytes = Buffer.alloc(16);
      bytes.writeUInt32LE(size);
      return bytes;
    };
    expect(() => reading(100).reader.push(sized(101))).toThrow(/101/);
    expect(() => reading(100).reader.push(sized(4))).toThrow(/4 bytes/);
  });

  test("not handed over are there for others, and no longer when they are", async () => {
    const [socket] = await ends();
    const bytes = new SharedArrayBuffer(writerRoomBytes);
    const size = new Int32Array(new SharedArrayBuffer(4));
    const writer = new FrameWriter(socket, { bytes, size, slot: 0 });
    writer.begin(frameKind.over, 5).u32(9).end();
    writer.begin(frameKind.over, 6).u32(9);
    const { reader, seen } = reading();
    reader.push(Buffer.from(new Uint8Array(bytes.slice(0, size[0]))));
    expect(seen.map(({ number }) => number)).toEqual([5]);
    writer.end();
    writer.flush();
    expect(size[0]).toBe(0);
  });

  test("have heads of any number of parts", () => {
    for (const parts of [["a"], ["a", "", "b"], ["é", "x: y"]]) {
      const bytes = Buffer.from(joinHead(parts), "latin1");
      expect(splitHead(bytes, 0, bytes.length)).toEqual(parts);
    }
    expect(splitHead(Buffer.alloc(0), 0, 0)).toEqual([]);
  });
});

describe("streams", () => {
  async function pair(): Promise<[Streams, Streams]> {
    const sockets = await ends();
    return sockets.map((socket) => {
      const writer = new FrameWriter(socket);
      const streams = new Streams(writer, () => void writer.flush());
      const reader = new FrameReader(1_000_000, (...frame) => void streams.take(...frame));
      socket.on("data", (chunk: Buffer) => reader.push(chunk));
      return streams;
    }) as [Streams, Streams];
  }

  test("come whole, and no faster than they are read", async () => {
    const [from, to] = await pair();
    let givenBytes = 0;
    async function* source(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 40; i++) {
        givenBytes += 50_000;
        yield Buffer.alloc(50_000, i);
      }
    }
    const incoming = to.receive(1);
    const sent = from.send(1, source());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(givenBytes).toBeLessThanOrEqual(streamWindowBytes + 100_000);
    let bytes = 0;
    for await (const chunk of incoming) bytes += chunk.length;
    await sent;
    expect(bytes).toBe(2_000_000);
  });

  test("that fail do so at the other end", async () => {
    const [from, to] = await pair();
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from("begun");
      throw new Error("the disk is gone");
    }
    const incoming = to.receive(1);
    await expect(from.send(1, source())).rejects.toThrow("the disk is gone");
    expect((await incoming.next()).value).toEqual(Buffer.from("begun"));
    await expect(incoming.next()).rejects.toThrow(StreamBroken);
  });

  test("that nobody reads any more end at their source, even one that gives nothing", async () => {
    const [from, to] = await pair();
    let isTold = false;
    const source: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isTold = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const incoming = to.receive(1);
    const sent = from.send(1, source);
    await incoming.return();
    await sent;
    expect(isTold).toBe(true);
  });

  test("fail when the socket does", async () => {
    const [, to] = await pair();
    const next = to.receive(1).next();
    to.dropAll(new Error("gone"));
    await expect(next).rejects.toThrow("gone");
  });
});
