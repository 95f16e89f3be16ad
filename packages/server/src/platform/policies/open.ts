import { setTimeout as sleep } from "node:timers/promises";
import type { ChangedRelation } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";
import { reasonOf } from "../../kernel/reason.ts";
import type { Values } from "../../kernel/settings.ts";
import type { ChangeLog } from "../changes/types.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import type { Session } from "../postgres/session/types.ts";
import { Asker } from "./asker.ts";
import { claimsKey } from "./claims-key.ts";
import { RemoteClock } from "./clock.ts";
import { Group } from "./group.ts";
import { RulesReader } from "./rules/reader.ts";
import { rulesStore } from "./rules/store.ts";
import { FollowedTables } from "./sets/followed-tables.ts";
import { type GroupSets, groupSets } from "./sets/group-sets.ts";
import type { KeptSetNeeds } from "./sets/kept-set.ts";
import { SetMemory } from "./sets/set-memory.ts";
import type { policiesSettings } from "./settings.ts";
import type { Policies, ViewerGroup } from "./types.ts";

export interface PoliciesNeeds {
  readonly database: Database;
  /** For what is asked as a caller. */
  readonly session: Session;
  readonly log: ChangeLog;
  readonly settings: Values<typeof policiesSettings>;
  readonly observe: Observe;
}

export interface PoliciesStats {
  /** Statements that asked PostgreSQL as a caller, since the start. */
  readonly questions: number;
  /** Groups that somebody holds, as far as is known. */
  readonly groups: number;
  /** Times that rows were not seen because they could not be judged. */
  readonly unjudged: number;
}

export interface OpenPolicies extends Policies {
  stats(): PoliciesStats;
}

/** Waits between attempts to read the rules, in ms: the first, and the longest. */
const [retryFirstMs, retryMaxMs] = [2, 2_000];
/** One and the same complaint is repeated after so long, in ms. */
const repeatMs = 60_000;

/** Nothing is read until a table is prepared. The caller closes it, before the log, the session and the database. */
export async function openPolicies(needs: PoliciesNeeds): Promise<OpenPolicies> {
  return new Engine(needs);
}

const noSets: GroupSets = { contents: () => [] };

