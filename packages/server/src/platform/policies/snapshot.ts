/** What a statement has seen, as `pg_current_snapshot()` prints it: `xmin:xmax:xid,xid`. Immutable. */
export class Snapshot {
  readonly #xmax: bigint;
  readonly #running: ReadonlySet<bigint>;
  /** All before it are over. */
  readonly xmin: bigint;

  /** https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS @throws RangeError */
  constructor(text: string) {
    const match = /^(\d+):(\d+):([\d,]*)$/.exec(text);
    if (match === null) throw new RangeError("What was given as a snapshot is none.");
    this.xmin = BigInt(match[1]!);
    this.#xmax = BigInt(match[2]!);
    this.#running = new Set(match[3]! === "" ? [] : match[3]!.split(",").map(BigInt));
  }

  /** Whether what a transaction that has committed did was seen. @param xid as in the log, without its epoch */
  sees(xid: number): boolean {
    const full = this.#widen(xid);
    return full < this.#xmax && !this.#running.has(full);
  }

  /** Whether everybody will see it. */
  isPast(xid: number): boolean {
    return this.#widen(xid) < this.xmin;
  }

  /** Numbers of transactions come round after 2³²: the one that is meant is the nearest. */
  #widen(xid: number): bigint {
    const near = (this.#xmax & ~0xffff_ffffn) | BigInt(xid);
    if (near - this.#xmax > 0x8000_0000n) return near - 0x1_0000_0000n;
    return this.#xmax - near > 0x8000_0000n ? near + 0x1_0000_0000n : near;
  }
}
