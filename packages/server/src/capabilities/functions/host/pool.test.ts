import { describe, expect, test, vi } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import type { Invocation } from "../types.ts";
import { FunctionPool, type PoolNeeds, type PoolThread, type ThreadEvents } from "./pool.ts";
import { Task } from "./task.ts";

const who: Principal = { role: "anon", subject: null, isAuthenticated: false, claims: {} } as unknown as Principal;

function taskOf(id: string): Task {
  const invocation: Invocation = {
    id,
    functionName: "f",
    index: 0,
    who,
    isCalled: true,
    signal: new AbortController().signal,
    timeoutMs: null,
  };
  const input = { method: "GET", url: "http://host/f", headers: [], body: null };
  return new Task(invocation, { kind: "request", input, resolve() {} }, () => {}, performance.now());
}

/** A thread as far as its pool knows it, and what has been sent to it. */
class Line implements PoolThread {
  readonly tasks = new Map<number, Task>();
  readonly events: ThreadEvents;
  hasLoaded = false;
  hasWorn = false;
  idleSinceMs = 0;
  readySinceMs = 0;
  isReady = false;
  isRetired = false;
  isWaiting = false;
  isEnded = false;

  constructor(events: ThreadEvents) {
    this.events = events;
  }

  get sent(): string[] {
    return [...this.tasks.values()].map(({ invocation }) => invocation.id);
  }

  send(task: Task): void {
    this.tasks.set(Number(task.invocation.id), task);
  }

  end(): void {
    this.isEnded = true;
  }

  load(): void {
    this.hasLoaded = true;
    this.events.onLoaded(this, { definitions: [] });
  }

  /** Answers the first `count`, each at once or after a wait. */
  answer(count: number, atOnce = true, micros = 1): void {
    for (const [number, task] of [...this.tasks].slice(0, count)) {
      this.events.onAnswer(atOnce, micros);
      this.tasks.delete(number);
      this.events.onOver(task, micros);
      this.events.onRoom(this);
    }
  }

  /** The first waits: nothing after it has begun. */
  giveBack(): void {
    const [, ...unbegun] = this.tasks;
    for (const [number] of unbegun) this.tasks.delete(number);
    this.isWaiting = true;
    this.events.onReturned(unbegun.map(([, task]) => task));
  }

  die(begun: number): void {
    const all = [...this.tasks.values()];
    this.tasks.clear();
    this.isReady = false;
    this.events.onEnded(this, all.slice(0, begun), { reason: "crashed", message: null });
    this.events.onReturned(all.slice(begun));
  }
}

function openPool(needs: Partial<PoolNeeds> = {}) {
  const lines: Line[] = [];
  let places = Number.POSITIVE_INFINITY;
  let asked = 0;
  const lost: string[] = [];
  const pool = new FunctionPool({
    built: { name: "f", file: "f.ts", bundle: "/f.mjs", declared: {} },
    maxThreads: 4,
    maxQueued: 100,
    memoryMb: 64,
    openThread(events) {
      asked++;
      if (places-- <= 0) return "full";
      const line = new Line(events);
      lines.push(line);
      return line;
    },
    onOver() {},
    onLog() {},
    onIdle() {},
    onThreadEnded: (begun) => void lost.push(...begun.map(({ invocation }) => invocation.id)),
    onBootFailed() {},
    ...needs,
  });
  return {
    pool,
    lines,
    lost,
    asked: () => asked,
    /** From now on so many more threads may be had. */
    allow: (count: number) => {
      places = count;
    },
  };
}

/** Pools of one ready thread that has learned that its function answers at once. */
async function learned(needs: Partial<PoolNeeds> = {}) {
  const opened = openPool(needs);
  const loading = opened.pool.load();
  opened.lines[0]!.load();
  await loading;
  for (let i = 0; i < 20; i++) {
    opened.pool.push(taskOf(String(1_000 + i)));
    opened.lines[0]!.answer(1);
  }
  return opened;
}
const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => String(from + i));

