import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage, type NodeMessage } from "./node-messages.ts";

const placed = fc.record({
  id: fc.nat(),
  room: fc.string(),
  meta: fc.option(
    fc.record({
      key: fc.string(),
      ref: fc.string(),
      fields: fc.dictionary(fc.string(), fc.jsonValue()).map((each) => JSON.stringify(each)),
    }),
  ),
});
const message: fc.Arbitrary<NodeMessage> = fc.oneof(
  fc.record({ kind: fc.constant("ask" as const), nodeId: fc.uuid() }),
  fc.record({ kind: fc.constant("changes" as const), nodeId: fc.uuid(), version: fc.nat(), placed: fc.array(placed) }),
  fc.record({
    kind: fc.constant("state" as const),
    nodeId: fc.uuid(),
    version: fc.nat(),
    part: fc.constant(1),
    parts: fc.constant(3),
    placed: fc.array(placed),
  }),
);

describe("what nodes say of presences", () => {
  it("comes out as it went in", () => {
    fc.assert(
      fc.property(message, (each) => {
        expect(decodeMessage(encodeMessage(each))).toEqual(each);
      }),
    );
  });

  it.each([
    ["no JSON", "{"],
    ["another version", '[2,0,"n"]'],
    ["no kind", '[1,9,"n",1,0,1,[]]'],
    ["a kind of an object", '[1,"push","n",1,0,1,[]]'],
    ["no node", "[1,0,7]"],
    ["a part beyond the parts", '[1,2,"n",1,3,3,[]]'],
    ["parts beyond measure", '[1,2,"n",1,0,1000000000,[]]'],
    ["no rows", '[1,1,"n",1,0,1]'],
    ["a row of another kind", '[1,1,"n",1,0,1,[{}]]'],
    ["fields that are no object", '[1,1,"n",1,0,1,[[1,"r","k","ref","[]"]]]'],
    ["fields that would close their frame", '[1,1,"n",1,0,1,[[1,"r","k","ref","{}],\\"x\\":[{}"]]]'],
  ])("R10: is left alone when it is %s", (_, text) => {
    expect(decodeMessage(Buffer.from(text))).toBeNull();
  });

  it("R10: is left alone when it is any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeMessage(Buffer.from(bytes))).toBeNull();
      }),
    );
  });
});
