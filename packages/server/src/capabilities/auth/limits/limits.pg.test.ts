import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../kernel/clock.ts";
import { networkOf } from "../../../kernel/network.ts";
import type { Problem } from "../../../kernel/problem.ts";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import { openLane } from "../../../platform/postgres/lane.ts";
import { authCors } from "../reply.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { createLimits, type LimitName, type Limits } from "./index.ts";
import { limitSettings } from "./settings.ts";
import { limitsStore } from "./store.ts";

let auth: TestAuth;
const nodes: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  auth = await openTestAuth();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const node of nodes.splice(0)) await node.close();
});
afterAll(() => auth.close());

const secret = Buffer.alloc(32, 1);

/** One node's limits, with a connection of its own, on the file's database. */
function node(given: Partial<Values<typeof limitSettings>> = {}, connect = () => auth.db.connect()): Limits {
  const settings = { ...readSettings(limitSettings, { env: {} }).values, ...given };
  const lane = openLane({ connect }, settings.rateLimitTimeoutMs);
  const limits = createLimits({ settings, clock: systemClock, db: lane, secret });
  nodes.push({ close: () => limits.close().then(() => lane.close()) });
  return limits;
}

/** How many of `times` takes, all at once, got through. */
async function admitted(limits: readonly Limits[], name: LimitName, key: string, times: number): Promise<number> {
  const takes = Array.from({ length: times }, (_, n) => limits[n % limits.length]!.take(name, key));
  return (await Promise.allSettled(takes)).filter(({ status }) => status === "fulfilled").length;
}

const refusalOf = async (take: Promise<void>): Promise<Problem> =>
  take.then(
    () => expect.fail("was let through"),
    (error: unknown) => error as Problem,
  );

describe("exact limits", () => {
  test("A12 fifty at once on two nodes get exactly what there is", async () => {
    const two = [node({ rateLimitMail: 7 }), node({ rateLimitMail: 7 })];
    expect(await admitted(two, "mail", "", 50)).toBe(7);
    expect(await admitted(two, "mail", "", 10)).toBe(0);
  });

  test("A12 whoever waited for the one who took the last gets none", async () => {
    const pace = { capacity: 1, perSecond: 1 / 3_600 };
    const key = "ab".repeat(32);
    // Full again: whoever looks now sees one left.
    await limitsStore.take(auth.db, key, pace, 0);
    await auth.sql("update mainstay.rate_limits set level = 1 where key = decode($1, 'hex')", [key]);
    let late: Promise<number> | null = null;
    const first = await auth.db.transaction(async (tx) => {
      const waitSeconds = await limitsStore.take(tx, key, pace, 0);
      late = limitsStore.take(auth.db, key, pace, 0);
      await expect
        .poll(() =>
          auth.sql("select from pg_stat_activity where wait_event_type = 'Lock' and query like '%rate_limits%'"),
        )
        .toHaveLength(1);
      return waitSeconds;
    });
    expect(first).toBe(0);
    expect(await late).toBeGreaterThan(3_000);
  });

  test("what is refused is not counted, and says when to come again, by draft-ietf-httpapi-ratelimit-headers", async () => {
    const limits = node({ mailMinIntervalSeconds: 60 });
    await limits.take("mailTo", "a");
    for (let n = 0; n < 5; n++) {
      const refusal = await refusalOf(limits.take("mailTo", "a"));
      expect(refusal).toMatchObject({ status: 429, code: "auth/over_email_send_rate_limit" });
      expect(Number(refusal.headers["Retry-After"])).toBeGreaterThan(50);
      expect(Number(refusal.headers["Retry-After"])).toBeLessThanOrEqual(60);
      expect(refusal.headers["RateLimit-Policy"]).toBe('"mailTo";q=1;w=60');
      expect(refusal.headers.RateLimit).toMatch(/^"mailTo";r=0;t=\d+$/);
    }
    await limits.take("mailTo", "b");
    await expect(limits.check("mailTo", "c")).resolves.toBeUndefined();
    await expect(limits.check("mailTo", "a")).rejects.toMatchObject({ status: 429 });
  });

  test("a period of 0 s is no limit, and off is off", async () => {
    expect(await admitted([node({ smsMinIntervalSeconds: 0 })], "smsTo", "a", 20)).toBe(20);
    expect(await admitted([node({ rateLimits: false, rateLimitSms: 1 })], "sms", "", 20)).toBe(20);
  });

  test("X18 setting a node's clock ten minutes on or back gives and takes nothing", async () => {
    const [one, other] = [node({ mailMinIntervalSeconds: 61 }), node({ rateLimitSignIn: 2 })];
    await one.take("mailTo", "clock");
    await other.take("signIn", "clock");
    await other.take("signIn", "clock");
    for (const jumpMs of [600_000, -600_000]) {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + jumpMs });
      await expect(one.take("mailTo", "clock")).rejects.toMatchObject({ status: 429 });
      await expect(other.take("signIn", "clock")).rejects.toMatchObject({ status: 429 });
      vi.useRealTimers();
    }
  });

  test("no key is kept as it was", async () => {
    await node().take("mailTo", "203.0.113.200");
    const rows = await auth.sql("select key::text || level::text as text from mainstay.rate_limits");
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ text }) => text).join()).not.toContain(Buffer.from("203.0.113.200").toString("hex"));
  });
});

