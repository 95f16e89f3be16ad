import { setTimeout as after } from "node:timers/promises";
import pg from "pg";

/** Somebody with SQL who does not give up: what it has written is there, whatever happened to the database meanwhile. */
export class Ledger {
  readonly #url: string;
  readonly #id: number;
  #client: pg.Client | null = null;

  /** @param id of this writer, for what it writes */
  constructor(url: string, id = 0) {
    this.#url = url;
    this.#id = id;
  }

  /** One transaction; again until it has committed. To have been written before is no failure: that was the lost answer. */
  write(numbers: readonly number[]): Promise<void> {
    return this.run(
      "insert into public.ledger (n, writer) select n, $2 from unnest($1::bigint[]) n on conflict do nothing",
      [numbers, this.#id],
    ).then(() => {});
  }

  /** A statement that may be run twice. */
  async run(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    for (let tries = 1; ; tries++) {
      try {
        const client = await this.#connected();
        return (await client.query(text, [...values])).rows;
      } catch (error) {
        if (!isAway(error) || tries > 1_000) throw error;
        await this.close();
        await after(20);
      }
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== null) return this.#client;
    const client = new pg.Client({ connectionString: this.#url });
    client.on("error", () => {});
    await client.connect();
    this.#client = client;
    return client;
  }
}

/** A database that is not there, on its way, or going (SQLSTATE classes 08 and 57), rather than one that says no. */
function isAway(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string };
  return /^(08|57)|^E[A-Z]+$/.test(code ?? "") || /connection|ended|not queryable/i.test(message);
}

/** What PostgreSQL itself says has committed, in that order, decoded by its own plugin: the truth to compare with. */
export class Truth {
  readonly #sql: Ledger;
  readonly #slot = `truth_${process.pid}_${Math.trunc(performance.now())}`;

  constructor(sql: Ledger) {
    this.#sql = sql;
  }

  async begin(): Promise<void> {
    await this.#sql.run("select pg_create_logical_replication_slot($1, 'test_decoding')", [this.#slot]);
  }

  /** Numbers in the ledger in the order of commits, since `begin`. */
  async end(): Promise<number[]> {
    const rows = await this.#sql.run("select data from pg_logical_slot_get_changes($1, null, null)", [this.#slot]);
    await this.#sql.run("select pg_drop_replication_slot($1)", [this.#slot]);
    return rows.flatMap(({ data }) => {
      const found = /^table public\.ledger: INSERT: n\[bigint\]:(\d+)/.exec(String(data));
      return found === null ? [] : [Number(found[1])];
    });
  }
}
