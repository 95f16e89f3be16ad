import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Values } from "../../../kernel/settings.ts";
import { parseLsn } from "../../../platform/changes/lsn.ts";
import type { changesSettings } from "../../../platform/changes/settings.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import { sessionProblems } from "../../../platform/postgres/session/problems.ts";
import { type Broadcast, createBroadcast } from "../broadcast/index.ts";
import { TestCluster, type TestNode } from "../nodes.testing.ts";
import { type AskingPolicies, openAskingPolicies } from "../row-changes/asking-policies.testing.ts";
import { createRowChanges } from "../row-changes/index.ts";
import { changeOf } from "../row-changes/testing.ts";
import type { realtimeSettings } from "../settings.ts";
import { TestClient as Client, type Received, type TestClient } from "../testing.ts";
import type { Outgoing } from "../types.ts";
import { createResume } from "./index.ts";
import { missedMessage } from "./missed.ts";

const alice = "11111111-1111-4111-8111-111111111111";
const bob = "22222222-2222-4222-8222-222222222222";
/** Channels of the reconnect storm; 2,000 when asked for. */
const stormSize = Number(process.env.MAINSTAY_RESUME_STORM ?? 300);

const schema = `
  create table public.notes (n int8 primary key, owner uuid, body text default '');
  alter table public.notes enable row level security;
  create policy own on public.notes for select using (owner = auth.uid());
  grant select on public.notes to authenticated;
  create table public.news (n int8 primary key, body text default '');
  grant select on public.news to anon, authenticated;
  alter publication supabase_realtime add table public.notes, public.news;
`;

/** A node as the server composes it. */
interface Node extends TestNode {
  readonly broadcast: Broadcast;
  /** As a server that is asked to stop: channels are closed, and everything is written. */
  stop(): Promise<void>;
}

let cluster: TestCluster;
let policies: AskingPolicies;
const running: Node[] = [];

beforeAll(async () => {
  cluster = await TestCluster.open();
  const setup = await cluster.add({ sql: schema });
  await setup.kill();
  policies = await openAskingPolicies(cluster.database.url);
});
afterAll(async () => {
  for (const node of running) await node.stop();
  await policies.close();
  await cluster.close();
});

interface NodeOptions {
  readonly log?: Partial<Values<typeof changesSettings>>;
  /** What stands between the database and who looks for what clients had. */
  readonly lookUps?: (db: Database) => Database;
  /** What stands between the database and row changes. */
  readonly rowChanges?: (db: Database) => Database;
}

async function openNode(
  settings: Partial<Values<typeof realtimeSettings>> = {},
  { log = {}, lookUps = (db) => db, rowChanges: rows = (db) => db }: NodeOptions = {},
): Promise<Node> {
  let stopAll = async () => {};
  let broadcast: Broadcast | undefined;
  const node = await cluster.add({
    policies,
    logSettings: log,
    settings: { realtimeResumeWriteMs: 20, realtimeResumeConfirmMs: 50, ...settings },
    features(context) {
      const rowChanges = createRowChanges({ ...context, db: rows(context.db) });
      broadcast = createBroadcast(context);
      const resume = createResume({ ...context, db: lookUps(context.db) }, [rowChanges, broadcast]);
      rowChanges.start();
      resume.start();
      stopAll = async () => {
        await resume.stop();
        rowChanges.stop();
        await broadcast?.stop();
      };
      return [broadcast, resume, rowChanges];
    },
  });
  const open: Node = {
    ...node,
    broadcast: broadcast!,
    async kill() {
      running.splice(running.indexOf(open), 1);
      await node.kill();
      // What a killed process would never do must not be seen by the others: it is only to let the test end.
      await stopAll().catch(() => {});
    },
    async stop() {
      running.splice(running.indexOf(open), 1);
      await stopAll();
      await node.kill();
    },
  };
  running.push(open);
  return open;
}

const config = {
  broadcast: { self: false },
  postgres_changes: [
    { event: "*", schema: "public", table: "notes" },
    { event: "INSERT", schema: "public", table: "news" },
  ],
};
const isSubscribed = ({ event, payload }: Received): boolean =>
  event === "system" && (payload as { message?: string }).message === "Subscribed to PostgreSQL";

/** The numbers of rows and broadcasts, as they came. */
function numbersOf(client: TestClient): number[] {
  return client.received.flatMap((message) => {
    if (message.event === "postgres_changes") return [Number(changeOf(message).data.record?.n)];
    if (message.event !== "broadcast") return [];
    const payload =
      message.broadcast?.payload.toString() ?? JSON.stringify((message.payload as { payload: unknown }).payload);
    return [Number((JSON.parse(payload) as { n: number }).n)];
  });
}

