import type { Connection } from "./connection.ts";
import type { Row, RowStream } from "./types.ts";

/** Rows held before the socket is paused, in bytes; PostgreSQL then waits in its own send. */
const HIGH_WATER_BYTES = 262_144;

/**
 * Between a connection that pushes rows and a caller that pulls them. Holds at most a socket read more than
 * `HIGH_WATER_BYTES`. Leaving early (`return`) calls `onAbandoned`.
 */
export class RowChannel {
  #rows: Row[] = [];
  #bytes = 0;
  #isPaused = false;
  #isEnded = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;
  readonly #connection: () => Connection | undefined;
  readonly #onAbandoned: () => void;

  constructor(connection: () => Connection | undefined, onAbandoned: () => void) {
    this.#connection = connection;
    this.#onAbandoned = onAbandoned;
  }

  onRow(row: Row): void {
    this.#rows.push(row);
    for (const field of row) this.#bytes += field?.length ?? 0;
    if (this.#bytes > HIGH_WATER_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#connection()?.pause();
    }
    this.#awaken();
  }

  end(): void {
    this.#isEnded = true;
    this.#awaken();
  }

  fail(error: unknown): void {
    this.#error = error ?? new Error("The statement failed.");
    this.#isEnded = true;
    this.#awaken();
  }

  /** Resolves when there is a row, or none will come. Throws what the statement failed with before its first row. */
  async ready(): Promise<void> {
    while (this.#rows.length === 0 && !this.#isEnded) await this.#change();
    if (this.#error !== null && this.#rows.length === 0) throw this.#error;
  }

  rows(): RowStream {
    const channel = this;
    return {
      async *[Symbol.asyncIterator]() {
        try {
          while (true) {
            await channel.ready();
            const batch = channel.#take();
            if (batch.length === 0) return;
            yield* batch;
          }
        } finally {
          channel.#leave();
        }
      },
    };
  }

  #take(): Row[] {
    const batch = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#connection()?.resume();
    }
    return batch;
  }

  #leave(): void {
    this.#take();
    if (!this.#isEnded) this.#onAbandoned();
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
