import pg from "pg";
import { compile, type SQL } from "pg-sql2";
import { finishRow, type Parameter, type Prepared, readRow, textOf } from "./prepared.ts";
import { sessionProblems } from "./session/problems.ts";
import type { Session } from "./session/types.ts";
import { sqlStateOf } from "./sql-state.ts";
import { StatementNames } from "./statement-names.ts";

/**
 * The ordinary way to PostgreSQL, for everything that is not the hot path: sign-in, migrations, catalogue, admin.
 * Statements are `sql` values only, so that nothing untagged reaches the server. Runs as the server's own role: a store that
 * acts for a caller says so with `as`.
 */
export interface Queryable {
  /** Rejects with pg's DatabaseError, or with a Problem `postgres/unavailable` when there is no answer. */
  query<R extends object = Record<string, unknown>>(statement: SQL): Promise<readonly R[]>;
  /** As `query`, for what is asked all the time. Rejects with either client's DatabaseError. */
  execute<R extends object, A extends Readonly<Record<string, Parameter>>>(
    statement: Prepared<A>,
    values: A,
  ): Promise<readonly R[]>;
}

export interface TransactionOptions {
  /** Close the connection afterwards: for work whose catalogue caches nobody else needs, and which PostgreSQL keeps per connection. */
  readonly closesConnection?: boolean;
}

export interface Database extends Queryable {
  /** Runs `work` in one transaction on one connection; commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** A client of its own, outside the pool, for LISTEN, advisory locks and replication. The caller ends it. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

// `timestamptz` and friends stay text: what PostgreSQL printed is what the wire wants, and Date would lose microseconds.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    const isTime = oid === 1082 || oid === 1114 || oid === 1184;
    return isTime ? (value: string) => value : pg.types.getTypeParser(oid, format as "text");
  }) as typeof pg.types.getTypeParser,
};

/** Without a SQLSTATE it never was PostgreSQL's answer; class 08 and these codes are PostgreSQL on its way out or in. */
function isAway(error: unknown): boolean {
  const { code, severity } = error as { code?: string; severity?: string };
  if (severity === undefined) return error instanceof Error;
  return code !== undefined && (code.startsWith("08") || ["57P01", "57P02", "57P03", "53300"].includes(code));
}

export interface DatabaseOptions {
  /** Takes what is executed outside a transaction: many statements in flight on a few connections. Closed with the pool. */
  readonly hot?: Session | null;
  /** False behind a pooler in transaction mode. */
  readonly preparesStatements?: boolean;
}

/**
 * Opens a pool on `config`; nothing is connected until the first query.
 */
export function openDatabase(
  config: pg.PoolConfig,
  { hot = null, preparesStatements = true }: DatabaseOptions = {},
): Database {
  const names = preparesStatements ? new StatementNames() : null;
  const queryable = (target: pg.Pool | pg.PoolClient): Queryable => ({
    query(statement) {
      const { text, values } = compile(statement);
      return run(target, names, text, values as unknown[]);
    },
    async execute<R extends object, A extends Readonly<Record<string, Parameter>>>(
      { text, columns, order }: Prepared<A>,
      values: A,
    ): Promise<readonly R[]> {
      const parameters = order.map((name) => textOf(values[name]!));
      if (hot === null || target !== pool) {
        const rows = await run<Record<string, unknown>>(target, names, text, parameters);
        return rows.map((row) => finishRow<R>(columns, row));
      }
      const statement = { text, values: parameters };
      const flight = { role: "", prologue: [], statement, lane: "write", isRetryable: false } as const;
      return (await hot.fly(flight)).rows.map((row) => readRow<R>(columns, row));
    },
  });
  const pool = new pg.Pool({
    max: 8,
    idleTimeoutMillis: 10_000,
    connectionTimeoutMillis: 10_000,
    types,
    // What we ask often is asked by key: one plan serves all values, and making another costs more than the statement.
    ...(preparesStatements ? { onConnect: (client) => client.query("set plan_cache_mode = force_generic_plan") } : {}),
    ...config,
  });
  // An idle client that loses its connection emits here; the pool replaces it on the next use.
  pool.on("error", () => {});
  return {
    ...queryable(pool),
    async transaction(work, { closesConnection = false } = {}) {
      const client = await pool.connect().catch((error: unknown) => {
        throw sessionProblems.unavailable(error);
      });
      let isBroken = false;
      // A lost connection rejects the query and is emitted besides; the pool listens only while the client is idle, and
      // an event nobody hears would end the process (threat X09).
      const lost = () => {
        isBroken = true;
      };
      client.on("error", lost);
      try {
        await control(client, "begin");
        const result = await work(queryable(client));
        await control(client, "commit");
        return result;
      } catch (error) {
        await client.query("rollback").catch(() => {
          isBroken = true;
        });
        throw error;
      } finally {
        client.off("error", lost);
        client.release(isBroken || closesConnection);
      }
    },
    async connect() {
      const client = new pg.Client({ ...config, types } as pg.ClientConfig);
      await client.connect();
      return client;
    },
    async close() {
      await hot?.close();
      await pool.end();
    },
  };
}

async function control(client: pg.PoolClient, command: "begin" | "commit"): Promise<void> {
  await client.query(command).catch((error: unknown) => {
    throw isAway(error) ? sessionProblems.unavailable(error) : error;
  });
}

async function run<R extends object>(
  target: pg.Pool | pg.PoolClient,
  names: StatementNames | null,
  text: string,
  values: unknown[],
): Promise<readonly R[]> {
  const name = values.length === 0 ? undefined : names?.of(text);
  const query = name === undefined ? { text, values } : { name, text, values };
  try {
    return (await target.query<R & pg.QueryResultRow>(query)).rows;
  } catch (error) {
    if (name !== undefined && sqlStateOf(error) === "0A000") names?.giveUp(text);
    throw isAway(error) ? sessionProblems.unavailable(error) : error;
  }
}
