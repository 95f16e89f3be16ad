import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../kernel/change.ts";
import { Ring } from "./ring.ts";

const entryAt = (lsn: bigint): LogEntry => ({
  kind: "message",
  lsn,
  endLsn: lsn + 1n,
  prefix: "",
  content: Buffer.alloc(0),
});
const places = (entries: Iterable<LogEntry> | null) =>
  entries === null ? null : [...entries].map(({ lsn }) => Number(lsn));

function setUp(maxBytes = 100, maxAgeMs = 1_000) {
  const clock = { ms: 0 };
  const ring = new Ring({ maxBytes, maxAgeMs, nowMs: () => clock.ms });
  ring.reset(5n);
  const push = (...lsns: readonly number[]) => {
    for (const lsn of lsns) ring.push(entryAt(BigInt(lsn)), 10, true);
  };
  return { ring, clock, push };
}

describe("the ring", () => {
  it("gives what stands between two places, the first included", () => {
    const { ring, push } = setUp();
    push(10, 20, 30);
    expect(places(ring.between(5n, 100n))).toEqual([10, 20, 30]);
    expect(places(ring.between(10n, 30n))).toEqual([10, 20]);
    expect(places(ring.between(11n, 31n))).toEqual([20, 30]);
    expect(places(ring.between(31n, 100n))).toEqual([]);
    expect(ring.between(4n, 100n)).toBeNull();
  });

  it("has nothing to give before the log has a place, and when it has none any more", () => {
    const { ring, push } = setUp();
    push(10);
    ring.reset();
    expect(ring.between(0n, 1n)).toBeNull();
    expect(ring.isPlaced).toBe(false);
    expect(new Ring({ maxBytes: 1, maxAgeMs: 1, nowMs: () => 0 }).between(0n, 1n)).toBeNull();
  });

  it("R11: keeps no more bytes than it may", () => {
    const { ring, push } = setUp(100);
    push(...Array.from({ length: 5_000 }, (_, at) => 10 + at));
    expect(ring.bytes).toBe(100);
    expect(ring.endSeq - ring.startSeq).toBe(10);
    expect(ring.between(4_999n, 9_999n)).toBeNull();
    expect(places(ring.between(5_000n, 9_999n))).toHaveLength(10);
    expect(ring.seqToFit(25)).toBe(ring.startSeq + 3);
    ring.push(entryAt(6_000n), 1_000, true);
    expect(places(ring.between(6_000n, 9_999n))).toEqual([6_000]);
  });

  it("keeps nothing longer than it may", () => {
    const { ring, clock, push } = setUp();
    push(10);
    clock.ms = 600;
    push(20);
    clock.ms = 1_200;
    ring.sweep();
    expect(places(ring.between(11n, 99n))).toEqual([20]);
    expect(ring.between(10n, 99n)).toBeNull();
  });

  it("has no part of a transaction whose beginning is gone", () => {
    const { ring, push } = setUp(30);
    push(10, 10, 10, 20);
    expect(ring.between(10n, 99n)).toBeNull();
    expect(places(ring.between(11n, 99n))).toEqual([20]);
  });

  it("begins anew elsewhere", () => {
    const { ring, push } = setUp();
    push(10, 20);
    const before = ring.endSeq;
    ring.reset(7n);
    expect([ring.bytes, ring.startSeq, ring.endSeq]).toEqual([0, before, before]);
    push(8);
    expect(places(ring.between(7n, 99n))).toEqual([8]);
  });
});
