import type { RealtimeContext } from "../context.ts";
import type { ChannelFeature, Replayer } from "../types.ts";
import { RowChanges } from "./feature.ts";

export { rowChangesSettings } from "./settings.ts";

/** Changes of rows, to those who wait for them and may see them (protocols: Postgres changes). */
export function createRowChanges(
  context: RealtimeContext,
): ChannelFeature & Replayer & { start(): void; stop(): void } {
  const rowChanges = new RowChanges(context);
  return {
    name: "row-changes",
    join: (channel) => rowChanges.join(channel),
    joined: (channel) => rowChanges.joined(channel),
    identityChanged: (channel) => rowChanges.identityChanged(channel),
    left: (channel) => rowChanges.left(channel),
    position: () => rowChanges.position(),
    settled: () => rowChanges.settled(),
    ready: (channel, timeoutMs) => rowChanges.ready(channel, timeoutMs),
    prepare: (channel, entries) => rowChanges.prepare(channel, entries),
    replay: (channel, entries) => rowChanges.replay(channel, entries),
    start: () => rowChanges.start(),
    stop: () => rowChanges.stop(),
  };
}
