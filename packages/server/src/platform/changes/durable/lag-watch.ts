import type { Observe } from "../../observe/observation.ts";
import type { ReaderLag } from "../types.ts";

/** Says once of a reader that it lags, and again only after it has come half the way back. */
export class LagWatch {
  readonly #tooMuchBytes: number;
  readonly #observe: Observe;
  readonly #lagging = new Set<string>();

  constructor({ tooMuchBytes, observe }: { readonly tooMuchBytes: number; readonly observe: Observe }) {
    this.#tooMuchBytes = tooMuchBytes;
    this.#observe = observe;
  }

  look(lags: readonly ReaderLag[]): void {
    for (const { name, lagBytes } of lags) {
      if (lagBytes < this.#tooMuchBytes / 2) this.#lagging.delete(name);
      if (lagBytes <= this.#tooMuchBytes || this.#lagging.has(name)) continue;
      this.#lagging.add(name);
      this.#observe({ kind: "log.lagging", reader: name, lagBytes });
    }
  }
}
