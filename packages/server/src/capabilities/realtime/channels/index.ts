import type { RealtimeContext } from "../context.ts";
import type { SocketHandler } from "../socket/index.ts";
import type { ChannelFeature, Socket } from "../types.ts";
import type { OpenChannel } from "./channel.ts";
import { Keeper } from "./keeper.ts";
import { RightsDesk } from "./rights.ts";
import { RulesWatch } from "./rules-watch.ts";
import { SocketChannels } from "./socket-channels.ts";

export interface Channels {
  /** What a socket's messages do. */
  readonly open: (socket: Socket) => SocketHandler;
  start(): void;
  stop(): void;
  stats(): { readonly channels: number; readonly privateChannels: number };
}

/**
 * Joining, leaving, who may, and until when. What a channel can do besides is for the features, in the order in which they follow a join's
 * reply.
 */
export function createChannels(context: RealtimeContext, features: readonly ChannelFeature[]): Channels {
  const { session, observe, clock, settings, identity } = context;
  const rights = new RightsDesk(session, observe);
  const onFailure = (channel: OpenChannel | null, error: unknown): void => {
    observe({ kind: "request.failed", id: channel?.socket.id ?? "realtime", error });
    // The client joins again, after a while, and is sent what it missed.
    channel?.close("phx_error", true);
  };
  const keeper = new Keeper({ clock, rights, features, settings, onFailure });
  const needs = { context, features, rights, keeper, onFailure };
  const rules = new RulesWatch({
    context,
    isNeeded: () => keeper.privates > 0,
    onChange: (isUrgent) => keeper.doubtAll(isUrgent),
  });
  let stopListening = (): void => {};
  return {
    open: (socket) => new SocketChannels(needs, socket),
    start() {
      rules.start();
      stopListening = identity.onKeysReplaced(() => void keeper.reviewTokens((token) => identity.verify(token)));
    },
    stop() {
      stopListening();
      rules.stop();
      keeper.stop();
    },
    stats: () => ({ channels: keeper.size, privateChannels: keeper.privates }),
  };
}
