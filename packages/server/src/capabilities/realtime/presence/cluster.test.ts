import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LogEntry } from "../../../kernel/change.ts";
import { Cluster } from "./cluster.ts";
import { encodeMessage, logPrefix } from "./node-messages.ts";
import { instanceOf } from "./replicas.ts";
import type { Meta } from "./room-view.ts";

/** One node: it reads the log at its own pace, and knows of others what it was last told. */
class TestNode {
  readonly id: string;
  readonly cluster: Cluster;
  /** What is on it, by number. */
  readonly own = new Map<number, { readonly room: string; readonly meta: Meta }>();
  /** What it shows of others: room, key and ref by instance. */
  readonly shown = new Map<string, string>();
  isAlive = true;
  readonly #world: World;
  readonly #known = new Set<string>();
  #at: number;

  constructor(world: World, id: string) {
    this.id = id;
    this.#world = world;
    this.#at = world.entries.length;
    this.cluster = new Cluster({
      log: { emit: (prefix, content) => world.emit(prefix, content) },
      nodes: { id, others: () => [...this.#known].map((known) => ({ id: known })) },
      show: (room, instance, meta) => {
        if (meta === null) this.shown.delete(instance);
        else this.shown.set(instance, describeMeta(room, meta));
      },
    });
  }

  /** The registry has told it of these. */
  learn(living: readonly TestNode[]): void {
    this.#known.clear();
    for (const { id } of living) if (id !== this.id) this.#known.add(id);
    this.cluster.nodesChanged();
  }

  track(id: number, key: string): void {
    const meta = { key, ref: `${this.id}.${++this.#world.refs}`, fields: "{}" };
    const room = `public:${id % 2}`;
    this.own.set(id, { room, meta });
    this.cluster.place({ id, room, meta });
  }

  untrack(id: number): void {
    const before = this.own.get(id);
    if (before === undefined) return;
    this.own.delete(id);
    this.cluster.place({ id, room: before.room, meta: null });
  }

  read(count: number): void {
    const from = this.#at;
    this.#at = Math.min(this.#world.entries.length, from + count);
    for (const entry of this.#world.entries.slice(from, this.#at)) this.cluster.take(entry);
  }

  /** Misses what it has not read. */
  lose(): void {
    this.#at = this.#world.entries.length;
    this.cluster.missed();
  }
}

/** One log, and who is there. */
class World {
  readonly entries: LogEntry[] = [];
  readonly nodes: TestNode[] = [];
  isDown = false;
  refs = 0;

  get living(): readonly TestNode[] {
    return this.nodes.filter(({ isAlive }) => isAlive);
  }

  async emit(prefix: string, content: Buffer): Promise<void> {
    if (this.isDown) throw new Error("The database is away.");
    const lsn = BigInt(this.entries.length + 1);
    this.entries.push({ kind: "message", lsn, endLsn: lsn, prefix, content });
  }

  add(): TestNode {
    const node = new TestNode(this, `node-${this.nodes.length}`);
    node.learn(this.living);
    this.nodes.push(node);
    node.cluster.followed();
    return node;
  }

  /** Until everybody has read everything, knows who lives, and has nothing more to say. */
  async settle(): Promise<void> {
    this.isDown = false;
    for (const node of this.living) node.learn(this.living);
    for (let quiet = 0; quiet < 3; ) {
      const before = this.entries.length;
      await vi.advanceTimersByTimeAsync(2_000);
      for (const node of this.living) node.read(Number.POSITIVE_INFINITY);
      for (const node of this.living) node.cluster.look();
      await vi.advanceTimersByTimeAsync(1);
      quiet = this.entries.length === before ? quiet + 1 : 0;
    }
  }

  /** Each shows exactly what is on the others that live. */
  check(): void {
    for (const node of this.living) {
      const others = this.living.filter((other) => other !== node);
      const expected = others.flatMap(({ id: nodeId, own }) =>
        [...own].map(([id, { room, meta }]) => [instanceOf(nodeId, id), describeMeta(room, meta)] as const),
      );
      expect(new Map([...node.shown].sort())).toEqual(new Map(expected.sort()));
    }
  }
}

const describeMeta = (room: string, { key, ref }: Meta): string => `${room} ${key} ${ref}`;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const step = fc.record({
  does: fc.oneof(
    { weight: 6, arbitrary: fc.constant("track" as const) },
    { weight: 3, arbitrary: fc.constant("untrack" as const) },
    { weight: 6, arbitrary: fc.constant("read" as const) },
    { weight: 2, arbitrary: fc.constantFrom("learn" as const, "forget" as const, "lose" as const, "wait" as const) },
    { weight: 1, arbitrary: fc.constantFrom("add" as const, "die" as const, "down" as const, "up" as const) },
  ),
  node: fc.nat(9),
  id: fc.nat(5),
});

describe("presence on many nodes", () => {
  it("R13: becomes the same everywhere, whatever was missed, late, dead or thought to be", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
        const world = new World();
        for (let count = 0; count < 3; count++) world.add();
        for (const node of world.nodes) node.learn(world.nodes);
        await vi.advanceTimersByTimeAsync(0);
        for (const { does, node: at, id } of steps) {
          const node = world.living[at % world.living.length]!;
          await take(world, node, does, id);
          // Some say what they have to say before the next step, some only later.
          if (id % 2 === 0) await vi.advanceTimersByTimeAsync(0);
        }
        await world.settle();
        world.check();
      }),
      { numRuns: 400 },
    );
  });

