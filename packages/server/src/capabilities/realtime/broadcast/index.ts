import type { RouteGroup } from "../../../kernel/route.ts";
import type { RealtimeContext } from "../context.ts";
import type { ChannelFeature, Replayer } from "../types.ts";
import { createBroadcastFeature } from "./feature.ts";
import { broadcastRoutes } from "./routes.ts";

export { broadcastSettings } from "./settings.ts";

/** Messages of members of a channel to the others, of callers over HTTP, and of the database. */
export type Broadcast = ChannelFeature &
  Replayer & {
    readonly routes: readonly RouteGroup[];
    start(): Promise<void>;
    /** Writes what is on its way to other nodes. */
    stop(): Promise<void>;
  };

export function createBroadcast(context: RealtimeContext): Broadcast {
  const feature = createBroadcastFeature(context);
  return {
    ...feature,
    routes: [broadcastRoutes(context, feature)],
    // The log is followed from the first join on: a server that nobody talks to follows nothing.
    start: () => Promise.resolve(),
  };
}
