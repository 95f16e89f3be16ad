import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../kernel/clock.ts";
import { Problem } from "../../kernel/problem.ts";
import { json } from "../../kernel/route.ts";
import { readSettings } from "../../kernel/settings.ts";
import { httpSettings, openHttpServer, problemJson } from "../http/index.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "../identity/index.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { openRevocations, type Revocations } from "./index.ts";

/** What the issue allows a node to take until it knows. */
const withinMs = 5_000;

let database: Awaited<ReturnType<typeof testDatabase>>;
let admin: pg.Client;
let dir: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  dir = await mkdtemp(join(tmpdir(), "revocation-"));
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  await rm(dir, { recursive: true, force: true });
});

interface Node {
  readonly db: Database;
  readonly keys: OpenIdentity;
  readonly revocations: Revocations;
  /** `accepted`, or the problem's code. */
  verdict(token: string): string;
}

/** A node of its own: pool, keys (one folder for all) and what it knows to have ended. */
async function openNode(pollMs = 60_000): Promise<Node> {
  const settings = { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0, revocationPollMs: pollMs };
  const observe = () => {};
  const db = openDatabase({ connectionString: database.url, max: 2 });
  opened.push(db);
  const keys = await openIdentity({ keysDir: join(dir, "keys"), settings, observe, clock: systemClock });
  opened.push(keys);
  const revocations = await openRevocations({ database: db, settings, tokenSeconds: 3_600 });
  opened.push(revocations);
  keys.refuseEnded(revocations);
  const verdict = (token: string) => {
    try {
      keys.identity.identify({ apikey: keys.keys.publishableKey, authorization: `Bearer ${token}` }, "");
      return "accepted";
    } catch (error) {
      return error instanceof Problem ? error.code : String(error);
    }
  };
  return { db, keys, revocations, verdict };
}

async function newUser(): Promise<{ userId: string; sessionId: string; otherSessionId: string }> {
  const [userId, sessionId, otherSessionId] = [randomUUID(), randomUUID(), randomUUID()];
  await admin.query("insert into auth.users (id, email) values ($1, $2)", [userId, `${userId}@example.com`]);
  await admin.query("insert into auth.sessions (id, user_id) values ($1, $3), ($2, $3)", [
    sessionId,
    otherSessionId,
    userId,
  ]);
  return { userId, sessionId, otherSessionId };
}

const tokenOf = ({ keys }: Node, userId: string, sessionId: string): string => {
  const iat = Math.floor(Date.now() / 1000);
  return keys.signer.sign({ sub: userId, session_id: sessionId, role: "authenticated", iat, exp: iat + 3_600 });
};

const eventually = (check: () => void) => vi.waitFor(check, { timeout: withinMs, interval: 10 });

