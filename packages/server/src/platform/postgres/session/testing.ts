import { createServer, connect as dial, type Socket } from "node:net";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { openSession, type SessionSettings } from "./index.ts";
import type { ConnectionTarget } from "./target.ts";
import type { Flight, Param, Session } from "./types.ts";

/** Helpers of the session's own tests: a database, sessions on it, and a wire that can be cut. */
export const defaults: SessionSettings = {
  readConnections: 3,
  writeConnections: 6,
  slowConnections: 4,
  readDepth: 32,
  queueLimit: 20_000,
  queueTimeoutMs: 20_000,
  statementCacheSize: 64,
  preparedStatements: true,
};

export function targetOf(url: string, changes: Partial<ConnectionTarget> = {}): ConnectionTarget {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    tls: { mode: "disable", rootCertificatePath: null },
    applicationName: null,
    ...changes,
  };
}

/** A database for the file, a superuser client, and sessions that are closed at its end. */
export function useDatabase(setup: string): {
  readonly admin: () => pg.Client;
  readonly url: () => string;
  session(changes?: Partial<SessionSettings>, target?: Partial<ConnectionTarget>): Promise<Session>;
} {
  let database: TestDatabase;
  let admin: pg.Client;
  const sessions: Session[] = [];
  beforeAll(async () => {
    database = await testDatabase();
    admin = new pg.Client({ connectionString: database.url });
    admin.on("error", () => {});
    await admin.connect();
    await admin.query(setup);
  });
  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.close(AbortSignal.timeout(2_000))));
    await admin.end().catch(() => {});
    await database.drop();
  });
  return {
    admin: () => admin,
    url: () => database.url,
    async session(changes = {}, target = {}) {
      const session = await openSession({
        target: targetOf(database.url, target),
        settings: { ...defaults, ...changes },
        observe: () => {},
      });
      sessions.push(session);
      return session;
    },
  };
}

const context = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";

/** A read as `role` with `claims`. */
export function read(text: string, values: readonly Param[] = [], role = "postgres", claims = "{}"): Flight {
  return {
    role,
    prologue: [{ text: context, values: [role, claims] }],
    statement: { text, values },
    lane: "read",
    isRetryable: true,
  };
}

export const write = (text: string, values: readonly Param[] = []): Flight => ({
  ...read(text, values),
  lane: "write",
  isRetryable: false,
});
export const slow = (text: string, values: readonly Param[] = []): Flight => ({ ...read(text, values), lane: "slow" });

/** The first field of the first row. */
export async function one(session: Session, flight: Flight): Promise<string | null> {
  const { rows } = await session.fly(flight);
  return rows[0]?.[0]?.toString("utf8") ?? null;
}

export interface Wire {
  readonly port: number;
  /** From now on, nothing passes on the connections that exist, and nobody is told. New ones work. */
  freeze(): void;
  close(): Promise<void>;
}

/** A TCP relay to `port`, to lose connections the way networks lose them. */
export async function openWire(port: number, listenPort = 0): Promise<Wire> {
  const pairs = new Set<{ near: Socket; far: Socket; isFrozen: boolean }>();
  const server = createServer((near) => {
    const far = dial({ host: "127.0.0.1", port });
    const pair = { near, far, isFrozen: false };
    pairs.add(pair);
    near.on("data", (chunk) => pair.isFrozen || far.write(chunk));
    far.on("data", (chunk) => pair.isFrozen || near.write(chunk));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => {});
      from.on("close", () => pair.isFrozen || to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(listenPort, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    freeze() {
      for (const pair of pairs) pair.isFrozen = true;
    },
    close() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
