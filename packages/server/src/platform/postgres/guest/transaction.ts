import pg from "pg";
import { compile, type SQL } from "pg-sql2";
import { Problem } from "../../../kernel/problem.ts";
import { Turns } from "../../../kernel/turns.ts";
import { cut } from "../cut.ts";
import type { Queryable } from "../database.ts";
import { finishRow, type Parameter, type Prepared, textOf } from "../prepared.ts";
import { sessionProblems } from "../session/problems.ts";
import type { Statement } from "../session/types.ts";
import { sqlStateOf } from "../sql-state.ts";
import { transactionControlIn } from "./first-word.ts";
import { guestProblems } from "./problems.ts";
import type { JsonRow, TextRows } from "./rows.ts";

/** One transaction of an app's own code. To be ended by its owner, with `commit` or `rollback`. */
export interface GuestTransaction {
  /**
   * Runs one statement of the guest's. Parameters are in PostgreSQL's text format; rows come as `to_jsonb` has them, with numbers that JavaScript
   * cannot have exactly as text. Rejects with pg's DatabaseError, or a Problem `transaction/…` or `postgres/unavailable`.
   */
  query(text: string, values: readonly (string | null)[]): Promise<readonly JsonRow[]>;
  /** For what the server does in the same transaction: as the role `mainstay_jobs`, whatever the guest has become. */
  readonly server: Queryable;
  /** Rejects when it was not committed: then nothing of it is kept. */
  commit(): Promise<void>;
  /** Never rejects. Statements under way are cut off. */
  rollback(): Promise<void>;
}

export interface GuestNeeds {
  readonly client: pg.PoolClient;
  readonly limits: { readonly idleMs: number; readonly rowsBytes: number };
  readonly readRows: (result: TextRows, ask: Guest["raw"]) => Promise<readonly JsonRow[]>;
  /** Ends a backend that is still at work though nobody waits for it. */
  readonly terminate: (processId: number) => Promise<void>;
  /** Called once, when its connection is free again or gone. */
  onReleased(): void;
}

/** What the guest's own statements of the server run as. */
const serverRole = "mainstay_jobs";

const plainText: pg.CustomTypesConfig = {
  getTypeParser: (() => (value: string) => value) as typeof pg.types.getTypeParser,
};
/** As elsewhere: what PostgreSQL printed of a time is what is wanted. */
const timesAsText: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === 1082 || oid === 1114 || oid === 1184
      ? (value: string) => value
      : pg.types.getTypeParser(oid, format as "text")) as typeof pg.types.getTypeParser,
};

export class Guest implements GuestTransaction {
  readonly #needs: GuestNeeds;
  /** An aside is several statements that nothing may come between. */
  readonly #turns = new Turns(1);
  #over: string | null = null;
  #idle: NodeJS.Timeout | null = null;
  #isReleased = false;
  readonly #onCommitted: (() => void)[] = [];
  readonly #onLost = () => this.#end("its connection was lost", true);

