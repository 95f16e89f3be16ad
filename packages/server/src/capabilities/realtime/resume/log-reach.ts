import { setTimeout as after } from "node:timers/promises";
import type { Lsn } from "../../../kernel/change.ts";
import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Replayer } from "../types.ts";

/** Written where the log is asked to come as far as it is written: it tells readers of the log nothing. */
const nudgePrefix = "mainstay.resume";
/** How soon it is looked again, in ms. */
const lookMs = 5;

export interface LogReachNeeds {
  readonly log: Pick<ChangeLog, "position" | "emit">;
  readonly replayers: readonly Replayer[];
  /** Where the log is written to. */
  readonly currentPosition: () => Promise<Lsn>;
  readonly timeoutMs: number;
}

/**
 * How far the log is written, once all of it has been read here. Those who ask while one look is under way are answered by the next, together:
 * what had committed before they asked is before what they are told.
 */
export class LogReach {
  readonly #needs: LogReachNeeds;
  #running: Promise<Lsn> | null = null;
  #next: Promise<Lsn> | null = null;

  constructor(needs: LogReachNeeds) {
    this.#needs = needs;
  }

  /** Rejects when that takes too long, or the database is away. */
  now(): Promise<Lsn> {
    if (this.#running === null) {
      const running = this.#look().finally(() => {
        this.#running = null;
      });
      this.#running = running;
      return running;
    }
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.now();
      });
    return this.#next;
  }

  async #look(): Promise<Lsn> {
    const { log, replayers, currentPosition, timeoutMs } = this.#needs;
    // Broadcasts are on channels before they are in the log.
    await Promise.all(replayers.map((replayer) => replayer.settled?.()));
    const target = await currentPosition();
    const isThere = (): boolean =>
      log.position() >= target && replayers.every(({ position }) => position() === 0n || position() >= target);
    if (isThere()) return target;
    // A log in which nothing more happens would say where it is only with its next heartbeat.
    await log.emit(nudgePrefix, Buffer.alloc(0), { isUrgent: true });
    for (const untilMs = performance.now() + timeoutMs; !isThere(); await after(lookMs)) {
      if (performance.now() > untilMs) throw new Error("The log has not been read to its end in time");
    }
    return target;
  }
}
