import type pg from "pg";
import { compile } from "pg-sql2";
import { cut } from "./cut.ts";
import type { Database, Queryable } from "./database.ts";
import { sessionProblems } from "./session/problems.ts";

/**
 * A connection of one's own for short statements, one after the other: they never wait for a transaction that holds one of the
 * pool's.
 */
export interface Lane extends Pick<Queryable, "query"> {
  /** Ends the connection; what is under way may finish for `goodbyeMs`. */
  close(): Promise<void>;
}

/** How long a closing connection may take to say goodbye, in ms. */
const goodbyeMs = 1_000;

/**
 * Connects on first use and again after a loss. A statement that has no answer `timeoutMs` after it was asked for fails, whether it
 * waited for its turn or for PostgreSQL; then the connection goes with it. Callers inside a transaction of the pool may use it: were
 * it the pool's too, as many of them as it has connections would wait for each other for ever.
 */
export function openLane(database: Pick<Database, "connect">, timeoutMs: number): Lane {
  let connecting: Promise<pg.Client> | null = null;
  let isClosed = false;
  /** Settles, never rejecting, when the statement asked for last is done with the connection. */
  let last: Promise<unknown> = Promise.resolve();

  return {
    async query(statement) {
      if (isClosed) throw sessionProblems.unavailable(new Error("The connection was closed."));
      const { text, values } = compile(statement);
      const deadline = timer(timeoutMs);
      // A client of pg takes one statement at a time: who hands it a second one is warned now and refused from pg 9 on.
      const mine = last.then(() => run(text, values as unknown[], deadline));
      last = mine.catch(() => {});
      try {
        const { rows } = await Promise.race([mine, deadline.passed]);
        return rows;
      } catch (error) {
        if (isAnswer(error)) throw error;
        throw sessionProblems.unavailable(error);
      } finally {
        deadline.cancel();
      }
    },
    async close() {
      isClosed = true;
      const deadline = timer(goodbyeMs);
      await Promise.race([last, deadline.passed]).catch(() => {});
      const client = await Promise.race([connecting, deadline.passed]).catch(() => null);
      connecting = null;
      if (client) await Promise.race([client.end(), deadline.passed]).catch(() => cut(client));
      deadline.cancel();
    },
  };

  /** One statement in its turn. Whose time is over leaves it to the next. */
  async function run(text: string, values: unknown[], deadline: Timer): Promise<pg.QueryResult> {
    if (deadline.isOver()) return deadline.passed;
    const attempt = connected();
    try {
      const client = await Promise.race([attempt, deadline.passed]);
      return await Promise.race([client.query(text, values), deadline.passed]);
    } catch (error) {
      // With a SQLSTATE it is PostgreSQL's answer, and the connection lives.
      if (!isAnswer(error)) drop(attempt);
      throw error;
    }
  }

  function connected(): Promise<pg.Client> {
    if (connecting === null) {
      const attempt = database.connect().then((client) => {
        // A loss is emitted besides rejecting what is under way; unheard it would end the process (threat X09).
        client.on("error", () => forget(attempt));
        client.on("end", () => forget(attempt));
        return client;
      });
      attempt.catch(() => forget(attempt));
      connecting = attempt;
    }
    return connecting;
  }

  function forget(attempt: Promise<pg.Client>): void {
    if (connecting === attempt) connecting = null;
  }

  function drop(attempt: Promise<pg.Client>): void {
    forget(attempt);
    void attempt.then(cut, () => {});
  }
}

interface Timer {
  readonly passed: Promise<never>;
  /** Whether the time has passed. */
  isOver(): boolean;
  cancel(): void;
}

function timer(ms: number): Timer {
  let handle: NodeJS.Timeout | undefined;
  let isOver = false;
  const passed = new Promise<never>((_, reject) => {
    handle = setTimeout(() => {
      isOver = true;
      reject(new Error(`No answer within ${ms} ms.`));
    }, ms);
  });
  passed.catch(() => {});
  return { passed, isOver: () => isOver, cancel: () => clearTimeout(handle) };
}

/** Class 08 and 57P are PostgreSQL on its way out or in. */
function isAnswer(error: unknown): boolean {
  const { code, severity } = error as { readonly code?: string; readonly severity?: string };
  return severity !== undefined && code !== undefined && !/^(?:08|57P)/.test(code);
}
