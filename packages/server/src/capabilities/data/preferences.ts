import type { Method } from "../../kernel/route.ts";
import type { Preferences } from "./request.ts";

/**
 * What `Preference-Applied` says, in the dialect's order (PostgREST docs, Prefer Header); `""` when nothing was
 * applied.
 */
export function appliedPreferences(
  preferences: Preferences,
  to: {
    readonly method: Method;
    readonly isCall: boolean;
    /** True for an upsert that has a conflict target. */
    readonly usesResolution: boolean;
    readonly allowsTx: boolean;
  },
): string {
  const { method, isCall } = to;
  const isWrite = !isCall && method !== "GET" && method !== "HEAD";
  const isStrict = preferences.handling === "strict";
  const canMiss = isWrite && (method === "POST" || method === "PATCH");
  const canCountAffected = isStrict && (isCall || method === "PATCH" || method === "DELETE");
  const applied = [
    to.usesResolution && named("resolution", preferences.resolution),
    canMiss && named("missing", preferences.missing),
    (isWrite || (isCall && method === "POST" && preferences.return === "minimal")) &&
      named("return", preferences.return),
    named("count", preferences.count),
    to.allowsTx && named("tx", preferences.tx),
    named("handling", preferences.handling),
    named("timezone", preferences.timezone),
    canCountAffected && named("max-affected", preferences.maxAffected),
  ];
  return applied.filter((each) => typeof each === "string").join(", ");
}

function named(name: string, value: string | number | null): string | false {
  return value === null ? false : `${name}=${value}`;
}
