import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBatch, encodeBatch, encodeRecord, type LoggedBroadcast } from "./codec.ts";
import type { Published } from "./published.ts";

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const name = fc.string({ unit: "grapheme", maxLength: 80 }).filter((text) => text.isWellFormed());
const published: fc.Arbitrary<Published> = fc.oneof(
  fc.record({ form: fc.constant("text" as const), room: name, payload: bytes }),
  fc.record({
    form: fc.constant("bytes" as const),
    room: name,
    event: name,
    metadata: name,
    encoding: fc.constantFrom("json" as const, "bytes" as const),
    payload: bytes,
  }),
);
const sender = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((array) => Buffer.from(array));
const logged: fc.Arbitrary<LoggedBroadcast> = fc.record({ sender, published });

const encode = (nodeId: string, first: number, broadcasts: readonly LoggedBroadcast[]): Buffer =>
  encodeBatch(
    nodeId,
    first,
    broadcasts.map((each) => encodeRecord(each.sender, each.published)),
  );

describe("broadcasts in the log", () => {
  it("come out as they went in", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.nat(), fc.array(logged, { maxLength: 5 }), (nodeId, firstSequence, broadcasts) => {
        expect(decodeBatch(encode(nodeId, firstSequence, broadcasts))).toEqual({ nodeId, firstSequence, broadcasts });
      }),
    );
  });

  it("count far beyond 32 bits", () => {
    const far = 2 ** 45;
    expect(decodeBatch(encode("n", far, []))?.firstSequence).toBe(far);
  });

  it("R10: are left alone when they are cut, of another version, or anything else", () => {
    const whole = encode("node", 7, [
      { sender: Buffer.alloc(8), published: { form: "text", room: "public:a", payload: Buffer.from("{}") } },
    ]);
    for (let length = 0; length < whole.length; length++) {
      const cut = decodeBatch(whole.subarray(0, length));
      // Where the records begin, a message of none is a message.
      expect(cut?.broadcasts ?? []).toEqual([]);
    }
    expect(decodeBatch(Buffer.concat([Buffer.from([2]), whole.subarray(1)]))).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(() => decodeBatch(Buffer.from([1, ...random]))).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });
});
