import type { RealtimeContext } from "../context.ts";
import { LogFollower } from "../log-follower.ts";
import { tellMissed } from "../resume/missed.ts";
import type { Channel, ChannelFeature, Incoming, Replayer } from "../types.ts";
import { Delivery } from "./delivery.ts";
import { LogWriter } from "./log-writer.ts";
import { isPersisted, sendPersisted } from "./persisted-send.ts";
import type { Published } from "./published.ts";
import { readBroadcast } from "./read-broadcast.ts";
import { senderOf } from "./sender.ts";
import { readReplayRequest, StoredReplay } from "./stored-replay.ts";
import { Storing } from "./storing.ts";

export interface BroadcastFeature extends ChannelFeature, Replayer {
  /** Broadcasts what somebody without a socket was allowed to send. */
  publish(published: Published): void;
  /** For what its sender wants stored. */
  readonly storing: Storing;
  stop(): Promise<void>;
}

/** Broadcast on channels. The log is followed from the first join on: nobody is here before that. */
export function createBroadcastFeature(context: RealtimeContext): BroadcastFeature {
  const { log, observe, settings } = context;
  const writer = new LogWriter(context);
  const stored = new StoredReplay(context);
  const channels = new Set<Channel>();
  /** Channels that wait for the word that the log is followed. */
  const waiting = new Set<Channel>();
  const follower = new LogFollower({
    log,
    observe,
    reader: {
      name: "broadcast",
      onEntry: (entry) => delivery.take(entry),
      // What others and the database sent meanwhile is lost to these channels, and they do not know it.
      onGap() {
        for (const channel of channels) if (channel.rights.readBroadcast) tellMissed(channel);
      },
    },
    onFollowing() {
      for (const channel of waiting) sayReady(channel);
      waiting.clear();
    },
  });
  const delivery = new Delivery({ context, writer, stored, position: () => follower.position() });
  const storing = new Storing({ context, writer, delivery });

  async function send(channel: Channel, message: Incoming): Promise<void> {
    if (isPersisted(message)) return sendPersisted(storing, channel, message);
    const { ack } = channel.config.broadcast;
    // A refused write is told to nobody, so a client cannot tell it from a slow server (protocols: broadcast).
    if (channel.config.isPrivate && !(await mayWrite(channel))) return;
    if (!channel.isOpen) return;
    const reading = readBroadcast(message, channel.room, settings.realtimeBroadcastPayloadBytes);
    if ("refusal" in reading) {
      if (ack) channel.reply(message.ref, "error", { reason: reading.refusal });
      return;
    }
    delivery.publish(reading.published, channel);
    if (ack) channel.reply(message.ref, "ok", {});
  }

  return {
    name: "broadcast",
    async join(channel) {
      const request = readReplayRequest(channel.config.broadcast.replay, channel.config.isPrivate);
      await follower.ensure();
      if (request !== null) await stored.read(channel, request);
      return undefined;
    },
    joined(channel) {
      channels.add(channel);
      delivery.joined(channel);
      if (channel.config.broadcast.isReplicationReadyWanted) {
        if (follower.isFollowing) sayReady(channel);
        else waiting.add(channel);
      }
      return stored.send(channel);
    },
    handle(channel, message) {
      if (message.event !== "broadcast") return false;
      if (channel.config.isPrivate) return send(channel, message).then(() => true);
      // Most broadcasts: nothing to wait for, so nothing is waited for.
      void send(channel, message);
      return true;
    },
    left(channel) {
      channels.delete(channel);
      waiting.delete(channel);
      stored.forget(channel);
    },
    position: () => follower.position(),
    settled: () => (follower.isFollowing ? writer.settled() : Promise.resolve()),
    async replay(channel, entries, formerSocketId = null) {
      const former = formerSocketId === null ? null : senderOf(formerSocketId);
      for (const entry of entries) await delivery.replay(channel, entry, former);
    },
    storing,
    publish: (published) => delivery.publish(published, null),
    async stop() {
      follower.stop();
      await writer.stop();
    },
  };
}

const sayReady = (channel: Channel): void => channel.system("system", "ok", "Replication connection established");

/** While PostgreSQL is away nobody may: it would be a right that nobody has given (threat rule 1). */
async function mayWrite(channel: Channel): Promise<boolean> {
  try {
    return await channel.rights.writeBroadcast();
  } catch {
    return false;
  }
}
