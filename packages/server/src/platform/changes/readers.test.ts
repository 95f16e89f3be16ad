import { beforeEach, describe, expect, it } from "vitest";
import type { LogEntry } from "../../kernel/change.ts";
import type { Observation } from "../observe/observation.ts";
import { Readers } from "./readers.ts";
import { Ring } from "./ring.ts";
import type { LiveReader } from "./types.ts";

const entryAt = (lsn: number): LogEntry => ({
  kind: "message",
  lsn: BigInt(lsn),
  endLsn: BigInt(lsn) + 1n,
  prefix: "",
  content: Buffer.alloc(0),
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

let clock: { ms: number };
let ring: Ring;
let readers: Readers;
let seen: Observation[];
let emptied: number;

beforeEach(() => {
  clock = { ms: 0 };
  seen = [];
  emptied = 0;
  ring = new Ring({ maxBytes: 30, maxAgeMs: 1_000, nowMs: () => clock.ms });
  readers = new Readers({
    ring,
    position: () => 999n,
    patienceMs: 40,
    nowMs: () => performance.now(),
    observe: (one) => void seen.push(one),
    onEmpty: () => void emptied++,
  });
});

/** As the log does it: waits for those who have to read first. Entries have 10 bytes, so that the ring holds three. */
async function push(lsn: number, isFirst = true): Promise<void> {
  await readers.makeWay(ring.seqToFit(10));
  ring.push(entryAt(lsn), 10, isFirst);
  readers.wake();
}

class Recorder implements LiveReader {
  readonly name = "recorder";
  readonly heard: (number | string)[] = [];
  hold: Promise<void> | null = null;
  fails = false;

  onEntry({ lsn }: LogEntry): void | Promise<void> {
    if (this.fails) throw new Error("no");
    this.heard.push(Number(lsn));
    return this.hold ?? undefined;
  }
  onGap(reason: string): void {
    this.heard.push(reason);
  }
}

async function follow(reader: LiveReader, from = 0n) {
  const following = readers.add(reader, from, null);
  await turn();
  return following;
}

describe("readers", () => {
  it("that keep up are told at once, in order", async () => {
    const reader = new Recorder();
    const following = await follow(reader);
    for (let lsn = 1; lsn <= 10; lsn++) {
      await push(lsn);
      expect(reader.heard.at(-1)).toBe(lsn);
    }
    expect(reader.heard).toHaveLength(10);
    expect(following.position()).toBe(999n);
  });

  it("begin with the first entry at or after their place", async () => {
    await push(1);
    await push(2);
    await push(3);
    const reader = new Recorder();
    await follow(reader, 2n);
    await push(4);
    expect(reader.heard).toEqual([2, 3, 4]);
  });

  it("are told nothing more while they have not done with one, and stand there", async () => {
    const reader = new Recorder();
    const held = Promise.withResolvers<void>();
    reader.hold = held.promise;
    const following = await follow(reader);
    await push(1);
    await push(2);
    expect(reader.heard).toEqual([1]);
    expect(following.position()).toBe(1n);
    reader.hold = null;
    held.resolve();
    await turn();
    expect(reader.heard).toEqual([1, 2]);
  });

  it("that hang fall off alone: others miss nothing, and go on", async () => {
    const [fast, hanging] = [new Recorder(), new Recorder()];
    const held = Promise.withResolvers<void>();
    hanging.hold = held.promise;
    await follow(fast);
    await follow(hanging);
    for (let lsn = 1; lsn <= 8; lsn++) await push(lsn);
    expect(fast.heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    hanging.hold = null;
    held.resolve();
    await turn();
    await push(9);
    expect(hanging.heard).toEqual([1, "retention", 9]);
    expect(fast.heard.at(-1)).toBe(9);
    expect(seen).toEqual([{ kind: "log.gap", reader: "recorder", reason: "retention" }]);
  });

  it("that are slow are waited for before anything is let go, and miss nothing", async () => {
    const slow = new Recorder();
    slow.hold = turn();
    await follow(slow);
    let most = 0;
    for (let lsn = 1; lsn <= 50; lsn++) {
      slow.hold = turn();
      await push(lsn);
      most = Math.max(most, ring.bytes);
    }
    await turn();
    expect(most).toBe(30);
    expect(slow.heard).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
  });

  it("do not begin in the middle of a transaction after a gap", async () => {
    const reader = new Recorder();
    await follow(reader);
    await push(1);
    readers.gap("slot-lost");
    await push(2, false);
    await push(2, false);
    await push(3);
    expect(reader.heard).toEqual([1, "slot-lost", 3]);
  });

  it("X09: that throw are told of a gap, and it is reported", async () => {
    const [broken, other] = [new Recorder(), new Recorder()];
    await follow(broken);
    await follow(other);
    broken.fails = true;
    await push(1);
    broken.fails = false;
    broken.hold = Promise.reject(new Error("later"));
    await push(2);
    broken.hold = null;
    await turn();
    await push(3);
    expect(broken.heard).toEqual(["retention", 2, "retention", 3]);
    expect(other.heard).toEqual([1, 2, 3]);
    expect(seen).toHaveLength(2);
  });

  it("X09: may throw at a gap, too", async () => {
    const reader = new Recorder();
    await follow(reader);
    reader.onGap = () => {
      throw new Error("no");
    };
    readers.gap("retention");
    await push(1);
    expect(reader.heard).toEqual([1]);
    expect(seen).toHaveLength(1);
  });

  it("that have stopped are told nothing, and nobody waits for them", async () => {
    const reader = new Recorder();
    reader.hold = new Promise(() => {});
    const following = await follow(reader);
    await push(1);
    following.stop();
    following.stop();
    for (let lsn = 2; lsn <= 8; lsn++) await push(lsn);
    expect(reader.heard).toEqual([1]);
    expect(emptied).toBe(1);
  });

  it("may make others be told from within", async () => {
    const reader = new Recorder();
    reader.onEntry = ({ lsn }) => {
      reader.heard.push(Number(lsn));
      readers.wake();
    };
    await follow(reader);
    await push(1);
    await push(2);
    expect(reader.heard).toEqual([1, 2]);
  });
});
