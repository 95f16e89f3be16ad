import type { Batch, LogEntry, Lsn } from "../../../kernel/change.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { ChangeLog, Following } from "../../changes/types.ts";
import type { Database } from "../../postgres/database.ts";
import type { Snapshot } from "../snapshot.ts";
import { type PublishedState, publicationStore } from "./publication-store.ts";
import { publish, writersOver } from "./publish.ts";

export interface FollowedTablesNeeds {
  readonly database: Database;
  readonly log: Pick<ChangeLog, "follow" | "between" | "position">;
  readonly report: (message: string) => void;
}

/** Where the log had come to for some tables when something was asked of them. */
export interface Stamp {
  readonly era: number;
  /** Every table's changes were followed. */
  readonly isFollowed: boolean;
  /** By table, how often it had been changed. */
  readonly versions: readonly number[];
}

interface Table {
  state: "unknown" | "starting" | "followed" | "unfollowable";
  /** How many transactions have changed it. */
  version: number;
  /** The latest of them, the last one being number `version`. */
  xids: number[];
}

/** In place of a table's number: whatever is in the log. Known for as long as the log is read, but never followed. */
export const anything = -1;
/** After everything that will ever be in the log. */
const end: Lsn = 0xffff_ffff_ffff_ffffn;
/** Transactions of one table that are remembered: enough for those that are not visible yet. */
const rememberedXids = 256;
/** The log is read for so long after tables were last asked for, in ms. */
const restAfterMs = 60_000;
/** What could not be followed for a passing reason is tried again after so long, in ms. */
const retryMs = 5_000;

/**
 * Which tables have been changed by whom, so that what was asked of them can be kept for as long as it holds.
 *
 * An answer must never be older than the row it is used for: somebody's membership ends, then a message is written, and they must not see it.
 * The argument, for an answer that is kept with the snapshot it was given under:
 *
 * 1. Before an answer is used, all that the log has is looked through, the row's own entry included (`stamp`). So whatever has committed
 *    before the row is known here, if the table is followed.
 * 2. It is used when every transaction that is known to have changed one of its tables is visible in its snapshot. The log may show a
 *    transaction before others see what it did: then the answer is asked for again until it is seen.
 * 3. A table is followed once it is in a publication that we read, our reading has begun, and all who had written to it by then are
 *    over: those alone could have changed it without our hearing. Only what is asked afterwards is kept.
 * 4. Of a transaction that comes in parts, the end may change what its beginning is judged by: with its first part it counts as having
 *    changed every table.
 * 5. What changes tables without a trace in the log (a schema change, a gap) begins another era: nothing of before is kept.
 */
export class FollowedTables {
  readonly #needs: FollowedTablesNeeds;
  readonly #tables = new Map<number, Table>();
  /** By the relation that changes are announced under. */
  readonly #watched = new Map<number, Set<Table>>();
  #era = 0;
  #following: Promise<Following> | null = null;
  #isFollowing = false;
  #cursor: Lsn = 0n;
  /** Entries at the cursor's place that have been looked at: those of one transaction share their place. */
  #done = new Set<LogEntry>();
  #starting: Promise<void> = Promise.resolve();
  #retryAtMs = 0;
  #neededAtMs = 0;
  #isClosed = false;

  constructor(needs: FollowedTablesNeeds) {
    this.#needs = needs;
  }

