import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { ChangeLog } from "../../platform/changes/types.ts";
import type { Identity } from "../../platform/identity/types.ts";
import type { Nodes } from "../../platform/nodes/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Policies } from "../../platform/policies/types.ts";
import type { Database } from "../../platform/postgres/database.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import type { Revocations } from "../../platform/revocation/index.ts";
import type { Rooms } from "./rooms.ts";
import type { realtimeSettings } from "./settings.ts";

/** What every part of realtime works with. Built once by `createRealtime`. */
export interface RealtimeContext {
  readonly db: Database;
  /** For what runs as a caller. */
  readonly session: Session;
  readonly identity: Identity;
  readonly revocations: Pick<Revocations, "watch">;
  readonly log: ChangeLog;
  readonly policies: Policies;
  readonly nodes: Nodes;
  /** Who is where on this node. */
  readonly rooms: Rooms;
  readonly settings: Values<typeof realtimeSettings>;
  readonly observe: Observe;
  readonly clock: Clock;
}
