import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { Flusher, Outbox } from "./outbox.ts";

/** A reader whose kernel takes what it is told to: a real stream, with the other end in the test's hands. */
class Reader extends Duplex {
  readonly taken: Buffer[] = [];
  isTaking = true;
  #pending: (() => void) | null = null;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken.push(chunk);
    if (this.isTaking) done();
    else this.#pending = done;
  }
  release(): void {
    const done = this.#pending;
    this.#pending = null;
    done?.();
  }
  get text(): string {
    return Buffer.concat(this.taken).toString();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
function open(limitBytes = 1000) {
  const reader = new Reader();
  const state = { isOpen: true };
  const flusher = new Flusher();
  const outbox = new Outbox({ stream: reader, limitBytes, flusher, isOpen: () => state.isOpen });
  return { reader, outbox, state, flusher };
}

describe("what is sent within one turn", () => {
  test("is written together, in order", async () => {
    const { reader, outbox } = open();
    for (const text of ["a", "b", "c"]) expect(outbox.add(Buffer.from(text))).toBe(true);
    expect(reader.taken).toEqual([]);
    await turn();
    expect(reader.taken).toEqual([Buffer.from("abc")]);
    expect(outbox.queuedBytes).toBe(0);
  });

  test("is not held against a reader that takes it all", async () => {
    const { reader, outbox } = open(1000);
    const frame = Buffer.alloc(300, "x");
    for (let i = 0; i < 100; i++) expect(outbox.add(frame)).toBe(true);
    await turn();
    expect(reader.text.length).toBe(30_000);
  });

  test("large frames go as they are, not copied", async () => {
    const { reader, outbox } = open(1_000_000);
    const frame = Buffer.alloc(70_000, "x");
    outbox.add(Buffer.from("a"));
    outbox.add(frame);
    await turn();
    expect(reader.taken).toHaveLength(2);
    expect(reader.taken[1]).toBe(frame);
  });
});

describe("a reader that takes nothing", () => {
  test("R11 has one write on its way, and no more waiting than the limit and one message", async () => {
    const { reader, outbox } = open(1000);
    reader.isTaking = false;
    const frame = Buffer.alloc(300, "x");
    let added = 0;
    while (outbox.add(frame)) {
      added += 1;
      expect(outbox.queuedBytes).toBeLessThanOrEqual(1300);
      if (added % 2 === 0) await turn();
    }
    await turn();
    expect(added * 300).toBe(outbox.queuedBytes);
    expect(reader.taken).toHaveLength(1);
  });

  test("R11 may be sent one message that is larger than the limit, and then no more", async () => {
    const { reader, outbox } = open(1000);
    reader.isTaking = false;
    expect(outbox.add(Buffer.alloc(5000))).toBe(true);
    expect(outbox.add(Buffer.alloc(1))).toBe(false);
  });

  test("is sent the rest, in order, when it takes again", async () => {
    const { reader, outbox } = open(1000);
    reader.isTaking = false;
    outbox.add(Buffer.from("a"));
    await turn();
    for (const text of ["b", "c", "d"]) outbox.add(Buffer.from(text));
    await turn();
    expect(reader.text).toBe("a");
    reader.isTaking = true;
    reader.release();
    await turn();
    expect(reader.text).toBe("abcd");
    expect(outbox.queuedBytes).toBe(0);
  });

  test("is not forgotten because of a control frame that somebody else wrote", async () => {
    const { reader, outbox } = open(1000);
    reader.isTaking = false;
    reader.write("ping");
    outbox.add(Buffer.from("a"));
    await turn();
    outbox.add(Buffer.from("b"));
    reader.isTaking = true;
    reader.release();
    await turn();
    await turn();
    expect(reader.text).toBe("pingab");
  });
});

describe("the end", () => {
  test("follows all that waits, and nothing follows it", async () => {
    const { reader, outbox, state } = open();
    outbox.add(Buffer.from("a"));
    outbox.add(Buffer.from("b"));
    outbox.finish();
    reader.write("goodbye");
    state.isOpen = false;
    outbox.add(Buffer.from("late"));
    await turn();
    expect(reader.text).toBe("abgoodbye");
  });

  test("can come at once, between two frames", async () => {
    const { reader, outbox } = open(10);
    reader.isTaking = false;
    outbox.add(Buffer.from("first"));
    await turn();
    outbox.add(Buffer.from("never"));
    outbox.drop();
    outbox.finish();
    reader.write("goodbye");
    reader.isTaking = true;
    reader.release();
    await turn();
    expect(reader.text).toBe("firstgoodbye");
  });
});

test("many sockets are flushed in the order they were first sent to", async () => {
  const flusher = new Flusher();
  const order: string[] = [];
  const outboxes = ["a", "b", "c"].map((name) => {
    const stream = new Reader();
    stream._write = (_chunk, _encoding, done) => {
      order.push(name);
      done();
    };
    return new Outbox({ stream, limitBytes: 1000, flusher, isOpen: () => true });
  });
  for (const outbox of [...outboxes, ...outboxes]) outbox.add(Buffer.from("x"));
  await turn();
  expect(order).toEqual(["a", "b", "c"]);
});
