import { reasonOf } from "../../../kernel/reason.ts";
import { askingFor } from "../../../platform/changes/filters/asking.ts";
import { FilterError, parseFilter } from "../../../platform/changes/filters/filter.ts";
import { loadPublished } from "../../../platform/changes/filters/store.ts";
import { publicationStoreOf } from "../../../platform/changes/publication-store.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import { compileFilter } from "./compiled-table.ts";
import { filtersAs, readersPublication } from "./reader.ts";
import { changeStore } from "./store.ts";
import type { ChangeHandler, Missed } from "./types.ts";

export interface KeeperNeeds {
  readonly db: Database;
  readonly session: Session;
  /** This node's id: handlers it has dropped itself go at once. */
  readonly node: string;
  readonly settings: {
    readonly functionsForgetHandlersMs: number;
    readonly functionsFilterTimeoutMs: number;
    readonly functionsKeepGapsMs: number;
  };
  readonly onMissed: (missed: Missed) => void;
}

/** Something about a handler that its author should know. */
export interface HandlerTrouble {
  readonly handler: string;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly hint: string | null;
}

const publication = publicationStoreOf(readersPublication);

/**
 * Keeps in the database what this node's functions want to be told of, and in the publication exactly the tables that any node wants.
 * What a node with other code wants is left alone until nobody has wanted it for `functionsForgetHandlersMs`: in a rolling update old and new
 * run side by side, and a server that was restarted finds what happened meanwhile.
 */
export class Keeper {
  readonly #needs: KeeperNeeds;
  #wanted: readonly ChangeHandler[] = [];
  /** They have not been written yet. */
  #isNew = false;

  constructor(needs: KeeperNeeds) {
    this.#needs = needs;
  }

  get wanted(): readonly ChangeHandler[] {
    return this.#wanted;
  }

  /** From now on this node wants these. They count with the next `write`. */
  put(handlers: readonly ChangeHandler[]): void {
    this.#wanted = handlers;
    this.#isNew = true;
  }

