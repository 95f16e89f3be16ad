import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test, vi } from "vitest";
import { Incoming } from "./incoming.ts";

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
    expect(await runs(new Incoming(body("abcde", "", "f", "ghijk")), 4)).toEqual(["abcd", "efgh", "ijk"]);
    expect(await runs(new Incoming(body("abcd", "efgh")), 4)).toEqual(["abcd", "efgh"]);
    expect(await runs(new Incoming(body("abcd")), 100)).toEqual(["abcd"]);
  });

  test("is none when there are no bytes", async () => {
    expect(await runs(new Incoming(body()), 4)).toEqual([]);
    expect(await runs(new Incoming(body("", "")), 4)).toEqual([]);
  });

  test("gives what came before it broke off, and then says why", async () => {
    const cut = new Error("cut");
    const incoming = new Incoming(body("abc", "de", cut));
    expect(await runs(incoming, 4)).toEqual(["abcd", "e"]);
    expect(incoming.failure).toBe(cut);
  });

  test("as a whole fails as the body does", async () => {
    const cut = new Error("cut");
    await expect(read(new Incoming(body("abc", cut)).whole())).rejects.toBe(cut);
    expect(await read(new Incoming(body("abc", "d")).whole())).toBe("abcd");
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
    const incoming = new Incoming(hanging());
    incoming.endWith(stop.signal);
    expect(await runs(incoming, 100)).toEqual(["abc"]);
    expect(incoming.failure).toBe(reason);
  });

  test("gives what is here, and waits for no more", async () => {
    const stop = AbortSignal.abort(new Error("another writer"));
    async function* here(): AsyncIterable<Buffer> {
      yield Buffer.from("abc");
      yield Buffer.from("def");
      await new Promise(() => {});
    }
    const incoming = new Incoming(here());
    incoming.endWith(stop);
    expect(await runs(incoming, 100)).toEqual(["abcdef"]);
    expect(incoming.failure).toMatchObject({ message: "another writer" });
    await expect(read(incoming.whole())).rejects.toThrow("another writer");
  });

  test("ends though its sender is quick", async () => {
    async function* endless(): AsyncIterable<Buffer> {
      for (;;) yield Buffer.alloc(65_536);
    }
    const incoming = new Incoming(endless());
    incoming.endWith(AbortSignal.abort(new Error("another writer")));
    const [all = ""] = await runs(incoming, Number.POSITIVE_INFINITY);
    expect(all.length).toBeGreaterThan(0);
    expect(all.length).toBeLessThanOrEqual(2 * 1_048_576);
  });

  test("that ends by itself has not failed", async () => {
    const incoming = new Incoming(body("abc", "d"));
    incoming.endWith(AbortSignal.abort(new Error("another writer")));
    expect(await read(incoming.whole())).toBe("abcd");
  });
});

test("a body that has begun early has its bytes, and fails only who reads it", async () => {
  const cut = new Error("cut");
  const incoming = new Incoming(body("abc", cut));
  incoming.begin();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await runs(incoming, 2)).toEqual(["ab", "c"]);
  expect(incoming.failure).toBe(cut);
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
  const incoming = new Incoming(endless());
  expect(await read(incoming.take(7))).toBe("abcabca");
  incoming.leave();
  await vi.waitFor(() => expect(isLeft).toBe(true));
});

test("what was taken of a body is kept by nobody, though the body goes on", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const chunks: WeakRef<Buffer>[] = [];
  async function* long(): AsyncIterable<Buffer> {
    for (let sent = 0; sent < 500; sent++) {
      const chunk = Buffer.alloc(65_536);
      chunks.push(new WeakRef(chunk));
      yield chunk;
    }
    await new Promise(() => {});
  }
  const incoming = new Incoming(long());
  incoming.endWith(new AbortController().signal);
  let takenBytes = 0;
  for await (const chunk of incoming.take(500 * 65_536)) takenBytes += chunk.length;
  expect(takenBytes).toBe(500 * 65_536);
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(chunks.filter((chunk) => chunk.deref() !== undefined).length).toBeLessThan(10);
});
