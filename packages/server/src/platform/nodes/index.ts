import { randomUUID } from "node:crypto";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import type { StopListening } from "../postgres/listener.ts";
import { Living } from "./living.ts";
import type { nodesSettings } from "./settings.ts";
import { nodesChannel, nodesStore } from "./store.ts";
import type { NodeChange, NodeKeys, NodeRegistry, OtherNode } from "./types.ts";

export { nodesSettings } from "./settings.ts";
export type { NodeChange, NodeKeys, NodeRegistry, Nodes, OtherNode } from "./types.ts";

export interface NodesNeeds {
  readonly database: Pick<Database, "query" | "background" | "listen">;
  readonly settings: Values<typeof nodesSettings>;
  readonly observe: Observe;
}

/** What is said of a node that has gone is kept for so long, to notice that keys were lost. In seconds. */
const keptSeconds = 30 * 86_400;
/** A node that is alone beats so many times more seldom: nobody is there to hear it, and who comes says so. */
const aloneBeats = 15;
/** News that come closer together are looked at together, in ms. */
const gatherMs = 20;

/**
 * Joins the nodes of this database. Rejects when the first look fails; later, while the database is away, everybody stays whoever
 * they were. The caller closes it.
 */
export async function openNodes(needs: NodesNeeds): Promise<NodeRegistry> {
  const registry = new Registry(needs);
  await registry.open();
  return registry;
}

class Registry implements NodeRegistry {
  readonly id = randomUUID();
  readonly #needs: NodesNeeds;
  readonly #living: Living;
  readonly #listeners = new Set<(change: NodeChange) => void>();
  #keysFingerprint = "";
  #timer: NodeJS.Timeout | null = null;
  /** The timer is for a beat out of turn. */
  #isHurried = false;
  /** Others are to look with the next beat: this node was alone, and may have looked dead to whoever came. */
  #owesNews = false;
  /** How long after the last beat the next was meant to come. */
  #expectedMs = 0;
  /** Settles, never rejecting, when the beat asked for last is done. */
  #last: Promise<void> = Promise.resolve();
  #stopListening: StopListening | null = null;
  #isClosed = false;

  constructor(needs: NodesNeeds) {
    this.#needs = needs;
    this.#living = new Living({ beatMs: needs.settings.nodeBeatMs, goneMs: needs.settings.nodeGoneMs });
  }

  async open(): Promise<void> {
    const { database } = this.#needs;
    // Before the first beat: who answers it is heard.
    this.#stopListening = await database.listen([nodesChannel], (id) => {
      if (id === null) this.#living.interrupt();
      if (id !== this.id) this.#hurry();
    });
    try {
      await nodesStore.sweep(database, keptSeconds);
      await this.#beat(database, true);
    } catch (error) {
      this.#isClosed = true;
      if (this.#timer !== null) clearTimeout(this.#timer);
      await this.#stopListening();
      throw error;
    }
  }

  others(): readonly OtherNode[] {
    return this.#living.others;
  }

  onChange(listener: (change: NodeChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async keysOfOthers(): Promise<readonly NodeKeys[]> {
    const rows = await nodesStore.keys(this.#needs.database, this.id);
    return rows.map((row) => ({
      fingerprint: row.fingerprint,
      isHere: !row.hasLeft && this.#living.isProbablyAlive(row),
    }));
  }

  announceKeys(fingerprint: string): Promise<void> {
    this.#keysFingerprint = fingerprint;
    return this.#beat(this.#needs.database, false);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#stopListening?.();
    await this.#last;
    await nodesStore.leave(this.#needs.database, this.id).catch(() => {});
  }

  /** A node has come or gone, or may have. */
  #hurry(): void {
    if (!this.#isHurried) this.#plan(gatherMs, true);
  }

  #plan(delayMs: number, isHurried: boolean): void {
    if (this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isHurried = isHurried;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#isHurried = false;
      // While the database is away nobody looks.
      this.#beat(this.#needs.database.background, false).catch(() => {});
    }, delayMs).unref();
  }

  /** One at a time: looks are to be taken in the order they were made. */
  #beat(db: Pick<Queryable, "query">, isNews: boolean): Promise<void> {
    const beat = this.#last
      .then(() => this.#beatOnce(db, isNews))
      .finally(() => {
        this.#expectedMs = this.#usualMs();
        if (!this.#isHurried) this.#plan(this.#expectedMs, false);
      });
    this.#last = beat.catch(() => {});
    return beat;
  }

  async #beatOnce(db: Pick<Queryable, "query">, isNews: boolean): Promise<void> {
    if (this.#isClosed) return;
    const { id } = this;
    const wasAlone = this.#isAlone();
    const patienceMs = this.#living.patienceMs + (wasAlone ? this.#usualMs() : 0);
    const tellsOthers = isNews || this.#owesNews;
    const beat = { id, keysFingerprint: this.#keysFingerprint, patienceMs, isNews: tellsOthers };
    const look = await nodesStore.beat(db, beat).catch((error: unknown) => {
      this.#living.interrupt();
      throw error;
    });
    if (this.#isClosed) return;
    this.#owesNews = false;
    const change = this.#living.take(look, this.#expectedMs);
    // What was just promised to others is not how often this node speaks from now on.
    if (this.#isAlone() !== wasAlone) {
      this.#owesNews = wasAlone;
      this.#hurry();
    }
    if (change.came.length === 0 && change.gone.length === 0) return;
    this.#needs.observe({ kind: "nodes.changed", ...change, others: this.others().length });
    for (const listener of [...this.#listeners]) listener(change);
  }

  #isAlone(): boolean {
    return this.others().length === 0;
  }

  #usualMs(): number {
    const { nodeBeatMs } = this.#needs.settings;
    return this.#isAlone() ? nodeBeatMs * aloneBeats : nodeBeatMs;
  }
}
