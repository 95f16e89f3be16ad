import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RouteGroup } from "./route.ts";

/** A path that is asked to become a websocket. */
export interface UpgradeRoute {
  /** Exact, without query: `/realtime/v1/websocket`. */
  readonly path: string;
  /** Takes the connection over, its errors included. `address`: whose it is, our own proxies not counted. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void;
}

/** One thing an app developer came for: what it serves and how it starts and stops. `compose.ts` collects these. */
export interface Capability {
  readonly name: string;
  readonly routes: readonly RouteGroup[];
  readonly upgrades?: readonly UpgradeRoute[];
  /** Acquires what it needs to run. Called once, in the order of composition. */
  start?(): Promise<void>;
  /** The server takes nothing new any more: what is held open for callers is to be ended now, politely. */
  drain?(): void;
  /** Releases it, within the signal's patience. Called in reverse order. */
  stop?(signal: AbortSignal): Promise<void>;
}
