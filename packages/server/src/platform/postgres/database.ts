import pg from "pg";
import { compile, type SQL } from "pg-sql2";
import { Problem } from "../../kernel/problem.ts";
import type { Observe } from "../observe/observation.ts";
import { createListener, type OnNews, type StopListening } from "./listener.ts";
import { finishRow, type Parameter, type Prepared, readRow, textOf } from "./prepared.ts";
import { sessionProblems } from "./session/problems.ts";
import type { Session } from "./session/types.ts";
import { postgresSettings } from "./settings.ts";
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
  /**
   * Calls it once what was asked here has been committed; never when it is not, or when nobody knows. Must not throw. Where it is missing, all is
   * committed with its answer.
   */
  readonly onCommit?: (then: () => void) => void;
}

export interface TransactionOptions {
  /** Close the connection afterwards: for work whose catalogue caches nobody else needs, and which PostgreSQL keeps per connection. */
  readonly closesConnection?: boolean;
}

export interface Database extends Queryable {
  /** Runs `work` in one transaction on one connection; commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * For what is asked again and again though nothing happens, and takes a moment: over the connection that listens, where there is one,
   * so that a quiet server needs no other. What is not answered there within half a heartbeat is asked again over the pool: only for
   * statements that may run twice.
   */
  readonly background: Pick<Queryable, "query">;
  /**
   * For a short statement after a quiet time that somebody waits for: over the connection that listens, while nothing else is asked there.
   * That one is there and has its plans; a pool's would have to be opened first, which takes ten times as long. Asked once, whatever happens.
   */
  readonly warm: Pick<Queryable, "query">;
  /**
   * Tells of notifications, over one connection for all who listen. Resolves when everything that commits from then on is told;
   * while PostgreSQL is away, at once, and `null` is told when it is back.
   */
  listen(channels: readonly string[], onNews: OnNews): Promise<StopListening>;
  /** A client of its own, outside the pool, for advisory locks and replication. The caller ends it. */
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
  /** Whether the connection that listens still lives is asked after so long a silence, in ms. */
  readonly listenerHeartbeatMs?: number;
  /** Told when that connection is lost, and when it is back. */
  readonly observe?: Observe;
}

/** SQLSTATE query_canceled: by a statement timeout. */
const tookTooLong = "57014";
/** Longest wait for a connection, in ms. */
const connectTimeoutMs = 10_000;

/**
 * Opens a pool on `config`; nothing is connected until the first query.
 */
export function openDatabase(
  config: pg.PoolConfig,
  {
    hot = null,
    preparesStatements = true,
    listenerHeartbeatMs = postgresSettings.listenerHeartbeatMs.default,
    observe = () => {},
  }: DatabaseOptions = {},
): Database {
  const names = preparesStatements ? new StatementNames() : null;
  const queryable = (target: Target): Queryable => ({
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
    connectionTimeoutMillis: connectTimeoutMs,
    types,
    // What we ask often is asked by key: one plan serves all values, and making another costs more than the statement.
    ...(preparesStatements ? { onConnect: (client) => client.query("set plan_cache_mode = force_generic_plan") } : {}),
    ...config,
  });
  // An idle client that loses its connection emits here; the pool replaces it on the next use.
  pool.on("error", () => {});
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionTimeoutMillis: connectTimeoutMs, ...config, types } as pg.ClientConfig);
    await client.connect();
    return client;
  };
  const listener = createListener({
    connect,
    observe,
    heartbeatMs: listenerHeartbeatMs,
    // An answer in time then means that the connection lives, and silence that it does not.
    statementTimeoutMs: preparesStatements ? Math.ceil(listenerHeartbeatMs / 2) : null,
  });
  return {
    ...queryable(pool),
    background: {
      async query(statement) {
        const { connection } = listener;
        // Behind a pooler nothing bounds a statement there, and connections cost nothing.
        if (connection === null || !preparesStatements) return queryable(pool).query(statement);
        try {
          return await queryable(connection).query(statement);
        } catch (error) {
          if (!(error instanceof Problem) && sqlStateOf(error) !== tookTooLong) throw error;
          return queryable(pool).query(statement);
        }
      },
    },
    warm: {
      query(statement) {
        const { connection } = listener;
        const isFree = preparesStatements && connection !== null && !connection.isBusy;
        return queryable(isFree ? connection : pool).query(statement);
      },
    },
    listen: listener.listen,
    async transaction(work, { closesConnection = false } = {}) {
      const client = await pool.connect().catch((error: unknown) => {
        throw sessionProblems.unavailable(error);
      });
      let isBroken = false;
      const onCommitted: (() => void)[] = [];
      // A lost connection rejects the query and is emitted besides; the pool listens only while the client is idle, and
      // an event nobody hears would end the process (threat X09).
      const lost = () => {
        isBroken = true;
      };
      client.on("error", lost);
      try {
        await control(client, "begin");
        const onCommit = (then: () => void): void => void onCommitted.push(then);
        const result = await work({ ...queryable(client), onCommit });
        await control(client, "commit");
        for (const then of onCommitted) then();
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
    connect,
    async close() {
      await listener.close();
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

/** Whatever takes a statement of pg's. */
interface Target {
  query(statement: pg.QueryConfig): Promise<pg.QueryResult>;
}

async function run<R extends object>(
  target: Target,
  names: StatementNames | null,
  text: string,
  values: unknown[],
): Promise<readonly R[]> {
  const name = values.length === 0 ? undefined : names?.of(text);
  const query = name === undefined ? { text, values } : { name, text, values };
  try {
    return (await target.query(query)).rows as R[];
  } catch (error) {
    if (name !== undefined && sqlStateOf(error) === "0A000") names?.giveUp(text);
    throw isAway(error) ? sessionProblems.unavailable(error) : error;
  }
}
