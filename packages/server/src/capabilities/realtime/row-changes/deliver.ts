import type { Channel, Outgoing } from "../types.ts";
import type { Judged } from "./judge.ts";
import { ChangeMessages } from "./message.ts";
import type { Projection } from "./projection.ts";
import type { Entry } from "./table-index.ts";

/** What one channel gets of one change: one message, unless its bindings select different columns. */
interface Share {
  readonly ids: readonly number[];
  readonly projection: Projection;
  readonly isOldSeen: boolean;
}

export interface DeliverOptions {
  /** Number of the batch: channels that came after it are left out. */
  readonly number: number;
  readonly recordBytes: number;
  readonly send: (channel: Channel, message: Outgoing) => void;
}

/** Sends judged changes, in their order. */
export function deliver(judged: readonly Judged[], { number, recordBytes, send }: DeliverOptions): void {
  for (const { change, part, entries, blindToOld } of judged) {
    if (entries.length === 0) continue;
    const messages = new ChangeMessages(change, part.committedAtUs, recordBytes);
    if (entries.length === 1) {
      const { members, projection, group } = entries[0]!;
      const isOldSeen = !blindToOld.has(group);
      for (const [channel, { idsJson, from, until }] of members) {
        if (!channel.isOpen || from > number || until <= number) continue;
        send(channel, messages.of(channel.topic, idsJson, projection, isOldSeen));
      }
      continue;
    }
    for (const [channel, shares] of sharesOf(entries, blindToOld, number)) {
      for (const { ids, projection, isOldSeen } of shares) {
        send(channel, messages.of(channel.topic, JSON.stringify(ids), projection, isOldSeen));
      }
    }
  }
}

function sharesOf(
  entries: readonly Entry[],
  blindToOld: Judged["blindToOld"],
  number: number,
): ReadonlyMap<Channel, readonly Share[]> {
  const ofChannel = new Map<Channel, Share[]>();
  for (const { members, projection, group } of entries) {
    const isOldSeen = !blindToOld.has(group);
    for (const [channel, { ids, from, until }] of members) {
      if (!channel.isOpen || from > number || until <= number) continue;
      const shares = ofChannel.get(channel);
      if (shares === undefined) ofChannel.set(channel, [{ ids, projection, isOldSeen }]);
      else {
        const at = shares.findIndex((share) => share.projection === projection && share.isOldSeen === isOldSeen);
        if (at < 0) shares.push({ ids, projection, isOldSeen });
        else shares[at] = { ids: [...shares[at]!.ids, ...ids], projection, isOldSeen };
      }
    }
  }
  return ofChannel;
}
