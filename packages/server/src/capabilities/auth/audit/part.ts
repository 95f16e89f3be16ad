import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { auditRoutes } from "./routes.ts";
import { auditStore } from "./store.ts";

/** How the audit log is read, and how long it is kept. */
export function auditPart(context: AuthContext): AuthPart {
  const days = context.settings.auditRetentionDays;
  return {
    routes: auditRoutes(context),
    start: () => auditStore.setRetention(context.db, days === 0 ? null : days),
  };
}
