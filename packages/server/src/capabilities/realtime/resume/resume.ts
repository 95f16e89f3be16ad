import { setTimeout as after } from "node:timers/promises";
import type { Lsn } from "../../../kernel/change.ts";
import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { Turns } from "../../../kernel/turns.ts";
import { earlierOf } from "../../../platform/changes/lsn.ts";
import type { RealtimeContext } from "../context.ts";
import type { Channel, Replayer } from "../types.ts";
import { type FirstJoin, FirstJoins, isFreshStart } from "./counting.ts";
import { Departures } from "./departures.ts";
import { isOneDevice } from "./key.ts";
import { LogReach } from "./log-reach.ts";
import { Lookup } from "./lookup.ts";
import { tellMissed } from "./missed.ts";
import { type Present, PresentChannels } from "./present.ts";
import { Recorder } from "./recorder.ts";
import { changesIn, replayEntries } from "./replay.ts";
import { type FoundChannel, type Kept, resumeStore } from "./store.ts";
import { type Candidate, type TakenUp, takeUp } from "./take-up.ts";

/** What a channel was that comes back. */
interface Own extends TakenUp {
  /** Too late to be sent what it missed. */
  readonly isLate: boolean;
}

const sweepMs = 30_000;
/** How soon a database that was away is asked again, in ms. */
const awayLookMs = 100;

const isAway = (error: unknown): boolean => error instanceof Problem && error.code === "postgres/unavailable";

/** Remembers where lost channels were, and sends those that come back what they missed. */
export class Resume {
  readonly #context: RealtimeContext;
  readonly #replayers: readonly Replayer[];
  readonly #present: PresentChannels;
  readonly #departures: Departures;
  readonly #firstJoins = new FirstJoins();
  readonly #recorder: Recorder;
  readonly #lookup: Lookup;
  readonly #reach: LogReach;
  readonly #turns: Turns;
  readonly #kept: Kept;
  readonly #timers: NodeJS.Timeout[] = [];
  #stopListening: () => void = () => {};
  /** Until then channels of other processes may come to this one. */
  #othersUntilMs: number;