class Engine implements OpenPolicies {
  readonly #needs: PoliciesNeeds;
  readonly #reader: RulesReader;
  readonly #asker: Asker;
  readonly #clock: RemoteClock;
  readonly #tables: FollowedTables;
  readonly #setNeeds: KeptSetNeeds;
  readonly #listeners = new Set<() => void>();
  readonly #stopSchema: () => void;
  readonly #poll: NodeJS.Timeout;
  readonly #shapes = new WeakMap<ChangedRelation, string>();
  readonly #reported = new Map<string, number>();
  /** Told when nobody holds a group any more. */
  readonly #gone = new FinalizationRegistry<string>((key) => {
    this.#held--;
    if (this.#groups.get(key)?.deref() === undefined) this.#groups.delete(key);
  });
  #groups = new Map<string, WeakRef<Group>>();
  #held = 0;
  #unjudged = 0;
  #isLooking = false;
  #isRetrying = false;
  #isClosed = false;

  constructor(needs: PoliciesNeeds) {
    const { database, session, log, settings } = needs;
    this.#needs = needs;
    this.#reader = new RulesReader({ database, parserIdleMs: settings.policyParserIdleMs });
    this.#asker = new Asker({ session, settings });
    this.#clock = new RemoteClock(2 * settings.policiesPollMs + settings.policyTimeoutMs);
    this.#tables = new FollowedTables({ database, log, report: (message) => this.#warnOnce(message) });
    this.#setNeeds = {
      asker: this.#asker,
      tables: this.#tables,
      memory: new SetMemory(settings.policySetsRows),
      limitRows: settings.policySetLimitRows,
      patienceMs: settings.policyTimeoutMs,
    };
    this.#stopSchema = log.onSchemaChange((xid) => this.#schemaChanged(xid));
    this.#poll = setInterval(() => {
      if (this.#held > 0) void this.#look();
      else this.#tables.rest();
    }, settings.policiesPollMs).unref();
  }

  async prepare(relations: readonly Pick<ChangedRelation, "oid">[]): Promise<void> {
    const oids = relations.map(({ oid }) => oid).filter((oid) => !this.#reader.isPrepared(oid));
    if (oids.length > 0 && (await this.#reader.read(oids))) this.#changed();
  }

  groupOf(relation: ChangedRelation, who: Principal): ViewerGroup {
    if (!this.#reader.isPrepared(relation.oid)) this.#learn(relation.oid);
    // It may have been made since the last look.
    else if (!this.#reader.rules.knows(who.role)) void this.#look();
    const reading = this.#reader.rules.readingOf(relation.oid, who);
    const claims = reading.secured === null ? "" : claimsKey(reading.secured.reach.claims, who);
    const key = `${this.#shapeOf(relation)} ${JSON.stringify([who.role, claims])}`;
    const known = this.#groups.get(key)?.deref();
    if (known !== undefined) return known;
    if (reading.secured !== null) this.#tables.ensure([]);
    const group = new Group({
      key,
      relation,
      reading,
      who,
      asker: this.#asker,
      sets: reading.secured === null ? noSets : groupSets(reading.secured, who, this.#setNeeds),
      tables: this.#tables,
      patienceMs: this.#needs.settings.policyTimeoutMs,
      now: () => this.#clock.now(),
      report: (why) => this.#report(relation, who.role, why),
    });
    this.#groups.set(key, new WeakRef(group));
    this.#gone.register(group, key);
    // Nobody has looked while nobody held anything.
    if (this.#held++ === 0) void this.#look();
    return group;
  }

  followTables(oids: readonly number[]): void {
    this.#tables.ensure(oids);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stats(): PoliciesStats {
    return { questions: this.#asker.asked, groups: this.#held, unjudged: this.#unjudged };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#poll);
    this.#stopSchema();
    this.#asker.close();
    this.#listeners.clear();
    this.#tables.close();
    await this.#reader.close();
  }

  /** The log waits for it: what comes next must be judged by the rules it was written under, or newer ones. */
  async #schemaChanged(xid: number | null): Promise<void> {
    if (!this.#reader.hasTables) return;
    if (xid !== null) this.#reader.mustSee(xid);
    const { policyRetryMs } = this.#needs.settings;
    const since = performance.now();
    for (let waitMs = retryFirstMs; !this.#isClosed; waitMs = Math.min(2 * waitMs, retryMaxMs)) {
      try {
        const isChanged = await this.#reader.read([]);
        // A table may be another without a trace of it in its rows, and it may be in the log or not any more.
        this.#tables.beginEra();
        void this.#tables.tidy();
        if (isChanged) this.#changed();
        return;
      } catch (error) {
        if (performance.now() - since + waitMs > policyRetryMs) return this.#blind(error);
        await sleep(waitMs, undefined, { ref: false });
      }
    }
  }

  /** Nobody knows the rules any more, so nobody sees anything until they have been read. */
  #blind(error: unknown): void {
    this.#warn(`The rules of who sees which rows cannot be read, so that nobody sees any: ${reasonOf(error)}`);
    this.#reader.forget();
    this.#tables.beginEra();
    this.#changed();
    void this.#retry();
  }

  async #look(): Promise<void> {
    if (this.#isLooking || !this.#reader.hasTables || this.#isClosed) return;
    this.#isLooking = true;
    try {
      const beforeMs = performance.now();
      const { fingerprint, nowUs } = await rulesStore.look(this.#needs.database.background, this.#reader.oids);
      this.#clock.tell(BigInt(nowUs), beforeMs, performance.now());
      if (fingerprint !== this.#reader.fingerprint && (await this.#reader.read([]))) this.#changed();
    } catch {
      // While PostgreSQL is away nothing changes; the next look compares with what was before.
    } finally {
      this.#isLooking = false;
    }
  }

  /** Reads what somebody has asked about though nobody has prepared it. */
  #learn(oid: number): void {
    this.#reader.await(oid);
    void this.#retry();
  }

  async #retry(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    for (let waitMs = retryFirstMs; !this.#isClosed; waitMs = Math.min(2 * waitMs, retryMaxMs)) {
      try {
        const isChanged = await this.#reader.read([]);
        this.#isRetrying = false;
        if (isChanged) this.#changed();
        return;
      } catch {
        await sleep(waitMs, undefined, { ref: false });
      }
    }
  }

  /** Where the values of a row are: the same for all descriptions of a table that have the same columns. */
  #shapeOf(relation: ChangedRelation): string {
    let shape = this.#shapes.get(relation);
    if (shape === undefined) {
      shape = JSON.stringify([relation.oid, ...relation.columns.map(({ name }) => name)]);
      this.#shapes.set(relation, shape);
    }
    return shape;
  }

  #changed(): void {
    this.#groups = new Map();
    for (const listener of this.#listeners) listener();
  }

  #report({ schema, name }: ChangedRelation, role: string, why: string): void {
    this.#unjudged++;
    this.#warnOnce(`Changes of ${schema}.${name} are not seen by the role ${role}: ${why}`);
  }

  #warnOnce(message: string): void {
    const now = performance.now();
    const last = this.#reported.get(message);
    if (last !== undefined && now - last < repeatMs) return;
    if (this.#reported.size > 1_000) this.#reported.clear();
    this.#reported.set(message, now);
    this.#warn(message);
  }

  #warn(message: string): void {
    this.#needs.observe({ kind: "warning", area: "policies", message });
  }
}
