import pg from "pg";
import { sql } from "pg-sql2";
import type { Database } from "../database.ts";
import { pgConfigOf } from "../external/index.ts";
import type { ConnectionTarget } from "../session/index.ts";
import { sessionProblems } from "../session/problems.ts";
import type { Statement } from "../session/types.ts";
import { guestProblems } from "./problems.ts";
import { createRowReader } from "./rows.ts";
import { Guest, type GuestTransaction } from "./transaction.ts";

export { guestProblems } from "./problems.ts";
export type { JsonRow } from "./rows.ts";
export type { GuestTransaction } from "./transaction.ts";

export interface GuestLimits {
  /** Connections, and so transactions at once on this node. None is open while there is no work. */
  readonly connections: number;
  /** Longest wait for one of them. */
  readonly waitMs: number;
  /** Longest that a transaction may be open with nothing asked of it. */
  readonly idleMs: number;
  /** Longest statement, where its role says nothing else; 0 for no limit. */
  readonly statementMs: number;
  /** Most room that the rows of one statement take. */
  readonly rowsBytes: number;
}

/** Connections for transactions of an app's own code. To be closed. */
export interface Guests {
  /** @throws Problem `transaction/busy`, `postgres/unavailable` */
  begin(prologue: readonly Statement[]): Promise<GuestTransaction>;
  /** Rolls back what is open. */
  close(): Promise<void>;
}

/** @param needs.target the API's login. @param needs.database ends backends that go on though nobody waits for them */
export function openGuests(needs: {
  readonly target: ConnectionTarget;
  readonly database: Pick<Database, "query">;
  readonly limits: GuestLimits;
}): Guests {
  const { database, limits, target } = needs;
  const pool = new pg.Pool({
    ...pgConfigOf(target),
    max: limits.connections,
    idleTimeoutMillis: 10_000,
    connectionTimeoutMillis: limits.waitMs,
    statement_timeout: limits.statementMs,
    // Longer than our own clock, which explains itself: this one is for a node that is cut off.
    idle_in_transaction_session_timeout: limits.idleMs * 2,
    application_name: "mainstay functions",
  });
  pool.on("error", () => {});
  const open = new Set<Guest>();
  const readRows = createRowReader();

  return {
    async begin(prologue) {
      const client = await pool.connect().catch((error: unknown) => {
        const isFull = pool.totalCount >= limits.connections && open.size >= limits.connections;
        throw isFull ? guestProblems.busy(limits.waitMs, error) : sessionProblems.unavailable(error);
      });
      const guest: Guest = new Guest({
        client,
        limits,
        readRows,
        terminate: async (processId) => {
          await database.query(sql`select pg_terminate_backend(${sql.value(processId)}::int)`);
        },
        onReleased: () => open.delete(guest),
      });
      open.add(guest);
      try {
        await guest.begin(prologue);
        return guest;
      } catch (error) {
        await guest.rollback();
        throw error;
      }
    },
    async close() {
      await Promise.all([...open].map((guest) => guest.rollback("the server is stopping")));
      await pool.end();
    },
  };
}