  /** Sees to it that the log is read, and that they are followed, some time. */
  ensure(oids: readonly number[]): void {
    this.#neededAtMs = performance.now();
    if (this.#isClosed || performance.now() < this.#retryAtMs) return;
    const open = oids.filter((oid) => this.#table(oid).state === "unknown");
    if (open.length === 0 && this.#following !== null) return;
    for (const oid of open) this.#table(oid).state = "starting";
    this.#starting = this.#starting.then(() => this.#start(open, this.#era));
  }

  /** Looks through all that the log has by now. */
  stamp(oids: readonly number[]): Stamp {
    this.#catchUp();
    const tables = oids.map((oid) => this.#table(oid));
    const isFollowed = tables.every(({ state }) => state === "followed");
    return { era: this.#era, isFollowed, versions: tables.map(({ version }) => version) };
  }

  /** Whether what was asked at `asked`, under this snapshot, is not older than what is known at `now`. */
  holds(oids: readonly number[], asked: Stamp, now: Stamp, snapshot: Snapshot): boolean {
    if (!asked.isFollowed || !now.isFollowed || asked.era !== now.era || now.era !== this.#era) return false;
    return oids.every((oid, at) => this.#sees(oid, asked.versions[at]!, now.versions[at]!, snapshot));
  }

  /** Whether a snapshot sees all that was known at `asked` to have changed them. */
  isSeen(oids: readonly number[], asked: Stamp, snapshot: Snapshot): boolean {
    return oids.every((oid, at) => {
      const { version, xids } = this.#table(oid);
      return this.#sees(oid, version - xids.length, asked.versions[at]!, snapshot);
    });
  }

  /** Something may have changed without a trace in the log. */
  beginEra(): void {
    this.#era++;
    this.#tables.clear();
    this.#watched.clear();
  }

  /** The schema has changed: what was put into the log may not be fit for it any more. Never rejects. */
  async tidy(): Promise<void> {
    if (!this.#isFollowing || this.#isClosed) return;
    const { database, report } = this.#needs;
    try {
      for (const name of await publicationStore.removeUnfit(database)) {
        report(
          `Changes of ${name} are not followed for policies any more: it has no replica identity, or columns are left out.`,
        );
      }
    } catch (error) {
      report(`Whether all tables that are followed for policies are fit for it could not be seen: ${reasonOf(error)}`);
    }
  }

  /** Nobody holds what follows from tables. When nobody has asked for any for a while either, the log need not be read. */
  rest(): void {
    if (!this.#isFollowing || performance.now() - this.#neededAtMs < restAfterMs) return;
    void this.#following?.then((following) => following.stop());
    this.#following = null;
    this.#isFollowing = false;
    this.beginEra();
  }

  /** Does not wait for what is under way: while PostgreSQL is away, that may be long. */
  close(): void {
    this.#isClosed = true;
    if (this.#isFollowing) void this.#following?.then((following) => following.stop());
    this.#isFollowing = false;
  }

  #table(oid: number): Table {
    let table = this.#tables.get(oid);
    if (table === undefined) {
      table = { state: "unknown", version: 0, xids: [] };
      this.#tables.set(oid, table);
    }
    return table;
  }

  #sees(oid: number, from: number, to: number, snapshot: Snapshot): boolean {
    if (from === to) return true;
    const { version, xids } = this.#table(oid);
    const first = version - xids.length;
    if (from < first) return false;
    return xids.slice(from - first, to - first).every((xid) => snapshot.sees(xid));
  }

  #catchUp(): void {
    if (!this.#isFollowing) return;
    const entries = this.#needs.log.between(this.#cursor, end);
    if (entries === null) {
      this.beginEra();
      this.#cursor = this.#needs.log.position();
      this.#done.clear();
      return;
    }
    for (const entry of entries) {
      if (this.#done.has(entry)) continue;
      if (entry.kind === "batch") this.#take(entry);
      const next = entry.kind === "batch" && !entry.isLast ? entry.lsn : entry.endLsn;
      if (next > this.#cursor) {
        this.#cursor = next;
        this.#done.clear();
      }
      if (entry.lsn >= this.#cursor) this.#done.add(entry);
    }
  }

  #take({ changes, xid, first, isLast }: Batch): void {
    note(this.#table(anything), xid);
    if (!isLast && first === 0) {
      for (const table of this.#tables.values()) note(table, xid);
      return;
    }
    let last: unknown = null;
    for (const { relation } of changes) {
      if (relation === last) continue;
      last = relation;
      for (const table of this.#watched.get(relation.oid) ?? []) note(table, xid);
    }
  }

  async #start(oids: readonly number[], era: number): Promise<void> {
    if (this.#isClosed || era !== this.#era) return;
    const { database } = this.#needs;
    try {
      await this.#follow();
      const states = await publish(this.#needs, oids);
      if (era !== this.#era) return;
      for (const state of states) if (state.isFollowed) this.#watch(state);
      await writersOver(
        database,
        states.flatMap(({ parts }) => parts),
        () => this.#isClosed,
      );
      if (era !== this.#era) return;
      for (const { oid, isFollowed } of states) this.#table(oid).state = isFollowed ? "followed" : "unfollowable";
      // One that is not there any more.
      for (const oid of oids) if (this.#table(oid).state === "starting") this.#table(oid).state = "unfollowable";
    } catch (error) {
      if (era === this.#era) for (const oid of oids) this.#table(oid).state = "unknown";
      this.#retryAtMs = performance.now() + retryMs;
      if (!this.#isClosed) {
        this.#needs.report(
          `What policies look up cannot be kept for now, so that PostgreSQL is asked each time: ${reasonOf(error)}`,
        );
      }
    }
  }

  #follow(): Promise<Following> {
    this.#following ??= this.#needs.log
      .follow({
        name: "policies",
        // So that nothing leaves the log's memory unseen.
        onEntry: () => this.#catchUp(),
        onGap: () => this.beginEra(),
      })
      .then(
        (following) => {
          this.#cursor = this.#needs.log.position();
          if (this.#isClosed) following.stop();
          else this.#isFollowing = true;
          return following;
        },
        (error: unknown) => {
          this.#following = null;
          throw error;
        },
      );
    return this.#following;
  }

  #watch({ oid, parts }: PublishedState): void {
    const table = this.#table(oid);
    for (const part of parts) this.#watched.set(part, (this.#watched.get(part) ?? new Set()).add(table));
  }
}

function note(table: Table, xid: number): void {
  if (table.xids.at(-1) === xid) return;
  table.version++;
  table.xids.push(xid);
  if (table.xids.length > rememberedXids) table.xids.shift();
}
