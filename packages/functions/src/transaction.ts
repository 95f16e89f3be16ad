import type { Jobs } from "./jobs.ts";
import type { Mails } from "./mail.ts";

/** One transaction in the database, on a connection of its own: keep it short. */
export interface Transaction {
  /**
   * Runs one statement: what stands in `${}` are parameters, never text. Objects and arrays of them go as JSON; rows come as PostgreSQL's JSON.
   * Rejects with an Error that has `code` (the SQLSTATE), `detail` and `hint`.
   */
  sql<Row = Record<string, unknown>>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]>;
  /** Jobs that are there when the transaction commits, and never were when it does not. */
  readonly jobs: Pick<Jobs, "enqueue">;
  /** Mails that leave once the transaction has committed, and never do when it has not. */
  readonly mail: Mails;
}
