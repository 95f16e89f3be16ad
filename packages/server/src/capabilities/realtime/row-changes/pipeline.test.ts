import { describe, expect, test } from "vitest";
import type { Batch } from "../../../kernel/change.ts";
import type { Judged } from "./judge.ts";
import { isBeyond, Pipeline } from "./pipeline.ts";

const batch = (lsn: number): Batch => ({
  kind: "batch",
  lsn: BigInt(lsn),
  endLsn: BigInt(lsn + 1),
  xid: lsn,
  committedAtUs: 0n,
  first: 0,
  changes: [],
  isLast: true,
});

function pipeline(
  window: number,
  judge: (at: number) => readonly Judged[] | Promise<readonly Judged[]>,
  beyond: "waits" | "loses" = "waits",
) {
  const delivered: number[] = [];
  const lost: number[] = [];
  const made = new Pipeline({
    window,
    beyond,
    judge: ({ xid }) => judge(xid),
    deliver: (_judged, number) => void delivered.push(number),
    onLost: ({ xid }) => void lost.push(xid),
  });
  return { made, delivered, lost };
}

describe("the way of batches", () => {
  test("R15 is that of the log, whichever is judged first", async () => {
    const answers = [1, 2, 3].map(() => Promise.withResolvers<readonly Judged[]>());
    const { made, delivered } = pipeline(10, (at) => (at === 4 ? [] : answers[at - 1]!.promise));
    for (const at of [1, 2, 3, 4]) expect(made.take(batch(at))).toBeUndefined();
    answers[2]!.resolve([]);
    answers[1]!.resolve([]);
    await Promise.resolve();
    expect(delivered).toEqual([]);
    expect(made.delivered).toBe(1n);
    answers[0]!.resolve([]);
    await made.drained();
    expect(delivered).toEqual([1, 2, 3, 4]);
    expect(made.delivered).toBeNull();
    expect(made.taken).toEqual({ lsn: 4n, first: 0 });
  });

  test("is at once where nothing must be asked", () => {
    const { made, delivered } = pipeline(10, () => []);
    expect(made.take(batch(1))).toBeUndefined();
    expect(delivered).toEqual([1]);
  });

  test("R12 is not held back where more than so many are lost", async () => {
    const answers = [1, 2].map(() => Promise.withResolvers<readonly Judged[]>());
    const { made, delivered, lost } = pipeline(2, (at) => answers[at - 1]?.promise ?? [], "loses");
    for (const at of [1, 2, 3, 4]) expect(made.take(batch(at))).toBeUndefined();
    expect([lost, delivered]).toEqual([[3, 4], []]);
    for (const answer of answers) answer.resolve([]);
    await made.drained();
    expect(made.take(batch(5))).toBeUndefined();
    // Their numbers are those of the log, whatever was lost.
    expect(delivered).toEqual([1, 2, 5]);
  });

  test("is held back when too many are on it", async () => {
    const answers = [1, 2, 3].map(() => Promise.withResolvers<readonly Judged[]>());
    const { made, delivered } = pipeline(2, (at) => answers[at - 1]!.promise);
    expect(made.take(batch(1))).toBeUndefined();
    const held = made.take(batch(2));
    expect(held).toBeInstanceOf(Promise);
    answers[0]!.resolve([]);
    await held;
    expect(delivered).toEqual([1]);
  });

  test("X09 goes on past one that cannot be judged", async () => {
    const { made, delivered, lost } = pipeline(2, (at) => {
      if (at === 1) throw new Error("at once");
      return at === 2 ? Promise.reject(new Error("later")) : [];
    });
    for (const at of [1, 2, 3]) await made.take(batch(at));
    await made.drained();
    expect(lost).toEqual([1, 2]);
    expect(delivered).toEqual([1, 2, 3]);
  });

  test("places are in the order of commits, and of the parts of one", () => {
    const mark = { lsn: 5n, first: 100 };
    expect(isBeyond({ lsn: 6n, first: 0 }, mark)).toBe(true);
    expect(isBeyond({ lsn: 5n, first: 200 }, mark)).toBe(true);
    expect(isBeyond({ lsn: 5n, first: 100 }, mark)).toBe(false);
    expect(isBeyond({ lsn: 4n, first: 900 }, mark)).toBe(false);
  });
});
