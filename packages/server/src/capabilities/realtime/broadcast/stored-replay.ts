import { DatabaseError } from "../../../platform/postgres/session/types.ts";
import type { RealtimeContext } from "../context.ts";
import { JoinRefusal } from "../join-refusal.ts";
import type { Channel } from "../types.ts";
import { untilDrained } from "./drained.ts";
import type { StoredBroadcast } from "./message-rows.ts";
import { outgoingOf } from "./published.ts";
import { broadcastStore } from "./store.ts";

/** The most stored broadcasts one join gets (protocols: replay). */
const mostReplayed = 25;
/** Of what comes while a join is under way so many messages are kept, the newest. */
const arrivedMost = 256;

/** What a join asks for; `null` for nothing. */
export interface ReplayRequest {
  /** Unix milliseconds. */
  readonly sinceMs: number;
  readonly limit: number;
}

/** @throws JoinRefusal for a public channel, and for what cannot be understood */
export function readReplayRequest(replay: unknown, isPrivate: boolean): ReplayRequest | null {
  if (replay === undefined || replay === null) return null;
  if (!isPrivate) throw new JoinRefusal("UnableToReplayMessages", "Replay is not allowed for public channels");
  const { since, limit = mostReplayed } = (typeof replay === "object" ? replay : {}) as Record<string, unknown>;
  if (!isTime(since) || !Number.isSafeInteger(limit)) {
    throw new JoinRefusal("UnableToReplayMessages", "Replay params are not valid");
  }
  return { sinceMs: since, limit: Math.min(Math.max(limit as number, 1), mostReplayed) };
}

/** What both JavaScript and PostgreSQL take for a time: until the year 9999. */
const isTime = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 253_402_300_800_000;

interface Joining {
  stored: readonly StoredBroadcast[];
  /** Put on channels since the join began, in order, by id: what this node has stored comes from the log, too. */
  readonly arrived: Map<string, StoredBroadcast>;
}

/**
 * Stored broadcasts for channels that ask for them with their join: read before the reply, sent after it. What the log brings in between
 * waits for them, so that the order is kept and nothing comes twice.
 */
export class StoredReplay {
  readonly #context: Pick<RealtimeContext, "session" | "settings" | "observe">;
  readonly #joining = new Map<Channel, Joining>();
  /** Of those that joined: what they have got with it, and may get from the log yet. */
  readonly #replayed = new WeakMap<Channel, ReadonlySet<string>>();

  constructor(context: Pick<RealtimeContext, "session" | "settings" | "observe">) {
    this.#context = context;
  }

  /** @throws JoinRefusal */
  async read(channel: Channel, request: ReplayRequest): Promise<void> {
    const { session, settings } = this.#context;
    const joining: Joining = { stored: [], arrived: new Map() };
    this.#joining.set(channel, joining);
    if (!channel.rights.readBroadcast) return;
    try {
      joining.stored = await broadcastStore.newest(session, {
        who: channel.who,
        name: channel.name,
        ...request,
        payloadBytes: settings.realtimeBroadcastPayloadBytes,
        totalBytes: settings.realtimeBroadcastReplayBytes,
        timeoutMs: settings.realtimeBroadcastReplayTimeoutMs,
      });
    } catch (error) {
      this.#joining.delete(channel);
      if (error instanceof DatabaseError) {
        const message = `Stored broadcasts could not be read (${error.sqlstate}): ${error.message}`;
        this.#context.observe({ kind: "warning", area: "realtime", message });
      }
      throw new JoinRefusal("UnableToReplayMessages", "Realtime was unable to replay messages");
    }
  }

  /** Sends what was read, then what came meanwhile; other messages wait. */
  async send(channel: Channel): Promise<void> {
    const joining = this.#joining.get(channel);
    if (joining === undefined) return;
    this.#joining.delete(channel);
    const all = inOrder(joining.stored, [...joining.arrived.values()]);
    if (all.length > 0) this.#replayed.set(channel, new Set(all.map(({ id }) => id)));
    channel.hold();
    try {
      for (const { published } of all) {
        if (!channel.rights.readBroadcast) return;
        const message = outgoingOf(published);
        if (message !== null) channel.sendNow(message);
        await untilDrained(channel);
      }
    } finally {
      channel.release();
    }
  }

  /** A stored broadcast is being delivered: those who are joining get it when they have joined. */
  arrived(stored: StoredBroadcast): void {
    for (const [channel, { arrived }] of this.#joining) {
      if (channel.room !== stored.published.room) continue;
      arrived.set(stored.id, stored);
      if (arrived.size > arrivedMost) arrived.delete(arrived.keys().next().value!);
    }
  }

  /** Whether this channel gets it otherwise, or has got it. */
  isCovered(channel: Channel, id: string): boolean {
    return this.#joining.has(channel) || this.#replayed.get(channel)?.has(id) === true;
  }

  forget(channel: Channel): void {
    this.#joining.delete(channel);
  }
}

/**
 * What was read and what came meanwhile, each once, in the order it was sent. What came may be older than all that was read, when more came than is read:
 * then it stands before what came after it.
 */
export function inOrder(
  stored: readonly StoredBroadcast[],
  arrived: readonly StoredBroadcast[],
): readonly StoredBroadcast[] {
  const places = new Map(stored.map(({ id }, place) => [id, place]));
  const all: StoredBroadcast[] = [];
  let waiting: StoredBroadcast[] = [];
  let from = 0;
  for (const one of arrived) {
    const place = places.get(one.id);
    if (place === undefined) waiting.push(one);
    else if (place >= from) {
      all.push(...stored.slice(from, place), ...waiting, stored[place]!);
      waiting = [];
      from = place + 1;
    }
  }
  return [...all, ...stored.slice(from), ...waiting];
}