  it("R13: is told by a node that has missed the question", async () => {
    const world = new World();
    const [asks, has] = [world.add(), world.add()] as [TestNode, TestNode];
    for (const node of world.nodes) node.learn(world.nodes);
    await vi.advanceTimersByTimeAsync(0);
    for (const node of world.nodes) node.read(Number.POSITIVE_INFINITY);
    has.track(0, "key");
    await vi.advanceTimersByTimeAsync(0);
    asks.lose();
    await vi.advanceTimersByTimeAsync(0);
    has.lose();
    await world.settle();
    expect(asks.shown.size).toBe(1);
    world.check();
  });

  async function take(world: World, node: TestNode, does: string, id: number): Promise<void> {
    switch (does) {
      case "track":
        return node.track(id, `key-${id % 3}`);
      case "untrack":
        return node.untrack(id);
      case "read":
        return node.read(id + 1);
      case "learn":
        return node.learn(world.living);
      case "forget":
        // It takes one that lives for dead.
        return node.learn(world.living.filter((_, at) => at !== id % world.living.length));
      case "lose":
        return node.lose();
      case "wait":
        return void (await vi.advanceTimersByTimeAsync(1_500));
      case "add":
        if (world.nodes.length < 6) world.add();
        // The others hear of it now or later.
        if (id % 2 === 0) for (const each of world.living) each.learn(world.living);
        return;
      case "die":
        if (world.living.length > 1) node.isAlive = false;
        return;
      case "down":
        world.isDown = true;
        return;
      case "up":
        world.isDown = false;
    }
  }

  it("says nothing while a node is alone but that it asks once", async () => {
    const world = new World();
    const node = world.add();
    for (let id = 0; id < 50; id++) node.track(id, "a");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.entries).toHaveLength(1);
  });

  it("is told to a node that comes, and to one the registry does not know yet", async () => {
    const world = new World();
    const first = world.add();
    first.track(1, "ana");
    await vi.advanceTimersByTimeAsync(0);
    const second = world.add();
    await vi.advanceTimersByTimeAsync(0);
    // The first knows the second from its question only.
    first.read(10);
    await vi.advanceTimersByTimeAsync(0);
    first.track(2, "ben");
    await vi.advanceTimersByTimeAsync(0);
    second.read(10);
    expect(second.shown.size).toBe(2);
  });

  it("ends with the node: a late word of it brings nobody back", async () => {
    const world = new World();
    const [first, second] = [world.add(), world.add()];
    first.learn(world.living);
    first.track(1, "ana");
    await world.settle();
    expect(second.shown.size).toBe(1);
    first.track(2, "ben");
    await vi.advanceTimersByTimeAsync(0);
    first.isAlive = false;
    second.learn(world.living);
    expect(second.shown.size).toBe(0);
    second.read(10);
    expect(second.shown.size).toBe(0);
  });

  it("R12: keeps a bounded memory of nodes that nobody knows, and forgets them", async () => {
    const world = new World();
    const node = world.add();
    const say = (nodeId: string): Promise<void> => {
      const placed = [{ id: 1, room: "public:0", meta: { key: "ghost", ref: nodeId, fields: "{}" } }];
      return world.emit(logPrefix, encodeMessage({ kind: "changes", nodeId, version: 1, placed }));
    };
    for (let at = 0; at < 1_000; at++) await say(`ghost-${at}`);
    node.read(2_000);
    expect(node.shown.size).toBe(0);
    const known = new TestNode(world, "ghost-999");
    for (let looks = 0; looks < 10; looks++) node.cluster.look();
    node.learn([known]);
    expect(node.shown.size).toBe(0);
  });

  it("is whole when it takes several messages, and nothing of it shows before", async () => {
    const world = new World();
    const first = world.add();
    const key = "k".repeat(20_000);
    for (let id = 0; id < 40; id++) first.track(id, key);
    const second = world.add();
    await vi.advanceTimersByTimeAsync(0);
    first.read(10);
    await vi.advanceTimersByTimeAsync(0);
    second.read(3);
    expect(second.shown.size).toBe(0);
    await world.settle();
    world.check();
    expect(second.shown.size).toBe(40);
  });
});
