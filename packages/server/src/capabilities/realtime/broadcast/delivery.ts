import type { LogEntry, Lsn } from "../../../kernel/change.ts";
import type { RealtimeContext } from "../context.ts";
import type { Channel } from "../types.ts";
import { decodeBatch, logPrefix, noSender } from "./codec.ts";
import { isDrained, untilDrained } from "./drained.ts";
import type { LogWriter } from "./log-writer.ts";
import { isSentBy } from "./message-id.ts";
import { type StoredBroadcast, storedBroadcastOf } from "./message-rows.ts";
import { type OwnStored, OwnStoring } from "./own-storing.ts";
import { outgoingOf, type Published } from "./published.ts";
import { senderOf } from "./sender.ts";
import type { StoredReplay } from "./stored-replay.ts";

/** A place between entries of the log: `lsn` alone is not one within a transaction that comes in parts. */
interface Place {
  readonly lsn: Lsn;
  /** Of the newest entry there. */
  readonly first: number;
}

type DeliveryContext = Pick<RealtimeContext, "rooms" | "nodes" | "settings" | "clock">;

/** What a channel gets live: our own broadcasts from this number on, and entries of the log beyond this place. */
interface Joined {
  readonly sequence: number;
  /** `null`: the log was not followed. */
  readonly place: Place | null;
}

/**
 * Puts broadcasts on channels: this node's at once, those of others and of the database as the log brings them; and again, those that a
 * channel has missed.
 */
export class Delivery {
  readonly #context: DeliveryContext;
  readonly #writer: LogWriter;
  readonly #stored: StoredReplay;
  readonly #position: () => Lsn;
  readonly #joined = new WeakMap<Channel, Joined>();
  readonly #own = new OwnStoring();
  /** Where the newest entry stands that was taken; `null` before the first. */
  #taken: Place | null = null;

  constructor(needs: {
    readonly context: DeliveryContext;
    readonly writer: LogWriter;
    readonly stored: StoredReplay;
    /** Everything before it has been through `take`. */
    readonly position: () => Lsn;
  }) {
    this.#context = needs.context;
    this.#writer = needs.writer;
    this.#stored = needs.stored;
    this.#position = needs.position;
  }

  /** Broadcasts what `from` (`null`: nobody on a socket) was allowed to send. */
  publish(published: Published, from: Channel | null): void {
    this.#writer.append(from === null ? noSender : senderOf(from.socket.id), published);
    this.#deliver(published, (channel) => channel !== from || channel.config.broadcast.self);
  }

  /** What `from` (`null`: nobody on a socket) was allowed to store is being stored: the log may bring it before PostgreSQL answers. */
  storing(id: string, from: Channel | null): void {
    this.#own.begin(id, from);
  }

  /** It is stored. Whoever hears of it first, this or the log, puts it on the channels. */
  stored(stored: StoredBroadcast): void {
    const own = this.#own.delivered(stored.id, this.#context.rooms.members(stored.published.room));
    if (own !== null) this.#deliverStored(stored, own);
  }

  /** It is certain that it is not stored. */
  notStored(id: string): void {
    this.#own.forget(id);
  }

  joined(channel: Channel): void {
    const position = this.#position();
    const place = this.#taken ?? (position === 0n ? null : { lsn: position, first: beforeAll });
    this.#joined.set(channel, { sequence: this.#writer.next, place });
  }

  /** The next entry of the log. */
  take(entry: LogEntry): void {
    this.#taken = { lsn: entry.lsn, first: firstOf(entry) };
    if (entry.kind === "message") return this.#takeMessage(entry.prefix, entry.content);
    const limitBytes = this.#context.settings.realtimeBroadcastPayloadBytes;
    for (const change of entry.changes) {
      const stored = storedBroadcastOf(change, limitBytes);
      if (stored !== null) this.#takeStored(stored);
    }
  }

  /** Sends what of an entry this channel has missed and may have. Its own is what `former` sent. */
  async replay(channel: Channel, entry: LogEntry, former: Buffer | null): Promise<void> {
    for (const published of this.#missedIn(channel, entry, former)) {
      if (!channel.isOpen || !channel.rights.readBroadcast) return;
      const message = published.room === channel.room ? outgoingOf(published) : null;
      if (message === null) continue;
      channel.sendNow(message);
      if (!isDrained(channel)) await untilDrained(channel);
    }
  }

  #takeMessage(prefix: string, content: Buffer): void {
    if (prefix !== logPrefix) return;
    const batch = decodeBatch(content);
    if (batch === null) return;
    if (batch.nodeId === this.#context.nodes.id) {
      return this.#writer.seen(batch.firstSequence + batch.broadcasts.length - 1);
    }
    for (const { published } of batch.broadcasts) this.#deliver(published, everybody);
  }

  #takeStored(stored: StoredBroadcast): void {
    const own = this.#own.logged(stored.id);
    this.#deliverStored(stored, own, own?.reached ?? null);
  }

  /** @param reached have got it already */
  #deliverStored(stored: StoredBroadcast, own: OwnStored | null, reached: WeakSet<Channel> | null = null): void {
    this.#stored.arrived(stored);
    this.#deliver(
      stored.published,
      (channel) =>
        reached?.has(channel) !== true &&
        (channel !== own?.from || channel.config.broadcast.self) &&
        !this.#stored.isCovered(channel, stored.id),
    );
  }

  #deliver(published: Published, isFor: (channel: Channel) => boolean): void {
    const members = this.#context.rooms.members(published.room);
    if (members.size === 0) return;
    const message = outgoingOf(published);
    if (message === null) return;
    for (const channel of members) if (channel.rights.readBroadcast && isFor(channel)) channel.send(message);
  }

  #isMissed(channel: Channel, { id, expiresAtMs }: StoredBroadcast, former: Buffer | null): boolean {
    if (expiresAtMs !== null && expiresAtMs <= this.#context.clock.nowMs()) return false;
    if (former !== null && !channel.config.broadcast.self && isSentBy(id, former)) return false;
    return !this.#stored.isCovered(channel, id);
  }

  *#missedIn(channel: Channel, entry: LogEntry, former: Buffer | null): Iterable<Published> {
    const joined = this.#joined.get(channel);
    const isLive = joined !== undefined && joined.place !== null && isBeyond(entry, joined.place);
    if (entry.kind === "batch") {
      const limitBytes = this.#context.settings.realtimeBroadcastPayloadBytes;
      for (const change of isLive ? [] : entry.changes) {
        const stored = storedBroadcastOf(change, limitBytes);
        if (stored !== null && this.#isMissed(channel, stored, former)) yield stored.published;
      }
      return;
    }
    const batch = entry.prefix === logPrefix ? decodeBatch(entry.content) : null;
    if (batch === null) return;
    const isOurs = batch.nodeId === this.#context.nodes.id;
    for (const [at, { sender, published }] of batch.broadcasts.entries()) {
      // Ours went out when it was sent, wherever its entry stands.
      const wasLive = isOurs ? joined !== undefined && batch.firstSequence + at >= joined.sequence : isLive;
      if (wasLive || (former !== null && sender.equals(former) && !channel.config.broadcast.self)) continue;
      yield published;
    }
  }
}

/** Comes before any entry of its place. */
const beforeAll = -2;
/** The message of a transaction comes before its rows. */
const firstOf = (entry: LogEntry): number => (entry.kind === "message" ? -1 : entry.first);

const isBeyond = (entry: LogEntry, { lsn, first }: Place): boolean =>
  entry.lsn > lsn || (entry.lsn === lsn && firstOf(entry) > first);

const everybody = (): boolean => true;