/** Live, a broadcast is ahead of rows that were written before it: it does not wait for the log. */
const sorted = (numbers: readonly number[]): number[] => unique(numbers).sort((one, other) => one - other);
const unique = (numbers: readonly number[]): number[] => [...new Set(numbers)];

async function join(client: TestClient, room: string, token: string | null): Promise<void> {
  expect((await client.join(room, config, token)).status).toBe("ok");
  await client.waitFor(isSubscribed);
}

/** As `join`, with patience, and looking seldom enough that the looking is not what takes the time. */
async function joinInCrowd(client: TestClient, room: string, token: string): Promise<void> {
  client.push(room, "phx_join", { config, access_token: token });
  while (!client.received.some(isSubscribed)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The same client on another connection: it has gone on counting. */
function comeBack(former: TestClient, node: Node): TestClient {
  const client = node.realtime.connect({ clientInfo: former.clientInfo });
  client.lastRef = former.lastRef + 2;
  return client;
}

let counter = 0;
const next = (): number => ++counter;

/** Somebody else's work: rows of two owners, broadcasts over a node and from SQL. @returns what `alice` is to see, in order */
async function work(node: Node, room: string, times: number): Promise<number[]> {
  const seen: number[] = [];
  const sender = node.realtime.connect({ key: "service" });
  await sender.join(room, { broadcast: { ack: true } });
  for (let at = 0; at < times; at++) {
    const [own, foreign, shared, sent] = [next(), next(), next(), next()];
    await node.realtime.sql("insert into notes (n, owner) values ($1, $2)", [own, alice]);
    await node.realtime.sql("insert into notes (n, owner) values ($1, $2)", [foreign, bob]);
    await node.realtime.sql("insert into news (n) values ($1)", [shared]);
    await sender.ask(room, "broadcast", { type: "broadcast", event: "e", payload: { n: sent } });
    // A broadcast is in the log a moment after it was sent; here it is one after the other.
    await node.broadcast.settled?.();
    seen.push(own, shared, sent);
    if (at % 5 === 0) {
      const fromSql = next();
      await node.realtime.sql("select realtime.send(jsonb_build_object('n', $1::int), 'e', $2, false)", [
        fromSql,
        room,
      ]);
      seen.push(fromSql);
    }
  }
  await sender.ask(room, "phx_leave", {});
  // Whoever joins from now on joins after all of it: what the log has not come to yet would be news to it.
  const [row] = await node.realtime.sql<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
  await node.log.emit("test", Buffer.alloc(0), { isUrgent: true });
  await expect.poll(() => node.log.position() >= parseLsn(row!.lsn)).toBe(true);
  return seen;
}

/** The database knows of it: what is written beside the delivery takes a moment. */
const written = (node: Node, lost: boolean) =>
  expect
    .poll(async () => {
      const [row] = await node.realtime.sql<{ count: string }>(
        "select count(*) from mainstay.realtime_channels where node_id = $1 and (left_at is not null) = $2",
        [node.id, lost],
      );
      return Number(row!.count);
    })
    .toBeGreaterThan(0);

/** Alice's client, which a node has lost and has written down, and what it has missed since. */
async function lostOn(node: Node, name: string, sessionId: string) {
  const client = node.realtime.connect();
  await join(client, name, session(node, alice, sessionId));
  client.drop();
  await written(node, true);
  return { client, missed: await work(node, name, 3) };
}

const room = (() => {
  let rooms = 0;
  return () => `room-${++rooms}`;
})();
const session = (node: Node, sub: string, sessionId: string): string =>
  node.realtime.token({ sub, session_id: sessionId });

describe("R13 a client that comes back", () => {
  let node: Node;
  beforeAll(async () => {
    node = await openNode();
  });

  test("is sent what it missed after the reply, in order, and nothing of others; then what happens goes on", async () => {
    const name = room();
    const token = session(node, alice, "s1");
    const client = node.realtime.connect();
    await join(client, name, token);
    const before = await work(node, name, 2);
    await expect.poll(() => sorted(numbersOf(client))).toEqual(sorted(before));
    client.drop();
    const missed = await work(node, name, 12);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s1"));
    const after = await work(node, name, 2);
    await expect.poll(() => sorted(numbersOf(back)).slice(-after.length)).toEqual(after);
    const got = unique(numbersOf(back));
    expect(got.filter((n) => missed.includes(n))).toEqual(missed);
    expect(sorted(got.filter((n) => !before.includes(n)))).toEqual([...missed, ...after]);
    const events = back.received.map(({ event }) => event);
    expect(events[0]).toBe("phx_reply");
    expect(events.lastIndexOf("system")).toBeGreaterThan(0);
    back.drop();
  });

  test("is judged by the rights it has now (R08)", async () => {
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "s2"));
    client.drop();
    const missed = await work(node, name, 2);
    await node.realtime.sql("alter policy own on notes using (false)");
    await policies.changed();
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s2"));
    const { rows } = { rows: await node.realtime.sql<{ n: string }>("select n from notes") };
    const notes = new Set(rows.map(({ n }) => Number(n)));
    await expect.poll(() => unique(numbersOf(back))).toEqual(missed.filter((n) => !notes.has(n)));
    await node.realtime.sql("alter policy own on notes using (owner = auth.uid())");
    await policies.changed();
    back.drop();
  });

  test("a fresh start of the app, another user and another configuration get nothing of before", async () => {
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "s3"));
    client.drop();
    await work(node, name, 3);
    const fresh = node.realtime.connect();
    await join(fresh, name, session(node, alice, "s3"));
    const other = comeBack(client, node);
    await join(other, name, session(node, bob, "s4"));
    const elsewhere = comeBack(client, node);
    await join(elsewhere, room(), session(node, alice, "s3"));
    for (const each of [fresh, other, elsewhere]) {
      expect(numbersOf(each)).toEqual([]);
      each.drop();
    }
  });

  test("one that has left is not waited for", async () => {
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "s5"));
    await client.ask(name, "phx_leave", {});
    await work(node, name, 1);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s5"));
    expect(numbersOf(back)).toEqual([]);
    back.drop();
  });

  test("its own broadcasts are not sent to it", async () => {
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "s6"));
    client.push(name, "broadcast", { type: "broadcast", event: "e", payload: { n: next() } });
    await node.broadcast.settled?.();
    client.drop();
    const missed = await work(node, name, 1);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s6"));
    expect(unique(numbersOf(back))).toEqual(missed);
    back.drop();
  });

  test("what was sent to a connection that had died in silence comes again", async () => {
    const name = room();
    const client = new Silent(node.realtime.channels, {
      version: "2.0.0",
      clientInfo: "",
      key: node.realtime.connect().key,
    });
    await join(client, name, session(node, alice, "s7"));
    const heard = await work(node, name, 2);
    await expect.poll(() => sorted(numbersOf(client))).toEqual(sorted(heard));
    // Some time passes in which the socket says that all has arrived.
    await new Promise((resolve) => setTimeout(resolve, 150));
    client.isSilent = true;
    const lost = await work(node, name, 4);
    // The client knows before the server does.
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s7"));
    expect(unique(numbersOf(back)).filter((n) => !heard.includes(n))).toEqual(lost);
    client.drop();
    const missed = await (async () => {
      back.drop();
      return work(node, name, 2);
    })();
    const again = comeBack(back, node);
    await join(again, name, session(node, alice, "s7"));
    expect(unique(numbersOf(again)).filter((n) => !lost.includes(n) && !heard.includes(n))).toEqual(missed);
    again.drop();
  });

  test("a connection of the log that is lost meanwhile loses nothing", async () => {
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "s8"));
    client.drop();
    const first = await work(node, name, 2);
    await node.realtime
      .sql("select pg_terminate_backend(pid) from pg_stat_replication where datname = current_database()")
      .catch(() =>
        node.realtime.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender' and datname = current_database()",
        ),
      );
    const second = await work(node, name, 2);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "s8"));
    expect(unique(numbersOf(back))).toEqual([...first, ...second]);
    back.drop();
  });

  test(`a storm of ${stormSize} that come back at once is served, each what it missed`, async () => {
    const names = Array.from({ length: stormSize }, (_, at) => ({
      name: room(),
      token: session(node, alice, `storm-${at}`),
    }));
    const clients = await Promise.all(
      names.map(async ({ name, token }) => {
        const client = node.realtime.connect();
        await joinInCrowd(client, name, token);
        return client;
      }),
    );
    for (const client of clients) client.drop();
    const missed = await work(node, room(), 20).then(() => 0);
    expect(missed).toBe(0);
    const rows = await node.realtime.sql<{ n: string }>(
      "select n from notes where owner = $1 union all select n from news order by 1",
      [alice],
    );
    const latest = rows.map(({ n }) => Number(n)).slice(-40);
    await Promise.all(
      names.map(async ({ name, token }, at) => {
        const back = comeBack(clients[at]!, node);
        await joinInCrowd(back, name, token);
        expect(unique(numbersOf(back)).slice(-40)).toEqual(latest);
        back.drop();
      }),
    );
  }, 120_000);
});