describe("a pool", () => {
  test("gives a thread one at a time until it has seen that they end at once, and then many", async () => {
    const { pool, lines } = openPool();
    const loading = pool.load();
    lines[0]!.load();
    await loading;
    for (const id of ids(1, 3)) pool.push(taskOf(id));
    expect(lines[0]!.sent).toEqual(["1"]);
    for (let i = 0; i < 40; i++) {
      pool.push(taskOf(String(100 + i)));
      lines[0]!.answer(1);
    }
    for (const id of ids(200, 70)) pool.push(taskOf(id));
    expect(lines[0]!.sent.length).toBe(64);
    pool.retire();
  });

  test("sends no more at a time than are worth 4 ms", async () => {
    const { pool, lines } = await learned();
    for (let i = 0; i < 200; i++) {
      pool.push(taskOf(String(2_000 + i)));
      lines[0]!.answer(1, true, 1_000);
    }
    for (const id of ids(1, 30)) pool.push(taskOf(id));
    expect(lines[0]!.sent.length).toBeLessThanOrEqual(4);
    pool.retire();
  });

  test("sends what had not begun to another thread, before what came later, and keeps to one at a time", async () => {
    const { pool, lines } = await learned();
    for (const id of ids(1, 5)) pool.push(taskOf(id));
    expect(lines[0]!.sent).toEqual(ids(1, 5));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      lines[0]!.giveBack();
      pool.push(taskOf("6"));
      expect(lines[0]!.sent).toEqual(["1"]);
      vi.advanceTimersByTime(20);
      // Whether it had waited long enough is asked of the real clock.
      while (lines.length < 2) vi.advanceTimersByTime(20);
      lines[1]!.load();
    } finally {
      vi.useRealTimers();
    }
    expect(lines[1]!.sent).toEqual(["2"]);
    lines[1]!.answer(1, false);
    expect(lines[1]!.sent).toEqual(["3"]);
    expect(pool.retire().map(({ invocation }) => invocation.id)).toEqual(["4", "5", "6"]);
  });

  test("loses with a thread what it had begun, and nothing else", async () => {
    const { pool, lines, lost } = await learned();
    for (const id of ids(1, 5)) pool.push(taskOf(id));
    lines[0]!.die(2);
    expect(lost).toEqual(["1", "2"]);
    // There is none left: another is started at once.
    lines[1]!.load();
    expect(lines[1]!.sent).toEqual(["3"]);
    expect(pool.retire().map(({ invocation }) => invocation.id)).toEqual(["4", "5"]);
  });

  test("takes up to `sharedBy` that wait, in each thread", async () => {
    const { pool, lines } = openPool();
    const loading = pool.load();
    lines[0]!.load();
    await loading;
    pool.limit({ maxThreads: 1, memoryMb: 64, sharedBy: 3 });
    for (const id of ids(1, 5)) pool.push(taskOf(id));
    expect(lines[0]!.sent).toEqual(["1", "2", "3"]);
    lines[0]!.answer(1, false);
    expect(lines[0]!.sent).toEqual(["2", "3", "4"]);
    pool.retire();
  });

  test("refuses what is more than may wait", async () => {
    const { pool, lines } = openPool({ maxQueued: 2, maxThreads: 1 });
    const loading = pool.load();
    lines[0]!.load();
    await loading;
    expect(ids(1, 4).map((id) => pool.push(taskOf(id)))).toEqual([true, true, true, false]);
    pool.retire();
  });

  test("asks for a thread that may not be had once, and again when a place is free", async () => {
    const { pool, lines, asked, allow } = await learned();
    pool.endIdle(Number.POSITIVE_INFINITY);
    expect(lines[0]!.isEnded).toBe(true);
    lines[0]!.die(0);
    allow(0);
    const before = asked();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      pool.push(taskOf("1"));
      expect(asked()).toBe(before + 1);
      expect(vi.getTimerCount()).toBe(0);
      allow(1);
      pool.placesFreed();
    } finally {
      vi.useRealTimers();
    }
    lines[1]!.load();
    expect(lines[1]!.sent).toEqual(["1"]);
    pool.retire();
  });

  test("loads its module once there is a place, and ends the wait for one that never comes", async () => {
    const { pool, lines, allow } = openPool();
    allow(0);
    const loading = pool.load();
    expect(lines).toEqual([]);
    allow(1);
    pool.placesFreed();
    lines[0]!.load();
    expect(await loading).toEqual({ definitions: [] });
    pool.retire();
    const closed = openPool({ openThread: () => "never" });
    expect(await closed.pool.load()).toMatchObject({ thrown: { message: expect.stringContaining("stops") } });
  });

  test("gives up its only thread to another function after its turn, one of several at once", async () => {
    const { pool, lines } = await learned();
    pool.push(taskOf("1"));
    const { readySinceMs } = lines[0]!;
    expect(pool.yieldOne(readySinceMs + 1)).toBeGreaterThan(0);
    expect(lines[0]!.isRetired).toBe(false);
    expect(pool.yieldOne(readySinceMs + 10_000)).toBe(0);
    expect(lines[0]!.isRetired).toBe(true);
    // It does what it has first.
    expect(lines[0]!.isEnded).toBe(false);
    lines[0]!.answer(1);
    expect(lines[0]!.isEnded).toBe(true);
    pool.retire();
  });
});