  /** Says in the database what this node wants, or still wants. Rejects as the database does. */
  async write(): Promise<void> {
    const { db, node, settings } = this.#needs;
    const isNew = this.#isNew;
    const wanted = this.#wanted;
    const names = wanted.map(({ name }) => name);
    await db.transaction(async (tx) => {
      await changeStore.lock(tx);
      const before = await changeStore.print(tx);
      if (isNew || (await changeStore.keep(tx, names)) < names.length) {
        await changeStore.put(tx, wanted, node);
        await changeStore.drop(tx, node, names);
      }
      await changeStore.forget(tx, settings.functionsForgetHandlersMs);
      if ((await changeStore.print(tx)) !== before) await changeStore.changed(tx);
    });
    if (wanted === this.#wanted) this.#isNew = false;
    await changeStore.sweepGaps(db, settings.functionsKeepGapsMs);
  }

  /**
   * Makes the publication what handlers want; what cannot be, `troubles` tells of. Rejects as the database does.
   * @returns whether all that could be done is done: a table may be in use for a while
   */
  async publish(): Promise<boolean> {
    const { db } = this.#needs;
    const unfit = await publication.removeUnfit(db);
    const handlers = unfit.length === 0 ? [] : await changeStore.handlers(db);
    const blind = handlers.filter(({ schema, table }) => unfit.includes(`${schema}.${table}`)).map(({ name }) => name);
    if (blind.length > 0) {
      const detail = `${unfit.join(", ")}: no primary key any more, or a publication with some of its columns or rows`;
      const missed = { handlers: blind, reason: "unpublished", detail, upTo: null } as const;
      await changeStore.miss(db, missed);
      this.#needs.onMissed(missed);
    }
    const tables = (await changeStore.wanted(db)).filter(({ schema }) => schema !== ownSchema);
    const oids = tables.flatMap(({ oid }) => (oid === null ? [] : [oid]));
    let isDone = true;
    const failed = (error: unknown) => {
      if (sqlStateOf(error) === lockNotAvailable) isDone = false;
    };
    for (const state of oids.length === 0 ? [] : await publication.look(db, oids)) {
      if (state.isOwn || state.obstacle !== null) continue;
      // Another node may have been faster, or it is not ours to do: what is there afterwards counts.
      await publication.add(db, state).catch(failed);
    }
    for (const table of await changeStore.unwanted(db)) {
      // Whoever wants it from now on waits for this, and finds it gone.
      const remove = db.transaction(async (tx) => {
        await changeStore.lock(tx);
        const unwanted = await changeStore.unwanted(tx);
        if (unwanted.some(({ schema, name }) => schema === table.schema && name === table.name)) {
          await publication.remove(tx, table);
        }
      });
      await remove.catch(failed);
    }
    return isDone;
  }

  /** Why handlers of this node are not told of changes, or of others than their authors think. */
  async troubles(): Promise<readonly HandlerTrouble[]> {
    if (this.#wanted.length === 0) return [];
    const { db, session, settings } = this.#needs;
    const level = await changeStore.walLevel(db);
    if (level !== "logical") {
      return this.#wanted.map(({ name }) =>
        trouble(name, "error", `Changes cannot be followed: wal_level is ${level}.`, walLevelHint),
      );
    }
    if (!(await changeStore.isEnrolled(db))) {
      const message = "Changes are not followed yet: the server that reads the log does not know of functions.";
      return this.#wanted.map(({ name }) => trouble(name, "warning", message, "Start all servers with this version."));
    }
    const tables = new Map((await changeStore.wanted(db)).map((one) => [`${one.schema}.${one.name}`, one]));
    const oids = [...tables.values()].flatMap(({ oid }) => (oid === null ? [] : [oid]));
    const states = new Map((await publication.look(db, oids)).map((state) => [state.oid, state]));
    const published = await loadPublished(db, readersPublication);
    const asking = askingFor(session, filtersAs, settings.functionsFilterTimeoutMs);
    const found: HandlerTrouble[] = [];
    for (const handler of this.#wanted) {
      const name = `${handler.schema}.${handler.table}`;
      const oid = tables.get(name)?.oid ?? null;
      const state = oid === null ? undefined : states.get(oid);
      const because = (message: string, hint: string | null = null, severity: "error" | "warning" = "error") =>
        found.push(trouble(handler.name, severity, message, hint));
      if (handler.schema === ownSchema) because(`Tables of the schema ${ownSchema} are the server's own.`);
      else if (state === undefined)
        because(
          `There is no table ${name} yet.`,
          "Make it with a migration: what is committed in it afterwards is told of.",
          "warning",
        );
      else if (!state.isOwn && state.obstacle !== null)
        because(`${name} cannot be followed: ${state.obstacle}.`, obstacleHint(state.obstacle));
      else if (!state.isOwn)
        because(
          `${name} could not be added to the publication ${readersPublication}.`,
          `As its owner: alter publication ${readersPublication} add table ${name};`,
        );
      else {
        if (handler.columns !== null && !(await changeStore.hasFullIdentity(db, state.oid)))
          because(
            `PostgreSQL does not say which columns of ${name} an update changes: all updates are told of.`,
            `alter table ${name} replica identity full;`,
            "warning",
          );
        // The columns of a partitioned table are those of any part of it.
        const table = published.get(handler.schema, handler.table);
        try {
          if (table === null) parseFilter(handler.filter, "&");
          else await compileFilter(handler, table, asking);
        } catch (error) {
          if (!(error instanceof FilterError)) throw error;
          because(`The filter of "${handler.name}" cannot be used: ${reasonOf(error)}`);
        }
      }
    }
    return found;
  }
}

const ownSchema = "mainstay";
/** SQLSTATE: somebody else has had the table for too long. */
const lockNotAvailable = "55P03";
const walLevelHint =
  "Set wal_level = logical (managed services: their switch for logical replication) and restart PostgreSQL.";

const obstacleHint = (obstacle: string): string | null =>
  /primary key/.test(obstacle) ? "Give it a primary key, or: alter table … replica identity full;" : null;

const trouble = (
  handler: string,
  severity: HandlerTrouble["severity"],
  message: string,
  hint: string | null,
): HandlerTrouble => ({ handler, severity, message, hint });
