/**
 * A bounded map that forgets what was used longest ago. A `Map` keeps insertion order, so moving a key to the end on
 * every hit is the whole trick; on a hot path the move costs more than the look-up, so a key is only moved when it is
 * in the older half by our own count of writes.
 */
export class Lru<K, V> {
  readonly #capacity: number;
  readonly #entries = new Map<K, { value: V; stamp: number }>();
  #clock = 0;
  readonly #onEvict: ((key: K, value: V) => void) | undefined;

  constructor(capacity: number, onEvict?: (key: K, value: V) => void) {
    this.#capacity = capacity;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#clock - entry.stamp > this.#capacity >> 1) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    entry.stamp = ++this.#clock;
    return entry.value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, stamp: ++this.#clock });
    if (this.#entries.size > this.#capacity) {
      const [oldest, entry] = this.#entries.entries().next().value!;
      this.#entries.delete(oldest);
      this.#onEvict?.(oldest, entry.value);
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  /** Forgets every entry that `isUnwanted`. Looks at all of them. */
  deleteWhere(isUnwanted: (value: V) => boolean): void {
    for (const [key, { value }] of this.#entries) if (isUnwanted(value)) this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  values(): IterableIterator<V> {
    return this.#entries.values().map((entry) => entry.value);
  }
}