/** A client that nothing reaches any more, which nobody has noticed. */
class Silent extends Client {
  isSilent = false;

  override send(message: Outgoing): void {
    if (!this.isSilent) super.send(message);
  }

  override confirm(told: () => void): void {
    if (!this.isSilent) super.confirm(told);
  }
}

describe("R13 over the end of nodes", () => {
  test("a node that stops leaves to the next one where its channels were", async () => {
    const first = await openNode();
    const name = room();
    const client = first.realtime.connect();
    await join(client, name, session(first, alice, "t1"));
    await work(first, name, 1);
    client.drop();
    await first.stop();
    const helper = await openNode();
    const missed = await work(helper, name, 3);
    const restarted = await openNode();
    const back = comeBack(client, restarted);
    await join(back, name, restarted.realtime.token({ sub: alice, session_id: "t1" }));
    await expect.poll(() => unique(numbersOf(back)).slice(-missed.length)).toEqual(missed);
    back.drop();
    await helper.stop();
    await restarted.stop();
  });

  test("a node that is killed has written often enough where its channels are", async () => {
    const first = await openNode();
    const name = room();
    const client = first.realtime.connect();
    await join(client, name, session(first, alice, "t2"));
    await written(first, false);
    const other = await openNode();
    const missed: number[] = [];
    await first.kill();
    missed.push(...(await work(other, name, 3)));
    const back = comeBack(client, other);
    await join(back, name, other.realtime.token({ sub: alice, session_id: "t2" }));
    await expect.poll(() => unique(numbersOf(back)).slice(-missed.length)).toEqual(missed);
    back.drop();
    await other.stop();
  });

  test("a client that another node answers, because it went to another network", async () => {
    const [first, other] = [await openNode(), await openNode()];
    const name = room();
    const { client, missed } = await lostOn(first, name, "t3");
    const back = comeBack(client, other);
    await join(back, name, other.realtime.token({ sub: alice, session_id: "t3" }));
    expect(unique(numbersOf(back))).toEqual(missed);
    back.drop();
    await first.stop();
    await other.stop();
  });
});

