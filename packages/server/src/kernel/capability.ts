import type { RouteGroup } from "./route.ts";

/** One thing an app developer came for: what it serves and how it starts and stops. `compose.ts` collects these. */
export interface Capability {
  readonly name: string;
  readonly routes: readonly RouteGroup[];
  /** Acquires what it needs to run. Called once, in the order of composition. */
  start?(): Promise<void>;
  /** Releases it, within the signal's patience. Called in reverse order. */
  stop?(signal: AbortSignal): Promise<void>;
}
