import type { Observe } from "../../../platform/observe/observation.ts";
import { keptTraits, logTypes } from "./entry.ts";
import { auditStore } from "./store.ts";
import type { Audit, AuditEntry } from "./types.ts";

export type { Audit, AuditAction, AuditEntry } from "./types.ts";

/** Writes to `auth.audit_log_entries`, where GoTrue's users look for it, and tells whoever watches the server. */
export function createAudit(needs: {
  readonly observe: Observe;
  readonly settings: { readonly auditRefreshes: boolean };
}): Audit {
  const { observe, settings } = needs;
  const tell = ({ action, userId, caller }: AuditEntry): void =>
    observe({ kind: "auth.event", event: action, subject: userId, address: caller?.address ?? "" });
  return {
    async record(db, entry) {
      const { action, userId, actor, caller, traits } = entry;
      if (action === "token_refreshed" && !settings.auditRefreshes) return;
      await auditStore.add(db, {
        action,
        logType: logTypes[action],
        userId,
        actorName: actor ?? null,
        address: caller?.ip ?? "",
        traits: keptTraits(traits ?? {}),
      });
      tell(entry);
    },
    tell,
  };
}
