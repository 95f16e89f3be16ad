import { setTimeout as delay } from "node:timers/promises";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../../postgres/database.ts";
import type { ConnectReplication, ReplicationConnection } from "../../postgres/replication.ts";
import { unavailableBecause } from "../problems.ts";
import { cursorStore, leaderLock } from "./store.ts";

export interface LeadershipNeeds {
  readonly database: Pick<Database, "background">;
  readonly connect: ConnectReplication;
  /** How often a node that does not lead looks whether anybody does. */
  readonly pollMs: number;
  readonly observe: Observe;
}

/**
 * One node of all reads: it holds a lock on the very connection it reads over, so that it cannot read on without it. A node that is
 * killed loses both at once.
 */
export class Leadership {
  readonly #needs: LeadershipNeeds;
  /** What was said last of why it cannot be had. */
  #reported: string | null = null;

  constructor(needs: LeadershipNeeds) {
    this.#needs = needs;
  }

  /** A connection that holds the lock, when no other does; `null` otherwise. Rejects as connecting does. */
  async take(): Promise<ReplicationConnection | null> {
    const connection = await this.#needs.connect();
    try {
      const [row] = await connection.query(`select pg_catalog.pg_try_advisory_lock(${leaderLock}) as mine`);
      if (row?.mine === "t") return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
    await connection.close();
    return null;
  }

  /** Waits for it, however long. Never rejects; `null` when the signal ends it. */
  async wait(signal: AbortSignal): Promise<ReplicationConnection | null> {
    while (!signal.aborted) {
      try {
        if (!(await cursorStore.isLed(this.#needs.database.background))) {
          const connection = await this.take();
          if (connection !== null && !signal.aborted) return connection;
          await connection?.close();
        }
        this.#reported = null;
      } catch (error) {
        // The database is away, or lets nobody stream: then nobody leads. It is asked again.
        this.#report(error);
      }
      await delay(this.#needs.pollMs, undefined, { signal, ref: false }).catch(() => {});
    }
    return null;
  }

  #report(error: unknown): void {
    const { message } = unavailableBecause(error) ?? (error instanceof Error ? error : new Error(String(error)));
    if (message === this.#reported) return;
    this.#reported = message;
    this.#needs.observe({ kind: "warning", area: "log", message: `Nobody reads for durable readers: ${message}` });
  }
}
