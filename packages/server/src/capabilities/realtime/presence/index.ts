import type { RealtimeContext } from "../context.ts";
import type { ChannelFeature } from "../types.ts";
import { createPresenceFeature } from "./feature.ts";

export { presenceSettings } from "./settings.ts";

/** Who is on a channel, on all nodes. */
export type Presence = ChannelFeature & {
  start(): Promise<void>;
  /** Tells other nodes what they have not heard. */
  stop(): Promise<void>;
};

export function createPresence(context: RealtimeContext): Presence {
  const feature = createPresenceFeature(context);
  return {
    ...feature,
    start: () => Promise.resolve(feature.start()),
  };
}
