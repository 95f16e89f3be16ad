import type { Observe } from "../../../platform/observe/observation.ts";
import { keptTraits, logTypes } from "./entry.ts";
import { auditStore } from "./store.ts";
import type { Audit } from "./types.ts";

export type { Audit, AuditAction, AuditEntry } from "./types.ts";

/** Writes to `auth.audit_log_entries`, where GoTrue's users look for it, and tells whoever watches the server. */
export function createAudit(needs: {
  readonly observe: Observe;
  readonly settings: { readonly auditRefreshes: boolean };
}): Audit {
  const { observe, settings } = needs;
  return {
    async record(db, { action, userId, actor, caller, traits }) {
      if (action === "token_refreshed" && !settings.auditRefreshes) return;
      await auditStore.add(db, {
        action,
        logType: logTypes[action],
        userId,
        actorName: actor ?? null,
        address: caller?.ip ?? "",
        traits: keptTraits(traits ?? {}),
      });
      observe({ kind: "auth.event", event: action, subject: userId, address: caller?.address ?? "" });
    },
  };
}