describe("A22 what ends on one node is refused on every other within seconds", () => {
  const endings: [name: string, sql: string, code: string, others: string][] = [
    ["sign-out here", "delete from auth.sessions where id = $2 and user_id = $1", "identity/session-ended", "accepted"],
    [
      "sign-out everywhere",
      "delete from auth.sessions where user_id = $1 and $2::uuid is not null",
      "identity/session-ended",
      "identity/session-ended",
    ],
    [
      "a ban",
      "update auth.users set banned_until = now() + interval '1 day' where id = $1 and $2::uuid is not null",
      "identity/user-banned",
      "identity/user-banned",
    ],
    [
      "a ban for ever",
      "update auth.users set banned_until = 'infinity' where id = $1 and $2::uuid is not null",
      "identity/user-banned",
      "identity/user-banned",
    ],
    [
      "deletion",
      "delete from auth.users where id = $1 and $2::uuid is not null",
      "identity/user-deleted",
      "identity/user-deleted",
    ],
    [
      "soft deletion",
      "update auth.users set deleted_at = now() where id = $1 and $2::uuid is not null",
      "identity/user-deleted",
      "identity/user-deleted",
    ],
  ];

  test.each(endings)("A22 %s", async (_, statement, code, others) => {
    const [one, other] = [await openNode(), await openNode()];
    const { userId, sessionId, otherSessionId } = await newUser();
    const [token, second] = [tokenOf(one, userId, sessionId), tokenOf(one, userId, otherSessionId)];
    const stranger = await newUser();
    const theirs = tokenOf(one, stranger.userId, stranger.sessionId);
    // Twice: the second time from the cache.
    for (const node of [one, other, one, other]) {
      for (const each of [token, second, theirs]) expect(node.verdict(each)).toBe("accepted");
    }
    await admin.query(statement, [userId, sessionId]);
    for (const node of [one, other]) {
      await eventually(() => expect(node.verdict(token)).toBe(code));
      expect(node.verdict(second)).toBe(others);
      expect(node.verdict(theirs)).toBe("accepted");
    }
    // A node that starts later reads what it was not there for.
    const late = await openNode();
    expect(late.verdict(token)).toBe(code);
    expect(late.verdict(theirs)).toBe("accepted");
  });

  test("A22 a ban that is lifted, or is over, lets the user in again", async () => {
    const node = await openNode();
    const { userId, sessionId } = await newUser();
    const token = tokenOf(node, userId, sessionId);
    await admin.query("update auth.users set banned_until = now() + interval '1 day' where id = $1", [userId]);
    await eventually(() => expect(node.verdict(token)).toBe("identity/user-banned"));
    await admin.query("update auth.users set banned_until = null where id = $1", [userId]);
    await eventually(() => expect(node.verdict(token)).toBe("accepted"));
    await admin.query("update auth.users set banned_until = clock_timestamp() + interval '600 ms' where id = $1", [
      userId,
    ]);
    await eventually(() => expect(node.verdict(token)).toBe("identity/user-banned"));
    await eventually(() => expect(node.verdict(token)).toBe("accepted"));
  });

  test("A22 what was rolled back has not ended; what commits late is not missed", async () => {
    const node = await openNode();
    const [early, late] = [await newUser(), await newUser()];
    const slow = new pg.Client({ connectionString: database.url });
    await slow.connect();
    await slow.query("begin");
    await slow.query("delete from auth.sessions where id = $1", [late.sessionId]);
    await admin.query("delete from auth.sessions where id = $1", [early.sessionId]);
    await eventually(() =>
      expect(node.verdict(tokenOf(node, early.userId, early.sessionId))).toBe("identity/session-ended"),
    );
    const token = tokenOf(node, late.userId, late.sessionId);
    expect(node.verdict(token)).toBe("accepted");
    await slow.query("commit");
    await eventually(() => expect(node.verdict(token)).toBe("identity/session-ended"));

    const kept = await newUser();
    await slow.query("begin");
    await slow.query("delete from auth.sessions where id = $1", [kept.sessionId]);
    await slow.query("rollback");
    await slow.end();
    await node.revocations.refresh();
    expect(node.verdict(tokenOf(node, kept.userId, kept.sessionId))).toBe("accepted");
  });

  test("A22 a connection that is cut, or notifications that never come, delay it by one look at most", async () => {
    const node = await openNode(200);
    const { userId, sessionId } = await newUser();
    const token = tokenOf(node, userId, sessionId);
    expect(node.verdict(token)).toBe("accepted");
    await admin.query("alter table mainstay.revocations disable trigger announce");
    try {
      await admin.query("delete from auth.sessions where id = $1", [sessionId]);
      await eventually(() => expect(node.verdict(token)).toBe("identity/session-ended"));
    } finally {
      await admin.query("alter table mainstay.revocations enable trigger announce");
    }
    const next = await newUser();
    const second = tokenOf(node, next.userId, next.sessionId);
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await admin.query("delete from auth.sessions where id = $1", [next.sessionId]);
    await eventually(() => expect(node.verdict(second)).toBe("identity/session-ended"));
  });

  test("X18 a node's clock ten minutes off changes nothing", async () => {
    const node = await openNode();
    const { userId, sessionId } = await newUser();
    const token = tokenOf(node, userId, sessionId);
    await admin.query("delete from auth.sessions where id = $1", [sessionId]);
    await eventually(() => expect(node.verdict(token)).toBe("identity/session-ended"));
    for (const jumpMs of [600_000, -20_000]) {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + jumpMs });
      expect(node.verdict(token)).toBe("identity/session-ended");
      vi.useRealTimers();
    }
  });

  test("is forgotten when no token can speak of it any more", async () => {
    const node = await openNode();
    await admin.query(
      "insert into mainstay.revocations (kind, subject, at) values ('session', 'old', now() - interval '2 hours')",
    );
    await node.revocations.refresh();
    const late = await openNode();
    const principal = { subject: "x", claims: { session_id: "old" } } as never;
    expect(late.revocations.reasonOf(principal)).toBeNull();
  });
});

