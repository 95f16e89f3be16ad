import type { Observe } from "../../../platform/observe/observation.ts";
import type { Audit } from "./types.ts";

export type { Audit, AuditAction, AuditEntry } from "./types.ts";

/** Tells whoever watches the server. */
export function createAudit({ observe }: { readonly observe: Observe }): Audit {
  return {
    async record(_db, { action, userId, caller }) {
      observe({ kind: "auth.event", event: action, subject: userId, address: caller?.address ?? "" });
    },
  };
}