  constructor(needs: GuestNeeds) {
    this.#needs = needs;
    // The pool listens only while a client is idle, and an event nobody hears would end the process (threat X09).
    needs.client.on("error", this.#onLost);
  }

  get isOver(): boolean {
    return this.#over !== null;
  }

  async begin(prologue: readonly Statement[]): Promise<void> {
    await this.#within(async () => {
      const { client } = this.#needs;
      await client.query("begin");
      for (const { text, values } of prologue) await client.query({ text, values: [...values] });
    });
  }

  query(text: string, values: readonly (string | null)[]): Promise<readonly JsonRow[]> {
    const control = transactionControlIn(text);
    if (control !== null) return Promise.reject(guestProblems.control(control));
    return this.#within(async () => {
      const rows = await this.#needs.readRows(await this.raw(text, values), (...ask) => this.raw(...ask));
      // What is no statement of its own may end it all the same: a procedure, or a word we do not know.
      if (this.#needs.client.getTransactionStatus() === "I") this.#end("a statement has ended it", true);
      if (this.#over !== null) throw guestProblems.over(this.#over);
      return rows;
    });
  }

  /** One statement, by the extended protocol: that takes no second one (SQLSTATE 42601). */
  raw = (text: string, values: readonly (string | null)[]): Promise<TextRows> => {
    const { client, limits } = this.#needs;
    return new Promise((resolve, reject) => {
      const rows: (readonly (string | null)[])[] = [];
      let sizeBytes = 0;
      const query = new pg.Query<(string | null)[]>({
        text,
        values: [...values],
        rowMode: "array",
        queryMode: "extended",
        types: plainText,
      } as pg.QueryArrayConfig);
      query.on("row", (row: unknown) => {
        const cells = row as readonly (string | null)[];
        for (const cell of cells) sizeBytes += (cell?.length ?? 0) + 8;
        if (sizeBytes <= limits.rowsBytes) rows.push(cells);
        else {
          rows.length = 0;
          reject(guestProblems.tooLarge(limits.rowsBytes));
          this.#end("its rows took too much room", true);
        }
      });
      query.on("end", (result: pg.QueryResult) => resolve({ fields: result.fields, rows }));
      query.on("error", (error: Error) => reject(this.#explain(error)));
      client.query(query);
    });
  };

  readonly server: Queryable = {
    onCommit: (then) => void this.#onCommitted.push(then),
    query: <R extends object>(statement: SQL) => {
      const { text, values } = compile(statement);
      return this.#aside<R>(text, values as unknown[]);
    },
    execute: async <R extends object, A extends Readonly<Record<string, Parameter>>>(
      { text, columns, order }: Prepared<A>,
      given: A,
    ): Promise<readonly R[]> => {
      const rows = await this.#aside<Record<string, unknown>>(
        text,
        order.map((name) => textOf(given[name]!)),
      );
      return rows.map((row) => finishRow<R>(columns, row));
    },
  };

  async commit(): Promise<void> {
    await this.#within(async () => {
      const { command } = await this.#needs.client.query("commit");
      // PostgreSQL answers a commit of a transaction that has failed with ROLLBACK.
      const why = command === "COMMIT" ? "it was committed" : "a statement had failed, so it was rolled back";
      this.#end(why, false);
      if (command !== "COMMIT") throw guestProblems.over(why);
      for (const then of this.#onCommitted) then();
    });
  }

  async rollback(why = "it was rolled back"): Promise<void> {
    if (this.#over !== null) return;
    const isBusy = this.#idle === null;
    if (isBusy) return this.#end(why, true);
    this.#over = why;
    this.#rest();
    const isDone = await this.#needs.client.query("rollback").then(
      () => true,
      () => false,
    );
    this.#release(!isDone);
  }

  #aside<R extends object>(text: string, values: unknown[]): Promise<readonly R[]> {
    return this.#within(async () => {
      const { client } = this.#needs;
      const [before] = (
        await client.query<{ role: string }>(
          `select pg_catalog.current_setting('role') as role, pg_catalog.set_config('role', '${serverRole}', true)`,
        )
      ).rows;
      const { rows } = await client.query<R>({ text, values, types: timesAsText });
      await client.query({ text: "select pg_catalog.set_config('role', $1, true)", values: [before!.role] });
      return rows;
    });
  }

  /** One at a time, in the order asked; between them the idle time runs. */
  #within<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      if (this.#over !== null) throw guestProblems.over(this.#over);
      this.#rest();
      try {
        return await work();
      } catch (error) {
        throw this.#explain(error);
      } finally {
        if (this.#over === null) this.#watch();
      }
    });
  }

  #watch(): void {
    const { idleMs } = this.#needs.limits;
    this.#idle = setTimeout(() => void this.rollback(`nothing was asked of it for ${idleMs} ms`), idleMs);
    this.#idle.unref();
  }

  #rest(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  /** Without a SQLSTATE it was never PostgreSQL's answer. */
  #explain(error: unknown): unknown {
    if (error instanceof Problem) return error;
    if (this.#over !== null) return guestProblems.over(this.#over);
    const state = sqlStateOf(error);
    if (state === null) return sessionProblems.unavailable(error);
    // Class 57P: the backend was ended; 25P03 and 25P04: by its own clock.
    if (state.startsWith("57P") || state === "25P03" || state === "25P04") this.#end("PostgreSQL has ended it", true);
    return error;
  }

  #end(why: string, isCut: boolean): void {
    if (this.#over !== null) return;
    this.#over = why;
    this.#rest();
    this.#release(isCut);
  }

  /** Gives the connection back clean, or closes it. */
  #release(isCut: boolean): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const { client, onReleased, terminate } = this.#needs;
    const done = (isBroken: boolean) => {
      client.off("error", this.#onLost);
      // Whatever is still said on it must be heard by somebody.
      if (isBroken) client.on("error", () => {});
      client.release(isBroken);
      onReleased();
    };
    if (isCut) {
      const { processID } = client as unknown as { readonly processID: number | null };
      cut(client as unknown as pg.Client);
      done(true);
      if (processID !== null) terminate(processID).catch(() => {});
      return;
    }
    clean(client).then(
      () => done(false),
      () => done(true),
    );
  }
}

/** Role, settings, temporary tables, locks, channels: whatever the guest has left there (threat B04). */
async function clean(client: pg.PoolClient): Promise<void> {
  if (client.getTransactionStatus() !== "I") throw new Error("The connection is in a transaction still.");
  await client.query("reset role");
  await client.query("discard all");
}
