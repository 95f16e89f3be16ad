import { type Kept, sizeOf } from "./kept.ts";

/** Answers in memory, the least lately used of which go when there are too many bytes. */
export class AnswerMemory {
  readonly #limitBytes: number;
  readonly #entries = new Map<string, Kept>();
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(key: string): Kept | null {
    const kept = this.#entries.get(key);
    if (kept === undefined) return null;
    this.#entries.delete(key);
    this.#entries.set(key, kept);
    return kept;
  }

  set(key: string, kept: Kept): void {
    this.delete(key);
    const sizeBytes = sizeOf(kept);
    if (sizeBytes > this.#limitBytes) return;
    this.#entries.set(key, kept);
    this.#sizeBytes += sizeBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#sizeBytes <= this.#limitBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const kept = this.#entries.get(key);
    if (kept === undefined) return;
    this.#entries.delete(key);
    this.#sizeBytes -= sizeOf(kept);
  }
}
