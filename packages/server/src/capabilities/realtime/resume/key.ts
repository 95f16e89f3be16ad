import { createHash } from "node:crypto";
import type { Principal } from "../../../kernel/principal.ts";
import type { Channel } from "../types.ts";

/**
 * Names whoever joins what and how: equal for a client that comes back, whatever token it has by then. A hash, because it goes into the
 * database. Never equal for two identities: nobody is sent what another has missed.
 */
export function keyOf({ who, topic, config, socket }: Channel): string {
  const { isPrivate, broadcast, presence, rowChanges } = config;
  return createHash("sha256")
    .update(
      JSON.stringify([
        identityOf(who),
        topic,
        isPrivate,
        broadcast.self,
        presence.enabled,
        rowChanges,
        socket.clientInfo,
      ]),
    )
    .digest("hex")
    .slice(0, 32);
}

/** Whether this identity is one device's: a session is, a user or an API key may be many. */
export const isOneDevice = (who: Principal): boolean => typeof who.claims.session_id === "string";

function identityOf({ claims, claimsJson, subject, role }: Principal): readonly string[] {
  if (typeof claims.session_id === "string") return ["session", claims.session_id, role];
  if (subject !== null) return ["subject", subject, role];
  return ["key", claimsJson, role];
}
