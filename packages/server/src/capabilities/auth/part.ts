import type { Call, Route, RouteGroup } from "../../kernel/route.ts";
import type { Fields } from "./request.ts";
import type { Session } from "./user.ts";

/** One `grant_type` of `POST /token`: from the fields of the body to a session. */
export type Grant = (fields: Fields, call: Call) => Promise<Session>;

/** One room of this capability: what it serves, and what it does when nobody asks. */
export interface AuthPart {
  /** Below `/auth/v1`. */
  readonly routes?: readonly Route[];
  /** By `grant_type`, besides the password and the refresh token. */
  readonly grants?: Readonly<Record<string, Grant>>;
  /** Whatever is served elsewhere. */
  readonly groups?: readonly RouteGroup[];
  start?(): Promise<void>;
  stop?(): Promise<void>;
}
