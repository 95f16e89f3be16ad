import type { Batch, ChangedRelation, LogEntry } from "../../../kernel/change.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { askConditions, askingFor } from "../../../platform/changes/filters/asking.ts";
import { FilterError } from "../../../platform/changes/filters/filter.ts";
import { loadPublished } from "../../../platform/changes/filters/store.ts";
import { fillUnchanged } from "../../../platform/changes/index.ts";
import type { DurableReader, GapReason } from "../../../platform/changes/types.ts";
import { becomeVisible } from "../../../platform/changes/visible.ts";
import { servicePrincipal } from "../../../platform/identity/service.ts";
import type { Jobs, NewJob } from "../../../platform/jobs/types.ts";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { type CompiledTable, compileFilter } from "./compiled-table.ts";
import { changeEvent, type RowChange, rowKey } from "./event.ts";
import { type Judged, judge, type Undecided } from "./judge.ts";
import { changeStore } from "./store.ts";
import { changeJobs, type Missed, readerName, type StoredHandler } from "./types.ts";

export interface ReaderNeeds {
  readonly db: Database;
  /** By which PostgreSQL is asked about filters that only it can decide. */
  readonly session: Session;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly settings: { readonly functionsFilterTimeoutMs: number; readonly jobsPayloadMaxBytes: number };
  /** Some handlers were not told of something; it is written down as well. */
  readonly onMissed: (missed: Missed) => void;
}

/** The only publication that handlers are served from. */
export const readersPublication = "mainstay_readers";

/** What an event has besides its rows, at most: names of a table, a number, a time. */
const headBytes = 1_000;
/** Put in by one statement. */
const jobsAtOnce = 500;

/** Whose rights filters are decided with. */
export const filtersAs = servicePrincipal();

/**
 * Turns changes into jobs, one for each handler that wants it, in the transaction that moves the cursor: each is put in exactly once.
 * Handlers are those of all nodes, by the database's word within the same transaction, so that one that has been added a moment ago, on
 * whatever node, misses nothing.
 */
export class ChangeReader implements DurableReader {
  readonly name = readerName;
  readonly #needs: ReaderNeeds;
  #revision: string | null = null;
  #handlers: readonly StoredHandler[] = [];
  #tables = new WeakMap<ChangedRelation, CompiledTable | null>();

  constructor(needs: ReaderNeeds) {
    this.#needs = needs;
  }

  async onEntries(entries: readonly LogEntry[], tx: Queryable): Promise<void> {
    const batches = entries.filter((entry) => entry.kind === "batch").filter(({ changes }) => changes.length > 0);
    if (batches.length === 0) return;
    const { revision, ending } = await changeStore.look(tx, [...new Set(batches.map(({ xid }) => xid))]);
    if (revision !== this.#revision) {
      this.#handlers = await changeStore.handlers(tx);
      this.#tables = new WeakMap();
      this.#revision = revision;
    }
    const jobs: NewJob[] = [];
    for (const batch of batches) {
      const own = await this.#jobsOf(batch, tx);
      // A handler that looks into the database must find there what it was told of.
      if (own.length > 0 && ending.includes(batch.xid)) await becomeVisible(this.#needs.db, batch.xid);
      jobs.push(...own);
    }
    for (let at = 0; at < jobs.length; at += jobsAtOnce) {
      await this.#needs.jobs.enqueue(tx, jobs.slice(at, at + jobsAtOnce));
    }
  }

  async onGap(reason: GapReason, tx: Queryable): Promise<void> {
    const { handlers, upTo } = await changeStore.behind(tx);
    if (handlers.length > 0) await this.#miss(tx, { handlers, reason, detail: null, upTo });
  }

  async #jobsOf(batch: Batch, tx: Queryable): Promise<readonly NewJob[]> {
    const tables = new Map<ChangedRelation, CompiledTable | null>();
    for (const { relation } of batch.changes) {
      if (!tables.has(relation)) tables.set(relation, await this.#table(relation, tx));
    }
    if (![...tables.values()].some((table) => table !== null)) return [];
    const { db, session, settings } = this.#needs;
    const missed: Undecided[] = [];
    const judged = await judge(batch, (relation) => tables.get(relation) ?? null, {
      fill: (changes) => fillUnchanged(db, batch.xid, changes),
      ask: (condition, values) =>
        askConditions(session, settings.functionsFilterTimeoutMs)(condition, filtersAs, values),
      onUndecided: (one) => missed.push(one),
    });
    for (const { handler, reason, detail } of missed) {
      await this.#miss(tx, { handlers: [handler], reason, detail, upTo: batch.endLsn });
    }
    return judged.map((one) => this.#jobOf(one, batch));
  }

  #jobOf({ change, at, handler, primaryKey }: Judged, batch: Batch): NewJob {
    const table = { schema: handler.schema, name: handler.table };
    return {
      name: `${changeJobs}${handler.name}`,
      payload: changeEvent(change, batch, at, table, this.#needs.settings.jobsPayloadMaxBytes - headBytes),
      orderKey: orderKeyOf(handler, change, primaryKey),
      ...(handler.maxAttempts === null ? {} : { maxAttempts: handler.maxAttempts }),
    };
  }

  async #table(relation: ChangedRelation, tx: Queryable): Promise<CompiledTable | null> {
    const known = this.#tables.get(relation);
    if (known !== undefined) return known;
    if (this.#handlers.length === 0) return null;
    const { names, primaryKey } = await changeStore.facts(tx, relation.oid);
    const wanting = this.#handlers.filter(({ schema, table }) =>
      // A table that is no more has no names; what was done to it before counts all the same.
      (names.length > 0 ? names : [`${relation.schema}.${relation.name}`]).includes(`${schema}.${table}`),
    );
    if (wanting.length === 0) {
      this.#tables.set(relation, null);
      return null;
    }
    const published = (await loadPublished(tx, readersPublication)).get(relation.schema, relation.name);
    // In the log for others only, or not ours any more; it may be again, without another word of PostgreSQL's.
    if (published === null) return null;
    const { session, settings } = this.#needs;
    const asking = askingFor(session, filtersAs, settings.functionsFilterTimeoutMs);
    const handlers: CompiledTable["handlers"][number][] = [];
    for (const handler of wanting) {
      try {
        handlers.push({ handler, conditions: await compileFilter(handler, published, asking) });
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        // Others do not wait for it.
        await this.#miss(tx, { handlers: [handler.name], reason: "filter", detail: reasonOf(error), upTo: null });
      }
    }
    const table = { relation, primaryKey, handlers };
    this.#tables.set(relation, table);
    return table;
  }

  async #miss(tx: Queryable, missed: Missed): Promise<void> {
    await changeStore.miss(tx, missed);
    this.#needs.onMissed(missed);
  }
}

const all = "*";

function orderKeyOf(handler: StoredHandler, change: RowChange, primaryKey: readonly string[]): string | null {
  if (handler.order === "none") return null;
  // Without a key rows cannot be told apart: then all wait for each other.
  return handler.order === "row" ? (rowKey(change, primaryKey) ?? all) : all;
}
