/** Something that takes rows in memory, and can do without them. */
export interface Kept {
  readonly rows: number;
  forget(): void;
}

/** Bounds what all sets together keep in memory: the oldest goes first. */
export class SetMemory {
  readonly #limitRows: number;
  readonly #kept = new Set<Kept>();
  #rows = 0;

  constructor(limitRows: number) {
    this.#limitRows = limitRows;
  }

  get rows(): number {
    return this.#rows;
  }

  keep(one: Kept): void {
    this.#kept.add(one);
    this.#rows += cost(one);
    for (const oldest of this.#kept) {
      if (this.#rows <= this.#limitRows || oldest === one) break;
      this.release(oldest);
      oldest.forget();
    }
  }

  release(one: Kept): void {
    if (this.#kept.delete(one)) this.#rows -= cost(one);
  }
}

/** An empty one takes room, too. */
const cost = ({ rows }: Kept): number => rows + 1;
