import { expect, test } from "vitest";
import { Feed } from "./feed.ts";

/** A source that tells whether it was left. */
function source(chunks: readonly (string | Error)[]) {
  const state = { isLeft: false };
  async function* run(): AsyncGenerator<Buffer> {
    try {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        yield Buffer.from(chunk);
      }
      if (chunks.length === 0) await new Promise(() => {});
    } finally {
      state.isLeft = true;
    }
  }
  return { state, run: run() };
}

async function all(feed: Feed): Promise<string> {
  let text = "";
  for (let chunk = await feed.next(); chunk !== null; chunk = await feed.next()) text += Buffer.from(chunk).toString();
  return text;
}

test("a look ahead takes nothing away, however the chunks fall", async () => {
  for (const chunks of [["abcdef"], ["a", "b", "", "c", "d", "e", "f"], ["ab", "cdef"]]) {
    const feed = new Feed(source(chunks).run, false);
    expect((await feed.peek(3)).toString()).toBe("abc");
    expect((await feed.peek(4)).toString()).toBe("abcd");
    expect(await all(feed)).toBe("abcdef");
    expect(await feed.next()).toBeNull();
  }
  const short = new Feed(source(["ab"]).run, false);
  expect((await short.peek(10)).toString()).toBe("ab");
  expect(await all(short)).toBe("ab");
});

test("a failure is thrown, or is the end, and is known", async () => {
  const cut = new Error("cut");
  const loud = new Feed(source(["ab", cut]).run, false);
  await expect(all(loud)).rejects.toBe(cut);
  const quiet = new Feed(source(["ab", cut]).run, true);
  expect(await all(quiet)).toBe("ab");
  expect(quiet.failure).toEqual({ reason: cut });
});

test("one that is told to stop does not wait for a source that says nothing", async () => {
  const { run } = source([]);
  const feed = new Feed(run, false);
  const waiting = feed.next();
  feed.stop("enough");
  feed.stop("later");
  await expect(waiting).rejects.toBe("enough");
  const before = new Feed(source(["a"]).run, true);
  before.stop("enough");
  expect([await before.next(), before.failure]).toEqual([null, { reason: "enough" }]);
});

test("what is left is given back", async () => {
  const { state, run } = source(["a", "b"]);
  const feed = new Feed(run, false);
  await feed.next();
  feed.leave();
  expect(await feed.next()).toBeNull();
  expect(state.isLeft).toBe(true);
});
