import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readSettings, type Values } from "../../kernel/settings.ts";
import type { Observation } from "../observe/observation.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { createOutbox, type Delivery, DeliveryError, type Outbox, outboxSettings } from "./index.ts";

interface Letter {
  readonly text: string;
}

const quick: Partial<Values<typeof outboxSettings>> = {
  outboxPollMs: 100,
  outboxLeaseMs: 1_000,
  outboxRetryFirstMs: 20,
  outboxRetryMaxMs: 100,
};

let database: TestDatabase;
let client: pg.Client;
const stops: (() => Promise<void>)[] = [];
const seen: Observation[] = [];

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("create schema mainstay");
  await client.query(await readFile(new URL("../../../migrations/0005_outbox.sql", import.meta.url), "utf8"));
});
beforeEach(async () => {
  seen.length = 0;
  await client.query("truncate mainstay.outbox");
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

type Deliver = (letter: Letter, delivery: Delivery) => Promise<void>;

/** A node: a pool and an outbox of its own. */
function node(deliver: Deliver | null, settings: Partial<Values<typeof outboxSettings>> = {}) {
  const db = openDatabase({ connectionString: database.url, max: 3 });
  const outbox = createOutbox({
    db,
    key: Buffer.alloc(32, 7),
    settings: { ...readSettings(outboxSettings, { env: {} }).values, ...quick, ...settings },
    observe: (observation) => seen.push(observation),
  });
  const givenUp: { letter: Letter | null; reason: string }[] = [];
  if (deliver !== null) {
    outbox.serve<Letter>({
      name: "letters",
      deliver,
      onGivenUp: async (letter, _delivery, reason) => void givenUp.push({ letter, reason }),
    });
  }
  stops.push(async () => {
    await outbox.stop(AbortSignal.timeout(500));
    await db.close();
  });
  return { db, outbox, givenUp };
}

const put = (db: Database, outbox: Outbox, text: string, lifetimeSeconds = 60) =>
  db.transaction((tx) => outbox.put(tx, "letters", { text }, { lifetimeSeconds }));

async function waiting(): Promise<number> {
  const { rows } = await client.query("select count(*)::int as n from mainstay.outbox");
  return rows[0].n;
}

const until = (holds: () => boolean | Promise<boolean>) => expect.poll(holds, { interval: 20 }).toBe(true);

describe("the outbox", () => {
  it("delivers what is committed, keeps nothing of it, and nothing of what was rolled back", async () => {
    const got: string[] = [];
    const { db, outbox } = node(async ({ text }) => void got.push(text));
    await outbox.start();
    await put(db, outbox, "one");
    await expect(
      db.transaction(async (tx) => {
        await outbox.put(tx, "letters", { text: "never" });
        throw new Error("changed my mind");
      }),
    ).rejects.toThrow("changed my mind");
    await until(async () => got.length === 1 && (await waiting()) === 0);
    await sleep(250);
    expect(got).toEqual(["one"]);
  });

  it("stores nothing that can be read without the server's key, and notices bytes moved to another row", async () => {
    const got: string[] = [];
    const { db, outbox, givenUp } = node(async ({ text }) => void got.push(text));
    const id = await put(db, outbox, "code 123456");
    const { rows } = await client.query("select * from mainstay.outbox");
    expect(JSON.stringify(rows) + rows[0].payload.toString("latin1")).not.toContain("123456");
    await client.query("update mainstay.outbox set id = gen_random_uuid() where id = $1", [id]);
    await outbox.start();
    await until(() => givenUp.length === 1);
    expect(got).toEqual([]);
    expect(givenUp[0]?.letter).toBeNull();
  });

  it("tries again after a passing failure, with the same id, and waits longer each time", async () => {
    const tries: { id: string; attempt: number; atMs: number }[] = [];
    const { db, outbox } = node(async (_letter, { id, attempt }) => {
      tries.push({ id, attempt, atMs: performance.now() });
      if (attempt < 4) throw new DeliveryError("450 mailbox busy");
    });
    await outbox.start();
    await put(db, outbox, "please");
    await until(async () => tries.length === 4 && (await waiting()) === 0);
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
    expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  it("meets its retries, and does not wait for the next look at the table", async () => {
    const tried: string[] = [];
    const { db, outbox } = node(
      async ({ text }, { attempt }) => {
        tried.push(text);
        if (attempt < 3) throw new DeliveryError("450 mailbox busy");
      },
      { outboxPollMs: 10_000, outboxConcurrency: 2 },
    );
    await outbox.start();
    await Promise.all(["a", "b", "c"].map((text) => put(db, outbox, text)));
    await expect.poll(waiting).toBe(0);
    expect(tried).toHaveLength(9);
  });

  it("does not spin while a retry is due and every place is taken", async () => {
    let looks = 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const tried: string[] = [];
    const values = { ...readSettings(outboxSettings, { env: {} }).values, ...quick, outboxPollMs: 10_000 };
    const settings = Object.defineProperty({ ...values }, "outboxConcurrency", {
      get() {
        looks++;
        return 1;
      },
    });
    const db = openDatabase({ connectionString: database.url, max: 3 });
    const outbox = createOutbox({ db, key: Buffer.alloc(32, 7), settings, observe: () => {} });
    outbox.serve<Letter>({
      name: "letters",
      async deliver({ text }, { attempt }) {
        tried.push(`${text}${attempt}`);
        if (text === "again" && attempt === 1) {
          await put(db, outbox, "long");
          throw new DeliveryError("450 mailbox busy", { retryAfterSeconds: 0.3 });
        }
        if (text === "long") await held;
      },
    });
    stops.push(async () => {
      await outbox.stop(AbortSignal.timeout(500));
      await db.close();
    });
    await outbox.start();
    await put(db, outbox, "again");
    await until(() => tried.includes("long1"));
    await sleep(500);
    const before = looks;
    await sleep(300);
    expect(looks - before).toBeLessThan(5);
    expect(tried).toEqual(["again1", "long1"]);
    release();
    await until(async () => (await waiting()) === 0);
    expect(tried).toEqual(["again1", "long1", "again2"]);
  });

  it("gives up at once what was refused for good, and what is out of time, and tells", async () => {
    const { db, outbox, givenUp } = node(async ({ text }) => {
      throw new DeliveryError(`refused: ${text} token=abc123`, { isFinal: text === "bad" });
    });
    await outbox.start();
    await put(db, outbox, "bad");
    await until(() => givenUp.length === 1);
    await put(db, outbox, "slow", 1);
    await until(() => givenUp.length === 2);
    expect(givenUp.map(({ letter }) => letter?.text)).toEqual(["bad", "slow"]);
    expect(givenUp[0]?.reason).not.toContain("abc123");
    expect(seen.filter(({ kind }) => kind === "outbox.given-up")).toHaveLength(2);
    expect(await waiting()).toBe(0);
  });

  it("takes a decoy like any message and hands it to nobody", async () => {
    const got: string[] = [];
    const { db, outbox } = node(async ({ text }) => void got.push(text));
    await db.transaction((tx) => outbox.decoy(tx, "letters"));
    await put(db, outbox, "real");
    const { rows } = await client.query<{ bytes: number }>("select length(payload) as bytes from mainstay.outbox");
    expect(rows).toHaveLength(2);
    await outbox.start();
    await until(async () => (await waiting()) === 0);
    expect(got).toEqual(["real"]);
    expect(seen).toEqual([]);
  });

  it("X11: two nodes share the work and none is delivered twice", async () => {
    const got: string[] = [];
    const deliver: Deliver = async ({ text }) => {
      await sleep(5);
      got.push(text);
    };
    const one = node(deliver);
    const two = node(deliver);
    await Promise.all(Array.from({ length: 60 }, (_, n) => put(one.db, one.outbox, String(n))));
    await Promise.all([one.outbox.start(), two.outbox.start()]);
    await until(async () => (await waiting()) === 0);
    expect(got).toHaveLength(60);
    expect(new Set(got).size).toBe(60);
  });

  it("X11: what a node took with it when it died goes out from another", async () => {
    const got: string[] = [];
    const { db, outbox } = node(async ({ text }) => void got.push(text));
    await put(db, outbox, "orphan");
    // What a node leaves behind that is killed in the middle of a delivery.
    await client.query(
      "update mainstay.outbox set attempts = 1, locked_until = clock_timestamp() + interval '300 milliseconds'",
    );
    await outbox.start();
    expect(got).toEqual([]);
    await until(async () => got.length === 1 && (await waiting()) === 0);
  });

  it("keeps a message to itself for as long as it works on it", async () => {
    let count = 0;
    const deliver: Deliver = async () => {
      count += 1;
      await sleep(1_200);
    };
    const settings = { outboxLeaseMs: 300 };
    const one = node(deliver, settings);
    const two = node(deliver, settings);
    await Promise.all([one.outbox.start(), two.outbox.start()]);
    await put(one.db, one.outbox, "long");
    await until(async () => count > 0 && (await waiting()) === 0);
    expect(count).toBe(1);
  });

  it("X12: rests when the provider is down, asks it with one message, and goes on when it is back", async () => {
    let isDown = true;
    let inOneGo = 0;
    let attempts = 0;
    const { db, outbox } = node(
      async () => {
        attempts += 1;
        inOneGo += 1;
        if (isDown) throw new DeliveryError("421 not now", { isProviderDown: true });
      },
      { outboxBreakerFailures: 3, outboxRetryFirstMs: 150, outboxRetryMaxMs: 300, outboxConcurrency: 1 },
    );
    await outbox.start();
    for (let n = 0; n < 20; n++) await put(db, outbox, String(n));
    await until(() => seen.some(({ kind }) => kind === "outbox.provider-down"));
    const before = attempts;
    inOneGo = 0;
    await sleep(350);
    expect(inOneGo).toBeLessThanOrEqual(5);
    expect(before).toBeLessThanOrEqual(4);
    isDown = false;
    await until(async () => (await waiting()) === 0);
    expect(seen.filter(({ kind }) => kind === "outbox.provider-down")).toHaveLength(1);
    expect(seen.some(({ kind }) => kind === "outbox.provider-back")).toBe(true);
  });

  it("X12: a provider that says when to come back is not asked before", async () => {
    const atMs: number[] = [];
    const { db, outbox } = node(async (_letter, { attempt }) => {
      atMs.push(performance.now());
      if (attempt === 1) throw new DeliveryError("429", { isProviderDown: true, retryAfterSeconds: 1 });
    });
    await outbox.start();
    await put(db, outbox, "patience");
    await until(() => atMs.length === 2);
    expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(1_000);
  });

  it("gives the place of an attempt that never ends to the next", async () => {
    const { db, outbox, givenUp } = node(() => new Promise(() => {}), { outboxAttemptMs: 1_000, outboxConcurrency: 1 });
    await outbox.start();
    await put(db, outbox, "stuck", 2);
    await until(() => givenUp.length === 1);
  });

  it("goes on by itself when PostgreSQL has dropped every connection", async () => {
    const got: string[] = [];
    const { db, outbox } = node(async ({ text }) => void got.push(text));
    await outbox.start();
    await put(db, outbox, "before");
    await until(() => got.length === 1);
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await sleep(50);
    const [id] = await Promise.all([
      client.query("begin; commit").then(() => put(db, outbox, "after").catch(() => put(db, outbox, "after"))),
    ]);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await until(async () => got.includes("after") && (await waiting()) === 0);
  });

  it("X14: stops after what is under way, and leaves the rest to others at once", async () => {
    const started: string[] = [];
    const { db, outbox } = node(
      async ({ text }, { signal }) => {
        started.push(text);
        await sleep(60_000, undefined, { signal });
      },
      { outboxConcurrency: 1 },
    );
    await outbox.start();
    await put(db, outbox, "one");
    await put(db, outbox, "two");
    await until(() => started.length === 1);
    await outbox.stop(AbortSignal.timeout(100));
    const { rows } = await client.query("select locked_until from mainstay.outbox");
    expect(rows).toHaveLength(2);
    expect(rows.every(({ locked_until }) => locked_until === null)).toBe(true);
    expect(started).toHaveLength(1);
  });
});
