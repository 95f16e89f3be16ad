import type { Look, NodeRow } from "./store.ts";
import type { NodeChange, OtherNode } from "./types.ts";

export interface LivingNeeds {
  readonly beatMs: number;
  readonly goneMs: number;
}

/** After so many beats in silence, a node whose connection is gone as well is taken for gone. */
const suspiciousBeats = 2.5;

/**
 * Who is alive, judged by what nodes have said and by how long we have been listening: while nobody could speak, nobody has died.
 * Pure but for what it remembers.
 */
export class Living {
  /** Longest silence of a node that knows of others. The look that notices comes up to a beat later. */
  readonly patienceMs: number;
  readonly #suspiciousMs: number;
  readonly #goneMs: number;
  #known = new Map<string, OtherNode>();
  /** When, by PostgreSQL's clock, an unbroken series of looks began. */
  #sinceMs: number | null = null;
  #lookedAtMs = 0;

  constructor({ beatMs, goneMs }: LivingNeeds) {
    this.#goneMs = Math.max(goneMs, 3 * beatMs);
    this.patienceMs = this.#goneMs - beatMs;
    this.#suspiciousMs = Math.min(suspiciousBeats * beatMs, this.patienceMs);
  }

  get others(): readonly OtherNode[] {
    return [...this.#known.values()];
  }

  /** @param expectedMs how long after the one before this look was meant to come */
  take({ nowMs, rows }: Look, expectedMs: number): NodeChange {
    const sinceLookMs = nowMs - this.#lookedAtMs;
    // The database was away, or we were, or the clock is another one: what was not heard meanwhile says nothing.
    if (this.#sinceMs === null || sinceLookMs < 0 || sinceLookMs > expectedMs + this.#goneMs / 2) this.#sinceMs = nowMs;
    this.#lookedAtMs = nowMs;
    const listenedMs = nowMs - this.#sinceMs;
    const living = new Map<string, OtherNode>();
    for (const row of rows)
      if (this.#isAlive(row, listenedMs)) living.set(row.id, this.#known.get(row.id) ?? { id: row.id });
    const before = this.#known;
    this.#known = living;
    return {
      came: [...living.values()].filter(({ id }) => !before.has(id)),
      gone: [...before.values()].filter(({ id }) => !living.has(id)),
    };
  }

  /** A look has failed, or a connection was lost: others may have had the same, and need a while to be heard again. */
  interrupt(): void {
    this.#sinceMs = null;
  }

  /** Of a node in a table that was just read for the first time. */
  isProbablyAlive(row: NodeRow): boolean {
    return this.#isAlive(row, 0);
  }

  #isAlive({ id, silentMs, patienceMs, isConnected }: NodeRow, listenedMs: number): boolean {
    // One that was alive has been silent only for as long as it could have been heard.
    const unheardMs = this.#known.has(id) ? Math.min(silentMs, listenedMs) : silentMs;
    if (unheardMs >= patienceMs) return false;
    if (!isConnected && unheardMs >= this.#suspiciousMs) return false;
    // It was alone when it spoke last, and promised little; but it was told of us, and has had time to answer.
    return silentMs <= listenedMs || listenedMs < this.patienceMs;
  }
}
