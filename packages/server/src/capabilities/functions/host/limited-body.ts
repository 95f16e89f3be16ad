/** A body that breaks off when it becomes longer than it may. */
export class LimitedBody implements AsyncIterableIterator<Buffer> {
  readonly #source: AsyncIterableIterator<Buffer>;
  readonly #limitBytes: number;
  #bytes = 0;

  constructor(source: AsyncIterableIterator<Buffer>, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    const step = await this.#source.next();
    if (step.done === true) return step;
    this.#bytes += step.value.length;
    if (this.#bytes <= this.#limitBytes) return step;
    await this.return();
    throw new Error(`An answer was longer than ${this.#limitBytes} bytes.`);
  }

  async return(): Promise<IteratorResult<Buffer>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }
}
