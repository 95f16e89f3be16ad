import type { RealtimeContext } from "../context.ts";
import type { ChannelFeature, Replayer } from "../types.ts";
import { Resume } from "./resume.ts";

export { resumeSettings } from "./settings.ts";

/**
 * Nothing is lost over a reconnection: a client that comes back is sent what it missed. Stands among the features after those that replay,
 * and before the one that says row changes are on.
 */
export function createResume(
  context: RealtimeContext,
  replayers: readonly Replayer[],
): ChannelFeature & { start(): void; stop(): Promise<void> } {
  const resume = new Resume(context, replayers);
  return {
    name: "resume",
    join: (channel) => {
      resume.join(channel);
      return undefined;
    },
    joined: (channel) => resume.joined(channel),
    left: (channel, isLost) => resume.left(channel, isLost),
    start: () => resume.start(),
    stop: () => resume.stop(),
  };
}
