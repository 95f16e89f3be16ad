const firstRoom = 128;

/**
 * What is known by a number from 1 to 2³² − 1, where numbers grow and most are done with soon. Each stands where its lowest bits say. A `Map` would do the
 * same, and copies itself every few entries: what its discarded copies held would live until the heap is collected as a whole.
 */
export class Numbered<T> {
  size = 0;
  #numbers = new Uint32Array(firstRoom);
  #values: (T | undefined)[] = emptyOf(firstRoom);

  get(number: number): T | undefined {
    const at = number & (this.#numbers.length - 1);
    return this.#numbers[at] === number ? this.#values[at] : undefined;
  }

  /** The first number from this one on whose place is free: with such ones there is never more room than twice what is needed. */
  free(from: number): number {
    if (this.size * 2 >= this.#numbers.length) this.#grow();
    let number = from;
    while (this.#numbers[number & (this.#numbers.length - 1)] !== 0) number++;
    return number;
  }

  set(number: number, value: T): void {
    let at = number & (this.#numbers.length - 1);
    while (this.#numbers[at] !== 0 && this.#numbers[at] !== number) {
      this.#grow();
      at = number & (this.#numbers.length - 1);
    }
    if (this.#numbers[at] === 0) this.size++;
    this.#numbers[at] = number;
    this.#values[at] = value;
  }

  delete(number: number): void {
    const at = number & (this.#numbers.length - 1);
    if (this.#numbers[at] !== number) return;
    this.#numbers[at] = 0;
    this.#values[at] = undefined;
    this.size--;
  }

  clear(): void {
    this.#numbers = new Uint32Array(firstRoom);
    this.#values = emptyOf(firstRoom);
    this.size = 0;
  }

  /** By number. */
  values(): T[] {
    return [...this.#numbers]
      .filter((number) => number !== 0)
      .sort((a, b) => a - b)
      .map((number) => this.get(number)!);
  }

  #grow(): void {
    const numbers = this.#numbers;
    const values = this.#values;
    const room = numbers.length * 2;
    this.#numbers = new Uint32Array(room);
    this.#values = emptyOf(room);
    // Apart with fewer bits, and so with more.
    for (const [from, number] of numbers.entries()) {
      if (number === 0) continue;
      const at = number & (room - 1);
      this.#numbers[at] = number;
      this.#values[at] = values[from];
    }
  }
}

const emptyOf = <T>(room: number): (T | undefined)[] => new Array<T | undefined>(room).fill(undefined);