describe("R13 what takes its time", () => {
  /** Answers wait, while they are to. */
  class Slow {
    isSlow = false;
    readonly waiting: (() => void)[] = [];

    readonly of = (db: Database): Database =>
      Object.assign(Object.create(db) as Database, {
        query: async (statement: Parameters<Database["query"]>[0]) => {
          const rows = await db.query(statement);
          if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve));
          return rows;
        },
      });

    end(): void {
      this.isSlow = false;
      for (const resolve of this.waiting.splice(0)) resolve();
    }
  }

  test("row changes that come on after the reply: what was missed of them comes, too", async () => {
    const slow = new Slow();
    onTestFinished(() => slow.end());
    const first = await openNode();
    const other = await openNode({ realtimeSubscribeWaitMs: 50 }, { rowChanges: slow.of });
    const name = room();
    const { client, missed } = await lostOn(first, name, "l1");
    slow.isSlow = true;
    const back = comeBack(client, other);
    expect((await back.join(name, config, session(other, alice, "l1"))).status).toBe("ok");
    // Which tables there are, or their columns.
    await expect.poll(() => slow.waiting.length).toBeGreaterThan(0);
    // Who does not wait for them has passed them over by then.
    await new Promise((resolve) => setTimeout(resolve, 500));
    slow.end();
    await back.waitFor(isSubscribed);
    expect(unique(numbersOf(back))).toEqual(missed);
    back.drop();
    await first.stop();
    await other.stop();
  });

  test("a look-up during which the client is lost again: it is sent all when it comes the next time", async () => {
    const slow = new Slow();
    onTestFinished(() => slow.end());
    const node = await openNode({}, { lookUps: slow.of });
    const name = room();
    const token = session(node, alice, "l2");
    const client = node.realtime.connect();
    await join(client, name, token);
    client.drop();
    const missed = await work(node, name, 2);
    slow.isSlow = true;
    const lost = comeBack(client, node);
    expect((await lost.join(name, config, token)).status).toBe("ok");
    await expect.poll(() => slow.waiting.length).toBe(1);
    lost.drop();
    slow.end();
    missed.push(...(await work(node, name, 1)));
    const back = comeBack(lost, node);
    await join(back, name, token);
    expect(unique(numbersOf(back))).toEqual(missed);
    back.drop();
    await node.stop();
  });
});