describe("limits by network", () => {
  const capacity = 30;
  const perNode = Math.ceil(capacity / 10);

  test("A12 two nodes together stay within the stated bound, in one burst and in many", async () => {
    const two = [node({ rateLimitVerify: capacity }), node({ rateLimitVerify: capacity })];
    const total = await admitted(two, "verify", "burst", 400);
    expect(total).toBeGreaterThanOrEqual(capacity);
    expect(total).toBeLessThanOrEqual(capacity + perNode);
    let later = 0;
    for (let n = 0; n < 10; n++) later += await admitted(two, "verify", "burst", 20);
    // A debt is paid first; meanwhile hardly a tenth of an event has come back.
    expect(total + later).toBeLessThanOrEqual(capacity + perNode + 1);
  });

  test("A12 one after the other on two nodes get what there is: what one counted the other learns", async () => {
    const two = [node({ rateLimitVerify: capacity }), node({ rateLimitVerify: capacity })];
    let total = 0;
    for (let n = 0; n < 60; n++) total += await admitted([two[n % 2]!], "verify", "turns", 1);
    expect(total).toBeGreaterThanOrEqual(capacity);
    expect(total).toBeLessThanOrEqual(capacity + perNode);
  });

  test("A12 a rotating IPv6 address of one subscriber is one key on both nodes", async () => {
    const two = [node({ rateLimitSignIn: 5 }), node({ rateLimitSignIn: 5 })];
    let total = 0;
    for (let n = 0; n < 40; n++) {
      total += await admitted([two[n % 2]!], "signIn", networkOf(`2001:db8:7:7:${n.toString(16)}::1`), 1);
    }
    expect(total).toBe(5);
  });

  test("cost no statement each: a thousand of one node are told in a few", async () => {
    let statements = 0;
    const limits = node({ rateLimitOtp: 100_000 }, async () => {
      const client = await auth.db.connect();
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      client.query = ((...args: unknown[]) => {
        statements++;
        return query(...args);
      }) as typeof client.query;
      return client;
    });
    for (let n = 0; n < 1_000; n++) await limits.take("otp", "cheap");
    await limits.close();
    expect(statements).toBeGreaterThanOrEqual(1);
    expect(statements).toBeLessThan(20);
    const [row] = await auth.sql(
      "select max(capacity - level)::int as taken from mainstay.rate_limits where capacity = 100000",
    );
    expect(row?.taken).toBeGreaterThan(990);
  });

  test("a refresh has a burst of its own below the count of its period", async () => {
    expect(await admitted([node({ rateLimitRefresh: 150, rateLimitRefreshBurst: 30 })], "refresh", "phone", 200)).toBe(
      30,
    );
  });

  test("PostgreSQL away: each node goes on counting, and answers soon", async () => {
    let isAway = true;
    const connect = () => (isAway ? Promise.reject(new Error("away")) : auth.db.connect());
    const limits = node({ rateLimitSignIn: 5, rateLimitMail: 3 }, connect);
    expect(await admitted([limits], "signIn", "away", 20)).toBe(5);
    expect(await admitted([limits], "mail", "", 20)).toBe(3);
    isAway = false;
    // Once it is back, what was counted meanwhile is told.
    await vi.waitFor(
      async () => {
        await limits.take("signIn", "somebody else").catch(() => {});
        expect(await admitted([node({ rateLimitSignIn: 5 })], "signIn", "away", 20)).toBeLessThanOrEqual(1);
      },
      { timeout: 30_000, interval: 500 },
    );
  });

  test("PostgreSQL that accepts and never answers: the time limit holds", async () => {
    const limits = node({ rateLimitMail: 2, rateLimitTimeoutMs: 100 }, async () => {
      const client = await auth.db.connect();
      client.query = (() => new Promise(() => {})) as unknown as typeof client.query;
      return client;
    });
    expect(await admitted([limits], "mail", "silent", 5)).toBe(2);
  });
});

test("full buckets are swept, others stay", async () => {
  const limits = node({ rateLimitMail: 11 });
  await limits.take("mail", "sweep");
  const id = "capacity = 11";
  await auth.sql(`update mainstay.rate_limits set at = at - interval '1 day' where not (${id})`);
  expect(await limits.sweep()).toBeGreaterThan(0);
  expect(await auth.sql("select 1 from mainstay.rate_limits")).toHaveLength(1);
  await auth.sql("update mainstay.rate_limits set at = at - interval '1 day'");
  await limits.sweep();
  expect(await auth.sql("select 1 from mainstay.rate_limits")).toHaveLength(0);
});

test("a page of another origin may read why it was refused, and when to come again", async () => {
  const server = auth.with({ rateLimits: true, rateLimitAnonymous: 1, anonymousEnabled: true });
  const signUp = () => server.send("POST", "/signup", { body: {}, address: "198.51.100.77" });
  await signUp();
  const { status, headers } = await signUp();
  expect(status).toBe(429);
  // What any page may read (Fetch, CORS-safelisted response-header name).
  const { "cache-control": _, "content-type": __, ...others } = headers;
  expect(Object.keys(others).sort()).toEqual(["ratelimit", "ratelimit-policy", "retry-after", "x-sb-error-code"]);
  const exposed = authCors.exposeHeaders.toLowerCase().split(", ");
  expect(exposed).toEqual(expect.arrayContaining(Object.keys(others)));
});
