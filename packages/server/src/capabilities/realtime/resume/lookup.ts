import type { FoundChannel } from "./store.ts";

interface Asked {
  readonly resolve: (found: readonly FoundChannel[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Keys of one statement. */
const keysAtOnce = 1_000;

/** Looks channels up in the database: all joins that come while one statement is under way are looked up by the next. */
export class Lookup {
  readonly #find: (keys: readonly string[]) => Promise<readonly FoundChannel[]>;
  #waiting = new Map<string, Asked[]>();
  #isBusy = false;

  constructor(find: (keys: readonly string[]) => Promise<readonly FoundChannel[]>) {
    this.#find = find;
  }

  /** Rejects as the statement does. */
  of(key: string): Promise<readonly FoundChannel[]> {
    return new Promise((resolve, reject) => {
      const asked = this.#waiting.get(key);
      if (asked === undefined) this.#waiting.set(key, [{ resolve, reject }]);
      else asked.push({ resolve, reject });
      if (!this.#isBusy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    // Joins that came in the same read of a socket are asked about together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, keysAtOnce);
      for (const [key] of batch) this.#waiting.delete(key);
      try {
        const found = Map.groupBy(await this.#find(batch.map(([key]) => key)), ({ key }) => key);
        for (const [key, asked] of batch) for (const { resolve } of asked) resolve(found.get(key) ?? []);
      } catch (error) {
        for (const [, asked] of batch) for (const { reject } of asked) reject(error);
      }
    }
    this.#isBusy = false;
  }
}
