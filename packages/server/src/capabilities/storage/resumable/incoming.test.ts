import { describe, expect, test, vi } from "vitest";
import { Incoming } from "./incoming.ts";

const never = new AbortController().signal;
async function* body(...chunks: readonly (string | Error)[]): AsyncIterable<Buffer> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield Buffer.from(chunk);
  }
}
async function read(source: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of source) parts.push(chunk);
  return Buffer.concat(parts).toString();
}
async function runs(incoming: Incoming, bytes: number): Promise<string[]> {
  const all: string[] = [];
  while (await incoming.hasMore()) all.push(await read(incoming.take(bytes)));
  return all;
}

describe("a body in runs", () => {
  test("has all its bytes, in order", async () => {
    expect(await runs(new Incoming(body("abcde", "", "f", "ghijk"), never), 4)).toEqual(["abcd", "efgh", "ijk"]);
    expect(await runs(new Incoming(body("abcd", "efgh"), never), 4)).toEqual(["abcd", "efgh"]);
    expect(await runs(new Incoming(body("abcd"), never), 100)).toEqual(["abcd"]);
  });

  test("is none when there are no bytes", async () => {
    expect(await runs(new Incoming(body(), never), 4)).toEqual([]);
    expect(await runs(new Incoming(body("", ""), never), 4)).toEqual([]);
  });

  test("gives what came before it broke off, and then says why", async () => {
    const cut = new Error("cut");
    const incoming = new Incoming(body("abc", "de", cut), never);
    expect(await runs(incoming, 4)).toEqual(["abcd", "e"]);
    expect(incoming.failure).toBe(cut);
  });

  test("as a whole fails as the body does", async () => {
    const cut = new Error("cut");
    await expect(read(new Incoming(body("abc", cut), never).whole())).rejects.toBe(cut);
    expect(await read(new Incoming(body("abc", "d"), never).whole())).toBe("abcd");
  });
});

describe("S12: a body that is told to stop", () => {
  test("ends though its sender is silent, with what came", async () => {
    const stop = new AbortController();
    const reason = new Error("another writer");
    async function* hanging(): AsyncIterable<Buffer> {
      yield Buffer.from("abc");
      stop.abort(reason);
      await new Promise(() => {});
    }
    const incoming = new Incoming(hanging(), stop.signal);
    expect(await runs(incoming, 100)).toEqual(["abc"]);
    expect(incoming.failure).toBe(reason);
  });

  test("has nothing when it was told before", async () => {
    const incoming = new Incoming(body("abc"), AbortSignal.abort(new Error("another writer")));
    expect(incoming.failure).toMatchObject({ message: "another writer" });
    await expect(read(incoming.whole())).rejects.toThrow("another writer");
  });
});

test("who leaves takes no more of it", async () => {
  let isLeft = false;
  async function* endless(): AsyncIterable<Buffer> {
    try {
      for (;;) yield Buffer.from("abc");
    } finally {
      isLeft = true;
    }
  }
  const incoming = new Incoming(endless(), never);
  expect(await read(incoming.take(7))).toBe("abcabca");
  incoming.leave();
  await vi.waitFor(() => expect(isLeft).toBe(true));
});
