import type { RealtimeContext } from "../context.ts";
import { JoinRefusal } from "../join-refusal.ts";
import { LogFollower } from "../log-follower.ts";
import type { Channel, ChannelFeature, Incoming } from "../types.ts";
import { jsonMessage } from "../wire/index.ts";
import { Cluster } from "./cluster.ts";
import { PresenceLimits } from "./limits.ts";
import { type Own, OwnPresences } from "./own.ts";
import { readPresence } from "./read-presence.ts";
import { instanceOf } from "./replicas.ts";
import type { Meta } from "./room-view.ts";
import { type RoomDiff, RoomsView } from "./rooms-view.ts";

/** How often one looks whether something is still waited for, in ms. */
const lookEveryMs = 5_000;

export interface PresenceFeature extends ChannelFeature {
  start(): void;
  stop(): Promise<void>;
}

/** Who is on which channel. The log is followed from the first channel on that wants to know. */
export function createPresenceFeature(context: RealtimeContext): PresenceFeature {
  const { log, nodes, observe, rooms, settings } = context;
  const owns = new OwnPresences();
  const limits = new PresenceLimits(settings);
  const view = new RoomsView(settings.realtimePresenceDiffMs, tell);
  const cluster = new Cluster({ log, nodes, show: (room, instance, meta) => view.set(room, instance, meta) });
  const follower = new LogFollower({
    log,
    observe,
    reader: {
      name: "presence",
      onEntry: (entry) => cluster.take(entry),
      onGap: () => cluster.missed(),
    },
    onFollowing() {
      cluster.followed();
      looking = setInterval(() => cluster.look(), lookEveryMs);
      looking.unref();
    },
  });
  let looking: NodeJS.Timeout | undefined;
  let stopListening = (): void => {};

  function tell({ room, diff }: RoomDiff): void {
    const members = rooms.members(room);
    if (members.size === 0) return;
    const message = jsonMessage({ topic: topicOf(room), event: "presence_diff", payload: diff });
    for (const channel of members) {
      if (owns.find(channel)?.hasState && channel.rights.readPresence) channel.send(message);
    }
  }

  /** Ahead of what is held: a diff makes sense only after it. */
  function sendState(channel: Channel, own: Own): void {
    if (own.hasState || !channel.rights.readPresence) return;
    own.hasState = true;
    const payload = view.stateOf(channel.room);
    channel.sendNow(jsonMessage({ topic: channel.topic, event: "presence_state", payload }));
  }

  function put(channel: Channel, own: Own, meta: Meta | null): void {
    if (own.meta === null && meta === null) return;
    own.meta = meta;
    view.set(channel.room, instanceOf(nodes.id, own.id), meta);
    cluster.place({ id: own.id, room: channel.room, meta });
  }

  async function track(channel: Channel, { ref }: Incoming, fields: string): Promise<void> {
    if (Buffer.byteLength(fields) > settings.realtimePresencePayloadBytes) {
      return channel.end("Track message size exceeded");
    }
    if (channel.config.isPrivate && !(await mayWrite(channel))) {
      const reason = `Unauthorized: You do not have permissions to write presence on this Channel topic: ${channel.name}`;
      return channel.reply(ref, "error", { reason });
    }
    await follower.ensure();
    if (!channel.isOpen) return;
    const own = owns.of(channel);
    // The first to track without having asked for presence wants it all the same.
    sendState(channel, own);
    if (own.meta?.fields !== fields) {
      if (!limits.takeEvent()) return channel.end("Too many presence messages per second");
      put(channel, own, owns.meta(own.key, fields));
    }
    channel.reply(ref, "ok", {});
  }

  return {
    name: "presence",
    async join(channel) {
      const { key, enabled } = channel.config.presence;
      if (Buffer.byteLength(key) > settings.realtimePresenceKeyBytes) {
        const most = settings.realtimePresenceKeyBytes;
        throw new JoinRefusal("InvalidPresencePayload", `A presence key takes at most ${most} bytes`);
      }
      if (enabled) await follower.ensure();
      return undefined;
    },
    joined(channel) {
      if (channel.config.presence.enabled) sendState(channel, owns.of(channel));
    },
    handle(channel, message) {
      if (message.event !== "presence") return false;
      if (!limits.takeCall(channel.socket)) {
        channel.end("Client presence rate limit exceeded");
        return true;
      }
      const call = readPresence(message.payload);
      switch (call.kind) {
        case "track":
          return track(channel, message, call.fields).then(() => true);
        case "untrack":
          put(channel, owns.of(channel), null);
          channel.reply(message.ref, "ok", {});
          return true;
        case "invalid":
          channel.reply(message.ref, "error", { reason: call.reason });
          return true;
      }
    },
    async identityChanged(channel) {
      const own = owns.find(channel);
      if (own === undefined || !channel.config.isPrivate) return;
      if (!channel.rights.readPresence) own.hasState = false;
      else if (channel.config.presence.enabled || own.meta !== null) sendState(channel, own);
      if (own.meta !== null && !(await mayWrite(channel))) put(channel, own, null);
    },
    left(channel) {
      const own = owns.find(channel);
      if (own !== undefined) put(channel, own, null);
    },
    start() {
      cluster.nodesChanged();
      stopListening = nodes.onChange(() => cluster.nodesChanged());
    },
    async stop() {
      stopListening();
      clearInterval(looking);
      view.flush();
      view.stop();
      follower.stop();
      await cluster.stop();
    },
  };
}

/** `realtime:name` of `private:name`. */
const topicOf = (room: string): string => `realtime${room.slice(room.indexOf(":"))}`;

/** While PostgreSQL is away nobody may: it would be a right that nobody has given (threat rule 1). */
async function mayWrite(channel: Channel): Promise<boolean> {
  try {
    return await channel.rights.writePresence();
  } catch {
    return false;
  }
}
