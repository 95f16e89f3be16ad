import { failed, whole } from "../figures.ts";
import { type Shot, saturate, type Throughput } from "../load.ts";
import type { StorageBench } from "./bench.ts";

/** As many of these requests as a server takes, by the bench's connections and for its time. */
export function rateOf(bench: StorageBench, shots: readonly Shot[], url = bench.server.url): Promise<Throughput> {
  return saturate({ url, shots, connections: bench.connections, seconds: bench.seconds });
}

/** `1,234/s (0.81 × the limit), 3 FAILED` */
export function rateText({ perSecond, failures }: Throughput, limit?: Throughput, of = "it"): string {
  const share = limit === undefined ? "" : ` (${(perSecond / limit.perSecond).toFixed(2)} × ${of})`;
  return `${whole(perSecond)}/s${share}${failed(failures)}`;
}

/** Of two runs of a limit, before and after what is held against it. */
export const between = (a: Throughput, b: Throughput): Throughput => ({
  perSecond: (a.perSecond + b.perSecond) / 2,
  failures: a.failures + b.failures,
});
