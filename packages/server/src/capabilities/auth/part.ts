import type { Route, RouteGroup } from "../../kernel/route.ts";

/** One room of this capability: what it serves, and what it does when nobody asks. */
export interface AuthPart {
  /** Below `/auth/v1`. */
  readonly routes?: readonly Route[];
  /** Whatever is served elsewhere. */
  readonly groups?: readonly RouteGroup[];
  start?(): Promise<void>;
  stop?(): Promise<void>;
}
