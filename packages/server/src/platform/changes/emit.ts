import type { Queryable } from "../postgres/database.ts";
import { problems } from "./problems.ts";
import { changesStore } from "./store.ts";
import type { EmitOptions } from "./types.ts";

interface Waiting {
  readonly prefix: string;
  readonly content: Buffer;
  readonly isUrgent: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Most bytes and messages of one statement. */
const [flightBytes, flightMessages] = [1024 * 1024, 1_000];

export interface EmitterNeeds {
  readonly db: Pick<Queryable, "query">;
  readonly queueBytes: number;
  /** `server_version_num`, as soon as it is known. */
  readonly serverVersion: () => Promise<number>;
}

/**
 * Writes messages into the log, in the order given. One statement is on its way at a time; what is given meanwhile goes with the
 * next, so that a thousand messages cost a few statements. Nothing is tried twice: a rejected message may have been written.
 */
export class Emitter {
  readonly #needs: EmitterNeeds;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #isFlying = false;

  constructor(needs: EmitterNeeds) {
    this.#needs = needs;
  }

  emit(prefix: string, content: Buffer, { isUrgent = false }: EmitOptions = {}): Promise<void> {
    // The log is a C program's: its prefixes end with a NUL.
    if (prefix.includes("\0")) return Promise.reject(new RangeError("The prefix of a message has no NUL in it."));
    if (this.#bytes + content.length > this.#needs.queueBytes) return Promise.reject(problems.emitOverloaded());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ prefix, content, isUrgent, resolve, reject });
      this.#bytes += content.length;
      if (this.#isFlying) return;
      this.#isFlying = true;
      // What is given in the same turn travels together.
      queueMicrotask(() => void this.#flyAll());
    });
  }

  async #flyAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const flight = this.#nextFlight();
      try {
        await this.#fly(flight);
        for (const { resolve } of flight) resolve();
      } catch (error) {
        for (const { reject } of flight) reject(error);
      }
      for (const { content } of flight) this.#bytes -= content.length;
    }
    this.#isFlying = false;
  }

  #nextFlight(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { content } of this.#waiting) {
      bytes += content.length;
      if (count > 0 && (bytes > flightBytes || count >= flightMessages)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #fly(flight: readonly Waiting[]): Promise<void> {
    const messages = {
      prefixes: flight.map(({ prefix }) => prefix),
      content: Buffer.concat(flight.map(({ content }) => content)),
      lengths: flight.map(({ content }) => content.length),
    };
    const isUrgent = flight.some((one) => one.isUrgent);
    // Before PostgreSQL 17 the function cannot flush; a transaction that has something to commit does.
    const durability = !isUrgent ? "later" : (await this.#needs.serverVersion()) >= 170_000 ? "flushed" : "committed";
    await changesStore.emit(this.#needs.db, messages, durability);
  }
}