describe("R13 while the database is away", () => {
  /** It answers nobody who comes back, from now on or no more. */
  const outage = { isAway: false, asked: 0 };
  const away = (db: Database): Database =>
    Object.assign(Object.create(db) as Database, {
      query(statement: Parameters<Database["query"]>[0]) {
        if (!outage.isAway) return db.query(statement);
        outage.asked++;
        return Promise.reject(sessionProblems.unavailable(new Error("gone")));
      },
    });
  const isTold = (client: TestClient) =>
    client.received.some(({ payload }) => (payload as { message?: string } | null)?.message === missedMessage);

  test("what a client missed is waited for, and comes before what happens since", async () => {
    const node = await openNode({}, { lookUps: away });
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "w1"));
    client.drop();
    const missed = await work(node, name, 3);
    outage.isAway = true;
    const back = comeBack(client, node);
    expect((await back.join(name, config, session(node, alice, "w1"))).status).toBe("ok");
    await expect.poll(() => outage.asked).toBeGreaterThan(1);
    const since = await work(node, name, 1);
    expect(numbersOf(back)).toEqual([]);
    outage.isAway = false;
    await expect.poll(() => unique(numbersOf(back)).length).toBe(missed.length + since.length);
    expect(unique(numbersOf(back)).slice(0, missed.length)).toEqual(missed);
    expect(isTold(back)).toBe(false);
    back.drop();
    await node.stop();
  });

  test("for too long, it is told to read anew", async () => {
    const node = await openNode({ realtimeResumeTimeoutMs: 200 }, { lookUps: away });
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "w2"));
    client.drop();
    await work(node, name, 1);
    outage.isAway = true;
    const back = comeBack(client, node);
    expect((await back.join(name, config, session(node, alice, "w2"))).status).toBe("ok");
    await expect.poll(() => isTold(back)).toBe(true);
    outage.isAway = false;
    back.drop();
    await node.stop();
  });
});

describe("R13 beyond what is kept", () => {
  test("the client is told to read anew, in a way that no SDK takes for an error", async () => {
    const node = await openNode({}, { log: { logRingBytes: 16_384 } });
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "u1"));
    client.drop();
    await node.realtime.sql(
      "insert into news (n, body) select n, repeat('x', 1000) from generate_series(1000001, 1000100) n",
    );
    await work(node, name, 1);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "u1"));
    const told = await back.waitFor(
      ({ event, payload }) => event === "system" && (payload as { message: string }).message === missedMessage,
    );
    expect(told.payload).toEqual({ extension: "system", status: "ok", message: missedMessage, channel: name });
    back.drop();
    await node.stop();
  });

  test("so is one that comes back too late, to whichever node; once, and only if there was something", async () => {
    const late = { realtimeResumeMs: 50 };
    const [node, other] = [await openNode(late), await openNode(late)];
    const isTold = (client: TestClient) =>
      client.received.filter(({ payload }) => (payload as { message?: string }).message === missedMessage).length;
    const isLate = () => new Promise((resolve) => setTimeout(resolve, 150));
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "u3"));
    client.drop();
    await work(node, name, 1);
    await isLate();
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "u3"));
    expect([isTold(back), numbersOf(back)]).toEqual([1, []]);
    back.drop();
    await work(node, name, 1);
    await isLate();
    const elsewhere = comeBack(back, other);
    await join(elsewhere, name, session(other, alice, "u3"));
    expect([isTold(elsewhere), numbersOf(elsewhere)]).toEqual([1, []]);
    // What it was told of is over.
    const live = await work(other, name, 1);
    await expect.poll(() => sorted(numbersOf(elsewhere))).toEqual(sorted(live));
    const fresh = other.realtime.connect();
    await join(fresh, name, session(other, alice, "u3"));
    expect(isTold(fresh)).toBe(0);
    for (const each of [elsewhere, fresh]) each.drop();
    for (const each of [node, other]) await each.stop();
  });

  test("so is one that missed more than may be looked through", async () => {
    const node = await openNode({ realtimeResumeChanges: 10 });
    const name = room();
    const client = node.realtime.connect();
    await join(client, name, session(node, alice, "u2"));
    client.drop();
    await work(node, name, 5);
    const back = comeBack(client, node);
    await join(back, name, session(node, alice, "u2"));
    await back.waitFor(
      ({ event, payload }) => event === "system" && (payload as { message: string }).message === missedMessage,
    );
    expect(numbersOf(back)).toEqual([]);
    back.drop();
    await node.stop();
  });
});
