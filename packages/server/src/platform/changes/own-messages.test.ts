import { describe, expect, it } from "vitest";
import type { Observation } from "../observe/observation.ts";
import { OwnMessages } from "./own-messages.ts";

const content = Buffer.from("hello");

function setUp(key = 1) {
  const seen: Observation[] = [];
  let nowMs = 0;
  const messages = new OwnMessages({
    key: Buffer.alloc(32, key),
    observe: (one) => void seen.push(one),
    nowMs: () => nowMs,
  });
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { messages, seen, pass };
}

describe("the server's own messages in the log", () => {
  it("are what they were, on every node with the key", () => {
    const sealed = setUp().messages.seal("mainstay.broadcast", content);
    expect(setUp().messages.open("mainstay.broadcast", sealed)).toEqual(content);
    const empty = setUp().messages.seal("mainstay.log", Buffer.alloc(0));
    expect(setUp().messages.open("mainstay.log", empty)).toEqual(Buffer.alloc(0));
  });

  it("R07 are not believed without the proof, with that of another key, kind or content, or with a bit that is other", () => {
    const { messages, seen } = setUp();
    const sealed = messages.seal("mainstay.broadcast", content);
    const forged = [
      content,
      Buffer.alloc(0),
      Buffer.alloc(31),
      Buffer.concat([Buffer.alloc(32), content]),
      sealed.subarray(1),
      sealed.subarray(0, -1),
      Buffer.concat([sealed, Buffer.from("!")]),
      setUp(2).messages.seal("mainstay.broadcast", content),
      messages.seal("mainstay.presence", content),
      messages.seal("mainstay.broadcas", Buffer.concat([Buffer.from("t"), content])),
      ...Array.from(sealed, (_, at) => Buffer.from(sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)))),
    ];
    for (const each of forged) expect(messages.open("mainstay.broadcast", each)).toBeNull();
    expect(seen).toHaveLength(1);
  });

  it("are reported now and then when forged, with how many there were", () => {
    const { messages, seen, pass } = setUp();
    for (let n = 0; n < 5; n++) messages.open("mainstay.presence", content);
    pass(60_000);
    messages.open("mainstay.presence", content);
    const [first, second] = seen.map((one) => (one.kind === "warning" ? one.message : ""));
    expect(first).toContain('"mainstay.presence"');
    expect(first).toContain("1 so far");
    expect(second).toContain("6 so far");
    expect(seen).toHaveLength(2);
  });

  it("R12 are news of the schema when they come with the word for it, where there is one", () => {
    const { messages, seen } = setUp();
    expect(messages.open("mainstay.ddl", content)).toBe(content);
    messages.schemaWord = "a word that nobody knows";
    for (const forged of ["", "hello", "a word that nobody know", "a word that nobody knows "]) {
      expect(messages.open("mainstay.ddl", Buffer.from(forged))).toBeNull();
    }
    expect(seen).toHaveLength(1);
    expect(messages.open("mainstay.ddl", Buffer.from("a word that nobody knows"))).not.toBeNull();
  });

  it("are not those of apps, which are left as they are, nor the word that the schema has changed", () => {
    const { messages, seen } = setUp();
    for (const prefix of ["app.events", "mainstay", "Mainstay.broadcast", "mainstay.ddl"]) {
      expect(messages.seal(prefix, content)).toBe(content);
      expect(messages.open(prefix, content)).toBe(content);
    }
    expect(seen).toEqual([]);
  });
});
