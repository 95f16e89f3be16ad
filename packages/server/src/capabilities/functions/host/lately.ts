import type { Task } from "./task.ts";

interface Ended {
  number: number;
  id: string;
  logLines: number;
}

/** How many invocations that are over are known still. */
const count = 64;

/** Invocations of a thread that are over, for lines that come later. Places are made once and written again: this is the way of every call. */
export class Lately {
  readonly #ended: Ended[] = [];

  add({ invocation: { id }, logLines, number }: Task): void {
    const ended = this.#ended[number % count];
    if (ended === undefined) {
      this.#ended[number % count] = { number, id, logLines };
      return;
    }
    ended.number = number;
    ended.id = id;
    ended.logLines = logLines;
  }

  /** `undefined`: nobody knows any more. */
  find(number: number): Ended | undefined {
    const ended = this.#ended[number % count];
    return ended?.number === number ? ended : undefined;
  }
}
