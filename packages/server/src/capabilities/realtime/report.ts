import type { LogStats } from "../../platform/changes/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { RealtimeStats } from "./index.ts";

export interface ReportNeeds {
  readonly stats: () => RealtimeStats;
  readonly logStats: () => LogStats;
  readonly observe: Observe;
  /** 0: never. */
  readonly everyMs: number;
}

/** Says now and then how many are here and how far the log has been read. @returns how to stop */
export function reportState({ stats, logStats, observe, everyMs }: ReportNeeds): () => void {
  if (everyMs === 0 || observe.wants?.("realtime.state") === false) return () => {};
  let last = "";
  const report = (): void => {
    const { sockets, channels, privateChannels, rooms } = stats();
    const { queuedBytes, ...counts } = sockets;
    const people = { ...counts, channels, privateChannels, rooms };
    // The log moves by itself, and queues come and go: where nobody has, there is no news.
    const now = JSON.stringify(people);
    if (now === last || (last === "" && sockets.connections === 0)) return;
    last = now;
    const { state, lagBytes, retainedBytes } = logStats();
    observe({ kind: "realtime.state", ...people, queuedBytes, log: state, lagBytes, retainedBytes });
  };
  const timer = setInterval(report, everyMs).unref();
  return () => clearInterval(timer);
}
