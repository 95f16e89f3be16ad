import type { Principal } from "../../kernel/principal.ts";
import type { Statement } from "./session/types.ts";

/**
 * The prologue of a flight that asks as `who`: its role and claims, set for the flight's transaction only. `more` are further
 * settings, by name: they must be the server's own names.
 */
export function asCaller(who: Principal, more: Readonly<Record<string, string>> = {}): readonly Statement[] {
  const settings = [
    ["role", who.role],
    ["request.jwt.claims", who.claimsJson],
    ["request.jwt.claim.sub", who.subject ?? ""],
    ["request.jwt.claim.role", who.role],
    ...Object.entries(more),
  ] as const;
  const calls = settings.map(([name], at) => `set_config('${name}', $${at + 1}, true)`);
  return [{ text: `select ${calls.join(", ")}`, values: settings.map(([, value]) => value) }];
}
