import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isSentBy, messageIdBy } from "./message-id.ts";
import { senderOf } from "./sender.ts";

const [one, two] = [senderOf("one"), senderOf("two")];

describe("the id of a stored broadcast", () => {
  it("is a UUID of version 8, another one each time", () => {
    const ids = Array.from({ length: 200 }, () => messageIdBy(one));
    expect(new Set(ids).size).toBe(200);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("is known by its sender and by nobody else", () => {
    for (let n = 0; n < 200; n++) {
      const id = messageIdBy(one);
      expect([isSentBy(id, one), isSentBy(id, two)]).toEqual([true, false]);
    }
    expect(isSentBy(randomUUID(), one)).toBe(false);
    expect(isSentBy("no uuid", one)).toBe(false);
  });

  it("does not show that two are of one sender", () => {
    const [a, b] = [messageIdBy(one), messageIdBy(one)];
    expect(a.slice(19)).not.toBe(b.slice(19));
  });
});