  constructor(context: RealtimeContext, replayers: readonly Replayer[]) {
    const { db, settings, nodes } = context;
    this.#context = context;
    this.#replayers = replayers;
    this.#departures = new Departures(settings.realtimeResumeDepartures);
    this.#present = new PresentChannels(() => this.#position());
    this.#recorder = new Recorder({
      write: (written, gone, position) => resumeStore.write(db, nodes.id, written, gone, position),
      position: () => this.#present.leastArrived(),
      everyMs: settings.realtimeResumeWriteMs,
      limit: settings.realtimeResumeDepartures,
      onFailed: (error) => this.#warn(`Channels cannot be remembered in the database: ${reasonOf(error)}`),
    });
    const { realtimeResumeMs: resumeMs, realtimeResumeTellMs } = settings;
    this.#kept = { resumeMs, tellMs: Math.max(resumeMs, realtimeResumeTellMs) };
    this.#lookup = new Lookup((keys) => resumeStore.find(db, keys, nodes.id, this.#kept));
    this.#reach = new LogReach({
      log: context.log,
      replayers,
      currentPosition: () => resumeStore.currentPosition(db),
      timeoutMs: settings.realtimeResumeTimeoutMs,
    });
    this.#turns = new Turns(settings.realtimeResumeAtOnce);
    this.#othersUntilMs = performance.now() + settings.realtimeResumeMs;
  }

  start(): void {
    const { realtimeResumeMs, realtimeResumeConfirmMs } = this.#context.settings;
    if (realtimeResumeMs === 0) return;
    this.#stopListening = this.#context.nodes.onChange(() => this.#noteOthers());
    this.#recorder.start();
    this.#timers.push(
      setInterval(() => this.#present.ask(), realtimeResumeConfirmMs).unref(),
      setInterval(() => this.#sweep(), sweepMs).unref(),
    );
  }

  /** When all channels are closed: writes what clients may come back for to another process. */
  async stop(): Promise<void> {
    this.#stopListening();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    if (this.#context.settings.realtimeResumeMs > 0) await this.#recorder.stop();
  }

  /** What others deliver from now on waits until the channel has what it missed. */
  join(channel: Channel): void {
    this.#firstJoins.of(channel, performance.now());
    if (this.#context.settings.realtimeResumeMs > 0) channel.hold();
  }

  async joined(channel: Channel): Promise<void> {
    if (this.#context.settings.realtimeResumeMs === 0) return;
    const present = this.#present.enter(channel);
    this.#recorder.keep({ id: present.id, key: present.key, lastRef: channel.socket.lastRef, cursor: null });
    try {
      await this.#catchUpInTime(present);
    } catch (error) {
      this.#warn(`What a channel missed cannot be sent: ${reasonOf(error)}`);
      tellMissed(channel);
    } finally {
      channel.release();
      present.sinceMs = performance.now();
    }
  }

  left(channel: Channel, isLost: boolean): void {
    const left = this.#present.leave(channel);
    if (left === null) return;
    const { arrived } = left;
    const { id, key, replacedAtRef } = left.present;
    const { lastRef } = channel.socket;
    if (!isLost || arrived === 0n) return this.#recorder.forget(id);
    const isDoubtful = replacedAtRef === lastRef;
    const kind = isDoubtful ? "doubtful" : "departed";
    this.#departures.add({
      id,
      key,
      lastRef,
      cursor: arrived,
      socketId: channel.socket.id,
      kind,
      leftAtMs: performance.now(),
    });
    if (isDoubtful) this.#recorder.forget(id);
    else this.#recorder.keep({ id, key, lastRef, cursor: arrived });
  }

  /** While the database is away nobody can be looked up. It comes back, and until then the channel waits as for a slow look-up. */
  async #catchUpInTime(present: Present): Promise<void> {
    const untilMs = performance.now() + this.#context.settings.realtimeResumeTimeoutMs;
    for (;;) {
      try {
        return await this.#catchUp(present);
      } catch (error) {
        if (!present.channel.isOpen) return;
        if (!isAway(error) || performance.now() > untilMs) throw error;
        await after(awayLookMs);
      }
    }
  }

  async #catchUp(present: Present): Promise<void> {
    const { channel } = present;
    const found = await this.#findOwn(present);
    if (found === null) return;
    present.base = found.cursor;
    const areReady = await this.#areReady(channel);
    await this.#turns.take(async () => {
      if (!channel.isOpen) return;
      const isWhole = areReady && (await this.#send(channel, found));
      // Whoever is told to read anew has nothing to come back for before that.
      if (!isWhole) {
        present.base = this.#position();
        tellMissed(channel);
      }
    });
    this.#settle(found);
  }

  async #areReady(channel: Channel): Promise<boolean> {
    const timeoutMs = this.#context.settings.realtimeResumeTimeoutMs;
    const ready = await Promise.all(this.#replayers.map((replayer) => replayer.ready?.(channel, timeoutMs) ?? true));
    return ready.every((isReady) => isReady);
  }

  /** @returns false when something is not there any more, or too much, or not waited for any more */
  async #send(channel: Channel, { cursor, formerSocketId, isLate }: Own): Promise<boolean> {
    const { log, settings } = this.#context;
    const to = await this.#reach.now();
    const entries = cursor >= to ? [] : log.between(cursor, to);
    if (entries === null) return false;
    if (isLate) return changesIn(entries, 0) === 0;
    if (changesIn(entries, settings.realtimeResumeChanges) > settings.realtimeResumeChanges) return false;
    const limits = { queueBytes: settings.realtimeResumeQueueBytes, timeoutMs: settings.realtimeResumeTimeoutMs };
    return replayEntries(channel, entries, this.#replayers, limits, formerSocketId);
  }

  /** The channel that this one was, if it was one. */
  async #findOwn(present: Present): Promise<Own | null> {
    const { channel, key } = present;
    const nowMs = performance.now();
    const first = this.#firstJoins.of(channel, nowMs);
    const isEarly = nowMs - first.atMs <= this.#context.settings.realtimeResumeRejoinMs;
    const mayComeFromElsewhere = isEarly && !isFreshStart(first);
    const fits = (candidate: Candidate) => isOwn(candidate, channel, first, isEarly);
    const [candidates, late]: [Candidate[], Candidate[]] = [[], []];
    for (const one of this.#departures.of(key)) {
      (nowMs - one.leftAtMs > this.#kept.resumeMs ? late : candidates).push(one);
    }
    if (mayComeFromElsewhere) {
      candidates.push(...this.#present.livingBeside(present));
      if (this.#hasOthers(nowMs) || !candidates.some(fits)) {
        for (const one of await this.#lookup.of(key)) (one.isLate ? late : candidates).push(this.#foreign(one));
      }
    }
    // It was lost while it was looked up: what it was is left to the one that comes after it.
    if (!channel.isOpen) return null;
    const own = takeUp(candidates, fits);
    if (own !== null && own.cursor > 0n && isOneDevice(channel.who)) this.#present.replace(key, candidates);
    if (own !== null) return { ...own, isLate: false };
    // Only then: a page that was closed yesterday must not stand for the one that was here a moment ago.
    const lateOwn = takeUp(late, fits);
    return lateOwn === null ? null : { ...lateOwn, isLate: true };
  }

  /** A node that is gone has lost its channels, whatever it last wrote of them. */
  #foreign({ id, nodeId, lastRef, cursor, isDeparted }: FoundChannel): Candidate {
    const isAlive = this.#context.nodes.others().some((node) => node.id === nodeId);
    return { id, lastRef, cursor, socketId: null, kind: isDeparted || !isAlive ? "departed" : "live" };
  }

  #settle({ taken, lowered, cursor }: TakenUp): void {
    if (taken !== null) this.#forget(taken.id);
    const foreign: string[] = [];
    for (const { id } of lowered) {
      const own = this.#departures.lower(id, cursor);
      if (own === null) foreign.push(id);
      else this.#recorder.keep(own);
    }
    if (foreign.length === 0) return;
    resumeStore.lower(this.#context.db, foreign, cursor).catch((error: unknown) => {
      this.#warn(`A lost channel could not be written: ${reasonOf(error)}`);
    });
  }

  #forget(id: string): void {
    this.#departures.remove(id);
    this.#recorder.forgetAnybodys(id);
  }

  /** Everything before it has been put on channels; 0 while the log is not followed. */
  #position(): Lsn {
    const positions = this.#replayers.map((replayer) => replayer.position()).filter((position) => position > 0n);
    return positions.length === 0 ? this.#context.log.position() : positions.reduce(earlierOf);
  }

  #noteOthers(): void {
    this.#othersUntilMs = performance.now() + this.#context.settings.realtimeResumeMs;
  }

  /** A node that has long been alone knows all channels itself that were lost a short while ago. */
  #hasOthers(nowMs: number): boolean {
    return this.#context.nodes.others().length > 0 || nowMs < this.#othersUntilMs;
  }

  #sweep(): void {
    const { db, settings } = this.#context;
    this.#departures.forgetBefore(performance.now() - settings.realtimeResumeMs);
    if (this.#present.size === 0 && this.#departures.size === 0) return;
    resumeStore.sweep(db, this.#kept.tellMs).catch(() => {
      // The next one does it.
    });
  }

  #warn(message: string): void {
    this.#context.observe({ kind: "warning", area: "realtime", message });
  }
}

/** A channel of the same socket is certainly this client's; one of another may be, when the client has counted on since. */
function isOwn(candidate: Candidate, { socket }: Channel, { ref }: FirstJoin, isEarly: boolean): boolean {
  if (candidate.socketId === socket.id) return true;
  return isEarly && (ref === null || ref > candidate.lastRef);
}
