import type { Batch, LogEntry, Lsn } from "../../../kernel/change.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { askConditions, askingFor, isFiltersFault } from "../../../platform/changes/filters/asking.ts";
import { FilterError } from "../../../platform/changes/filters/filter.ts";
import type { PublishedTables } from "../../../platform/changes/filters/published.ts";
import { earlierOf } from "../../../platform/changes/lsn.ts";
import { fillUnchanged } from "../../../platform/changes/unchanged.ts";
import { AtMostEvery } from "../at-most-every.ts";
import type { RealtimeContext } from "../context.ts";
import { LogFollower } from "../log-follower.ts";
import { tellMissed } from "../resume/missed.ts";
import type { Channel } from "../types.ts";
import { within } from "../within.ts";
import { AskedFilters, isAsked } from "./asked-filters.ts";
import { parseBindings } from "./bindings.ts";
import type { JudgeNeeds } from "./judge.ts";
import { Lane } from "./lane.ts";
import { MissedRows } from "./missed-rows.ts";
import { isBeyond } from "./pipeline.ts";
import { type ResolvedBinding, resolveBindings } from "./resolve.ts";
import type { Entry } from "./table-index.ts";
import { TablesReader } from "./tables-reader.ts";
import { refuseUnlessOn, type Trouble, type Waiting, waitingFor } from "./waiting.ts";

const extension = "postgres_changes";
/** Between renewals for changes of the schema that change nothing here, in ms. */
const renewEveryMs = 1_000;
/** Batches that may wait for what PostgreSQL says of filters; beyond them, those who have such filters miss some. */
const askedWindow = 256;
/** What is lost is reported this often, in ms. */
const reportEveryMs = 10_000;

const unavailable: Trouble = {
  message: "Unable to subscribe to changes: the log of changes is not available. This is tried again by itself.",
  isPassing: true,
};

