import { comesBefore, type Line, type Waiting } from "./line.ts";

/** Which jobs to claim: of each handler at most so many, and of all. */
export interface Wants {
  readonly names: readonly string[];
  readonly wants: readonly number[];
  readonly total: number;
}

/** What has not begun within so long is given back, in ms. */
const waitingMaxMs = 1_000;

/** The lines of all handlers of a node. */
export class Lines {
  readonly #lines = new Map<string, Line>();

  get size(): number {
    return this.#lines.size;
  }

  /** Jobs claimed and not begun. */
  get length(): number {
    let count = 0;
    for (const line of this.#lines.values()) count += line.length;
    return count;
  }

  get names(): readonly string[] {
    return [...this.#lines.keys()];
  }

  add(line: Line): void {
    const { name } = line.handler;
    if (this.#lines.has(name)) throw new Error(`Jobs named "${name}" have a handler already.`);
    this.#lines.set(name, line);
  }

  get(name: string): Line | undefined {
    return this.#lines.get(name);
  }

  /** @returns whether it was there */
  delete(line: Line): boolean {
    const { name } = line.handler;
    return this.#lines.get(name) === line && this.#lines.delete(name);
  }

  /** @param room places that this node has left @param aheadMax jobs besides those, at most */
  wants(room: number, aheadMax: number): Wants {
    const [names, wants]: [string[], number[]] = [[], []];
    let total = 0;
    let most = aheadMax - this.length;
    for (const line of this.#lines.values()) {
      const wanted = line.wants(room);
      if (wanted <= 0) continue;
      names.push(line.handler.name);
      wants.push(wanted);
      total += wanted;
      most += room * line.size;
    }
    return { names, wants, total: Math.max(0, Math.min(total, most)) };
  }

  /** The line whose first job is the next of those that have room. */
  next(): Line | null {
    let next: Line | null = null;
    for (const line of this.#lines.values()) {
      const { first } = line;
      if (first === undefined || !line.hasRoom) continue;
      if (next === null || comesBefore(first, next.first!)) next = line;
    }
    return next;
  }

  measure(elapsedMs: number): void {
    for (const line of this.#lines.values()) line.measure(elapsedMs);
  }

  /** Of a job that was cancelled. */
  remove(id: string): void {
    for (const line of this.#lines.values()) line.remove(id);
  }

  /** Takes out all. */
  giveBack(): readonly Waiting[] {
    return [...this.#lines.values()].flatMap((line) => line.giveBack());
  }

  /** Takes out what has waited here for too long: others may have it. */
  giveBackOld(nowMs: number): readonly Waiting[] {
    return [...this.#lines.values()].flatMap((line) => {
      const isOld = line.first !== undefined && line.first.claimedAtMs < nowMs - waitingMaxMs;
      return isOld ? line.giveBack(nowMs - waitingMaxMs) : [];
    });
  }

  /** When the next job will have waited for too long. */
  get oldAtMs(): number {
    const times = [...this.#lines.values()].map(({ first }) => first?.claimedAtMs ?? Number.POSITIVE_INFINITY);
    return Math.min(...times) + waitingMaxMs + 1;
  }

  *ids(): Generator<string> {
    for (const line of this.#lines.values()) for (const { job } of line) yield job.id;
  }
}
