import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Candidate, takeUp } from "./take-up.ts";

const lost = (id: string, lastRef: number, cursor: number, kind: Candidate["kind"] = "departed"): Candidate => ({
  id,
  lastRef,
  cursor: BigInt(cursor),
  socketId: `socket-${id}`,
  kind,
});
const counted =
  (ref: number) =>
  ({ lastRef }: Candidate): boolean =>
    ref > lastRef;

describe("which lost channel a client goes on with", () => {
  test("the only one that fits is used up, and its socket is known", () => {
    expect(takeUp([lost("a", 10, 100), lost("b", 50, 90)], counted(11))).toMatchObject({
      cursor: 100n,
      formerSocketId: "socket-a",
      taken: { id: "a" },
      lowered: [],
    });
  });

  test("nothing for a client whose counting has begun after it", () => {
    expect(takeUp([lost("a", 10, 100)], counted(1))).toBeNull();
    expect(takeUp([], counted(100))).toBeNull();
  });

  test("the oldest place where several may be meant, and nobody's socket", () => {
    const found = takeUp([lost("a", 10, 100), lost("b", 50, 90), lost("c", 20, 120)], counted(60));
    expect(found).toMatchObject({ cursor: 90n, formerSocketId: null, taken: { id: "b" } });
    expect(found?.lowered.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  test("a live one tells where to go on, and stays", () => {
    expect(takeUp([lost("a", 10, 100, "live")], counted(60))).toMatchObject({ cursor: 100n, taken: null, lowered: [] });
  });

  test("one that seems to have come back already only when there is nothing else", () => {
    const doubtful = lost("a", 10, 50, "doubtful");
    expect(takeUp([doubtful, lost("b", 10, 100)], counted(60))).toMatchObject({ cursor: 100n, taken: { id: "b" } });
    expect(takeUp([doubtful], counted(60))).toMatchObject({ cursor: 50n, taken: { id: "a" } });
  });

  test("R13 whoever returns, in whatever order, goes on from no later than where it was", () => {
    const client = fc.record({
      lastRef: fc.integer({ min: 1, max: 30 }),
      cursor: fc.integer({ min: 1, max: 30 }),
      /** How far it has counted meanwhile. */
      more: fc.integer({ min: 1, max: 30 }),
      order: fc.integer(),
    });
    fc.assert(
      fc.property(fc.array(client, { minLength: 1, maxLength: 8 }), fc.boolean(), (clients, isCounting) => {
        let records = clients.map(({ lastRef, cursor }, at) => lost(String(at), lastRef, cursor));
        for (const { lastRef, cursor, more } of [...clients].sort((one, other) => one.order - other.order)) {
          const found = takeUp(records, isCounting ? counted(lastRef + more) : () => true);
          expect(found).not.toBeNull();
          expect(found!.cursor <= BigInt(cursor)).toBe(true);
          const lowered = new Set(found!.lowered.map(({ id }) => id));
          records = records
            .filter(({ id }) => id !== found!.taken?.id)
            .map((record) => (lowered.has(record.id) ? { ...record, cursor: found!.cursor } : record));
        }
        expect(records).toEqual([]);
      }),
      { numRuns: 5_000 },
    );
  });
});