/** `postgres_changes`: who waits for which rows, and the way of rows to them. */
export class RowChanges {
  readonly #context: RealtimeContext;
  readonly #follower: LogFollower;
  /** Of those whose filters are decided in memory. */
  readonly #quick: Lane;
  /** Of those about whose filters PostgreSQL is asked: a filter that takes its time, or fails, is theirs alone (threats R12, B10). */
  readonly #asking: Lane;
  readonly #asked: AskedFilters;
  readonly #needs: JudgeNeeds;
  readonly #waiting = new Map<Channel, Waiting>();
  readonly #tables: TablesReader;
  /** Rules have changed while tables are being read again. */
  #haveRulesChanged = false;
  /** For a change of the schema that changes nothing here, as far as one can see. */
  readonly #renewals = new AtMostEvery(renewEveryMs, () => this.#renew());
  #stops: (() => void)[] = [];
  #retry: NodeJS.Timeout | null = null;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: RealtimeContext) {
    const { log, observe, policies, session, settings } = context;
    this.#context = context;
    this.#tables = new TablesReader({ ...context, report: (message) => this.#warn(message) });
    this.#asked = new AskedFilters({
      perSocket: settings.realtimeAskedFiltersPerSocket,
      total: settings.realtimeAskedFilters,
    });
    this.#needs = {
      fill: (changes, xid) => fillUnchanged(context.db, xid, changes),
      ask: askConditions(session, settings.realtimeFilterTimeoutMs),
      onUnanswered: (entries, error) => this.#unanswered(entries, error),
    };
    const common = {
      policies,
      judging: this.#needs,
      recordBytes: settings.realtimeRecordBytes,
      onLost: (channels: ReadonlySet<Channel>, error: unknown) => this.#lost(channels, error),
    };
    this.#quick = new Lane({ ...common, window: settings.realtimeBatchesInFlight, beyond: "waits" });
    this.#asking = new Lane({ ...common, window: askedWindow, beyond: "loses" });
    this.#follower = new LogFollower({
      log,
      observe,
      reader: {
        name: "row-changes",
        onEntry: (entry) => {
          const waiting = this.#quick.pipeline.take(entry);
          void this.#asking.pipeline.take(entry);
          return waiting;
        },
        onGap: () => this.#gap(),
      },
      onFollowing: () => this.#tryAgain(),
    });
  }

  start(): void {
    this.#stops = [
      this.#context.log.onSchemaChange(() => this.#schemaChanged()),
      this.#context.policies.onChange(() => this.#rulesChanged()),
    ];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#renewals.stop();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#follower.stop();
    this.#waiting.clear();
  }

  position(): Lsn {
    const position = this.#follower.position();
    return this.#lanes.reduce((least, { pipeline }) => earlierOf(least, pipeline.delivered ?? position), position);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#lanes.map(({ pipeline }) => pipeline.drained()));
  }

  get #lanes(): readonly Lane[] {
    return [this.#quick, this.#asking];
  }

  /**
   * Subscribes before the join is answered, because clients believe in their subscription once it is; but no longer than
   * `realtimeSubscribeWaitMs`, unless the client asks to be refused where it cannot have it.
   * @throws JoinRefusal, only when asked
   */
  async join(channel: Channel): Promise<Readonly<Record<string, unknown>>> {
    const { rowChanges } = channel.config;
    if (rowChanges.length === 0) return { postgres_changes: [] };
    const { realtimeBindingsPerChannel, realtimeFilterLength, realtimeSubscribeWaitMs, realtimeSubscribeWaitLimitMs } =
      this.#context.settings;
    const parsed = parseBindings(rowChanges, {
      bindings: realtimeBindingsPerChannel,
      filterLength: realtimeFilterLength,
    });
    const waiting = waitingFor(channel, parsed);
    this.#waiting.set(channel, waiting);
    const subscribing = this.#subscribe(waiting);
    const { rowChangesWaitMs } = channel.config;
    if (rowChangesWaitMs !== null) {
      await within(waiting.decided.promise, Math.min(rowChangesWaitMs, realtimeSubscribeWaitLimitMs));
      refuseUnlessOn(waiting);
    } else if (subscribing !== undefined) await within(subscribing, realtimeSubscribeWaitMs);
    return { postgres_changes: parsed.given };
  }

  joined(channel: Channel): void {
    const waiting = this.#waiting.get(channel);
    if (waiting === undefined) return;
    // It has what it missed.
    waiting.missed = null;
    if (waiting.pending === null) this.#report(waiting);
    else void waiting.pending.then(() => this.#report(waiting));
  }

  async identityChanged(channel: Channel): Promise<void> {
    const waiting = this.#waiting.get(channel);
    if (waiting === undefined) return;
    await this.#subscribe(waiting);
    this.#report(waiting);
  }

  left(channel: Channel): void {
    this.#waiting.get(channel)?.decided.resolve();
    if (!this.#waiting.delete(channel)) return;
    this.#asked.release(channel);
    for (const { subscriptions } of this.#lanes) subscriptions.remove(channel, 0)();
  }

  async ready(channel: Channel, timeoutMs: number): Promise<boolean> {
    const waiting = this.#waiting.get(channel);
    if (waiting === undefined) return true;
    await within(waiting.decided.promise, timeoutMs);
    // What is refused for good waits for no rows, and has missed none.
    return waiting.resolved !== null || waiting.trouble?.isPassing === false;
  }

  /** Judges what is before its subscription; what is after comes live. */
  async prepare(channel: Channel, entries: readonly LogEntry[]): Promise<void> {
    const waiting = this.#waiting.get(channel);
    const missed = this.#missedOf(waiting);
    if (waiting === undefined || missed === null) return;
    await missed.judge(missedBatches(waiting, entries));
  }

  /** What the channel would have got of these entries, had it been there. */
  async replay(channel: Channel, entries: Iterable<LogEntry>): Promise<void> {
    const waiting = this.#waiting.get(channel);
    const missed = this.#missedOf(waiting);
    if (waiting === undefined || missed === null) return;
    await missed.send(missedBatches(waiting, [...entries]), this.#context.settings.realtimeRecordBytes);
  }

  #missedOf(waiting: Waiting | undefined): MissedRows | null {
    if (waiting === undefined || waiting.resolved === null) return null;
    waiting.missed ??= new MissedRows(waiting.channel, waiting.resolved, this.#context.policies, this.#needs);
    return waiting.missed;
  }

  /** At once where nothing must be waited for. Never throws, never rejects: what is wrong is in `trouble` afterwards. */
  #subscribe(waiting: Waiting): Promise<void> | undefined {
    const attempt = ++waiting.attempt;
    const tables = this.#tables.now;
    if (this.#follower.isFollowing && tables !== null) {
      const settling = this.#settle(waiting, tables, attempt);
      if (settling === undefined) return undefined;
      return this.#pend(waiting, settling);
    }
    return this.#pend(waiting, this.#prepare(waiting, attempt));
  }

  #pend(waiting: Waiting, pending: Promise<void>): Promise<void> {
    const settled = pending.finally(() => {
      if (waiting.pending === settled) waiting.pending = null;
    });
    waiting.pending = settled;
    return settled;
  }

  async #prepare(waiting: Waiting, attempt: number): Promise<void> {
    await this.#follower.ensure();
    if (waiting.attempt !== attempt) return;
    if (!this.#follower.isFollowing) {
      waiting.trouble = unavailable;
      return;
    }
    await this.#tables.settled();
    if (waiting.attempt !== attempt) return;
    try {
      await this.#settle(waiting, await this.#tables.get(), attempt);
    } catch (error) {
      this.#fail(waiting, error);
    }
  }

  #settle(waiting: Waiting, tables: PublishedTables, attempt: number): Promise<void> | undefined {
    const { parsed, channel } = waiting;
    const { session, policies, settings } = this.#context;
    try {
      if (parsed.bindings === null) throw new FilterError(parsed.problem ?? "malformed bindings.");
      const asking = askingFor(session, channel.who, settings.realtimeFilterTimeoutMs);
      const resolving = resolveBindings(parsed.bindings, channel.who, { tables, policies, asking });
      if (!(resolving instanceof Promise)) {
        this.#activate(waiting, resolving, attempt);
        return undefined;
      }
      return resolving.then(
        (resolved) => this.#activate(waiting, resolved, attempt),
        (error: unknown) => this.#fail(waiting, error, attempt),
      );
    } catch (error) {
      this.#fail(waiting, error, attempt);
      return undefined;
    }
  }

  /** In place of what it was subscribed to so far: of the batches of the log, each is for one or for the other. */
  #activate(waiting: Waiting, resolved: readonly ResolvedBinding[], attempt: number): void {
    const { channel } = waiting;
    if (waiting.attempt !== attempt || !channel.isOpen || this.#waiting.get(channel) !== waiting) return;
    this.#deactivate(waiting);
    try {
      this.#asked.take(channel, resolved);
    } catch (error) {
      return this.#fail(waiting, error);
    }
    const lane = resolved.some(isAsked) ? this.#asking : this.#quick;
    waiting.since ??= {
      from: lane.pipeline.number + 1,
      mark: lane.pipeline.taken ?? { lsn: this.#follower.position(), first: -1 },
    };
    waiting.resolved = resolved;
    waiting.trouble = null;
    lane.subscriptions.add(channel, resolved, waiting.since.from);
    waiting.decided.resolve();
  }

  #deactivate(waiting: Waiting): void {
    waiting.missed = null;
    waiting.resolved = null;
    this.#asked.release(waiting.channel);
    for (const lane of this.#lanes) lane.remove(waiting.channel);
  }

  #fail(waiting: Waiting, error: unknown, attempt = waiting.attempt): void {
    if (waiting.attempt !== attempt) return;
    this.#deactivate(waiting);
    if (error instanceof FilterError) {
      waiting.trouble = {
        message: `Unable to subscribe to changes with given parameters: ${error.message}`,
        isPassing: false,
      };
      waiting.decided.resolve();
      return;
    }
    waiting.trouble = unavailable;
    this.#warn(`Row changes cannot be subscribed to: ${reasonOf(error)}`);
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#tryAgain();
    }, this.#context.settings.realtimeSubscribeRetryMs).unref();
  }

  #report({ channel, trouble, resolved }: Waiting): void {
    if (!channel.isOpen) return;
    if (trouble !== null) channel.system(extension, "error", trouble.message);
    else if (resolved !== null) channel.system(extension, "ok", "Subscribed to PostgreSQL");
  }

  /** For those who had trouble that may be over. */
  #tryAgain(): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.trouble?.isPassing !== true || waiting.pending !== null) continue;
      const subscribing = this.#subscribe(waiting) ?? Promise.resolve();
      void subscribing.then(() => waiting.trouble === null && this.#report(waiting));
    }
  }

  /** Awaited by the log before the first entry under the new schema. Never rejects. */
  async #schemaChanged(): Promise<void> {
    if (this.#waiting.size === 0) return this.#tables.forget();
    const isOther = await this.#tables.readAgain();
    if (isOther === null) return;
    const haveRulesChanged = this.#haveRulesChanged;
    this.#haveRulesChanged = false;
    if (isOther || haveRulesChanged) this.#renew();
    // Whoever may write into the log can announce changes without end, and to renew costs something for every subscriber.
    else this.#renewals.ask();
  }

  /** Rules of tables that are being read again are taken up with them: by what was before, everybody would be told of errors. */
  #rulesChanged(): void {
    if (this.#tables.isReading) this.#haveRulesChanged = true;
    else this.#renew();
  }

  /**
   * Everybody subscribes anew: tables, columns and rights are others now. At once, except where PostgreSQL must be asked about a filter;
   * those keep what they have for the moment that takes, judged by the new rules.
   */
  #renew(): void {
    const before = this.#lanes.map((lane) => lane.renew());
    for (const waiting of this.#waiting.values()) {
      const { channel, resolved, since, trouble } = waiting;
      for (const subscriptions of before) subscriptions.remove(channel, this.#quick.pipeline.number + 1);
      const subscribing = this.#subscribe(waiting);
      if (subscribing !== undefined && resolved !== null && since !== null) {
        const lane = resolved.some(isAsked) ? this.#asking : this.#quick;
        lane.subscriptions.add(channel, resolved, since.from);
      }
      const tell = () => {
        if (waiting.trouble?.message !== trouble?.message) this.#report(waiting);
      };
      if (subscribing === undefined) tell();
      else void subscribing.then(tell);
    }
  }

  #gap(): void {
    for (const { channel } of this.#waiting.values()) tellMissed(channel);
    void this.#schemaChanged();
  }

  #lost(channels: ReadonlySet<Channel>, error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#reportedAtMs >= reportEveryMs) {
      this.#reportedAtMs = nowMs;
      this.#warn(`Changes could not be judged, and who waits for them was told: ${reasonOf(error)}`);
    }
    for (const channel of channels) tellMissed(channel);
  }

  /** Of what a filter is to blame for, its channels are told that it cannot be; of anything else, that they have missed something. */
  #unanswered(entries: ReadonlySet<Entry>, error: unknown): void {
    const channels = new Set([...entries].flatMap(({ members }) => [...members.keys()]));
    if (!isFiltersFault(error)) return this.#lost(channels, error);
    for (const channel of channels) {
      const waiting = this.#waiting.get(channel);
      if (waiting === undefined) continue;
      this.#fail(waiting, new FilterError(`a filter takes too long to decide, or fails (${error.sqlstate}).`));
      this.#report(waiting);
    }
  }

  #warn(message: string): void {
    this.#context.observe({ kind: "warning", area: "realtime", message });
  }
}

/** Those that are before what comes to the channel live. */
function missedBatches({ since }: Waiting, entries: readonly LogEntry[]): readonly Batch[] {
  if (since === null) return [];
  return entries.filter((entry) => entry.kind === "batch").filter((batch) => !isBeyond(batch, since.mark));
}