describe("A22 sockets close", () => {
  /** A server whose `/socket` echoes for as long as its caller is welcome. */
  async function serve(node: Node) {
    const http = await openHttpServer({
      groups: [
        {
          mount: "/test",
          boundary: problemJson,
          cors: { allowMethods: "GET", allowHeaders: "", exposeHeaders: "", maxAgeSeconds: 1 },
          routes: [
            {
              method: "GET",
              path: "/who",
              access: "caller",
              summary: "Who.",
              handle: (call) => json(call.who.subject),
            },
          ],
        },
      ],
      identity: node.keys.identity,
      observe: () => {},
      settings: { ...readSettings(httpSettings, { env: {} }).values, port: 0, host: "127.0.0.1" },
      isReady: () => ({ parts: {} }),
    });
    opened.push({ close: () => http.stop() });
    http.onUpgrade("/socket", (request, socket) => {
      const who = node.keys.identity.identify(request.headers, "");
      const unwatch = node.revocations.watch(who, () => socket.destroy());
      socket.on("close", unwatch);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
      socket.on("data", (bytes: Buffer) => socket.write(bytes));
    });
    return http;
  }

  async function openSocket(port: number, node: Node, token: string): Promise<Duplex> {
    const socket = connect(port, "127.0.0.1");
    opened.push({ close: () => socket.destroy() });
    socket.write(
      `GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\napikey: ${node.keys.keys.publishableKey}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("101");
    return socket;
  }

  test("A22 of the session that ended on another node, and no other", async () => {
    const [node, other] = [await openNode(), await openNode()];
    const http = await serve(node);
    const { userId, sessionId, otherSessionId } = await newUser();
    const ending = await openSocket(http.port, node, tokenOf(node, userId, sessionId));
    const staying = await openSocket(http.port, node, tokenOf(node, userId, otherSessionId));
    const closed = once(ending, "close");
    const { sql } = await import("pg-sql2");
    await other.db.query(sql`delete from auth.sessions where id = ${sql.value(sessionId)}`);
    await Promise.race([
      closed,
      new Promise((_, reject) => setTimeout(() => reject(new Error("The socket stayed open.")), withinMs).unref()),
    ]);
    staying.write("still here");
    expect(String((await once(staying, "data"))[0])).toBe("still here");
    await admin.query("update auth.users set banned_until = now() + interval '1 hour' where id = $1", [userId]);
    await once(staying, "close");
  });

  test("A22 that begins to be watched too late is told at once; one that left is not told", async () => {
    const node = await openNode();
    const [first, second] = [await newUser(), await newUser()];
    const identify = (token: string) => node.keys.identity.verify(token);
    const [gone, left] = [
      identify(tokenOf(node, first.userId, first.sessionId)),
      identify(tokenOf(node, second.userId, second.sessionId)),
    ];
    const told = vi.fn();
    node.revocations.watch(left, told)();
    await admin.query("delete from auth.sessions where id = any ($1)", [[first.sessionId, second.sessionId]]);
    await node.revocations.refresh();
    expect(told).not.toHaveBeenCalled();
    node.revocations.watch(gone, told);
    expect(told).toHaveBeenCalledExactlyOnceWith("session");
  });
});

describe("a flood of refused tokens", () => {
  test("is refused from memory, and a token that was refused is accepted once its key is known", async () => {
    const [one, other] = [await openNode(), await openNode()];
    const { userId, sessionId } = await newUser();
    const expired = one.keys.signer.sign({ sub: userId, role: "authenticated", exp: 1_000_000_000 });
    const forged = `${tokenOf(one, userId, sessionId).slice(0, -8)}AAAAAAAA`;
    for (let n = 0; n < 3; n++) {
      expect(one.verdict(expired)).toBe("identity/token-expired");
      expect(one.verdict(forged)).toBe("identity/token-invalid");
    }
    await one.keys.rotate();
    const token = tokenOf(one, userId, sessionId);
    expect(other.verdict(token)).toBe("identity/token-invalid");
    expect(other.verdict(token)).toBe("identity/token-invalid");
    await other.keys.reload();
    expect(other.verdict(token)).toBe("accepted");
  });
});
