import { broadcastProblems } from "./problems.ts";

/** A sender wants its broadcast stored, for those who come later. */
export interface Persist {
  /** How long it is replayed, in seconds; `null`: as long as messages are kept. */
  readonly ttlSeconds: number | null;
}

/** Whether anything is asked for. */
export const isAsked = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== "false";

/**
 * What stands under `persist` in a frame's metadata or in a request's query, understood as Supabase's server does (its
 * `Realtime.Messages`, September 2026): `true` and `{ttl}` ask for it, numbers may be text, and nobody gets silently less than asked for.
 * @returns `null` when it is not asked for
 * @throws Problem for what cannot be understood, or lasts longer than `mostSeconds`
 */
export function readPersist(value: unknown, mostSeconds: number): Persist | null {
  if (!isAsked(value)) return null;
  if (value === true || value === "true") return { ttlSeconds: null };
  if (typeof value !== "object" || Array.isArray(value)) throw broadcastProblems.persistInvalid(mostSeconds);
  const { ttl } = value as { readonly ttl?: unknown };
  if (ttl === undefined || ttl === null) return { ttlSeconds: null };
  const ttlSeconds = typeof ttl === "string" && /^\d{1,15}$/.test(ttl) ? Number(ttl) : ttl;
  if (
    typeof ttlSeconds === "number" &&
    Number.isSafeInteger(ttlSeconds) &&
    ttlSeconds >= 1 &&
    ttlSeconds <= mostSeconds
  ) {
    return { ttlSeconds };
  }
  throw broadcastProblems.persistInvalid(mostSeconds);
}

/** Of a frame of kind 3: `{"persist": …}`, among what else a newer client may say there. */
export function persistOf(metadata: string): unknown {
  if (metadata === "") return undefined;
  const read: unknown = JSON.parse(metadata);
  return typeof read === "object" && read !== null ? (read as { readonly persist?: unknown }).persist : undefined;
}

/** Of a query: `persist=true` or `persist[ttl]=60`. */
export function persistInQuery(query: URLSearchParams): unknown {
  const ttl = query.get("persist[ttl]");
  return ttl === null ? (query.get("persist") ?? undefined) : { ttl };
}
