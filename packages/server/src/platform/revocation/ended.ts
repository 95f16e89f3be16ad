import type { Principal } from "../../kernel/principal.ts";
import type { EndReason } from "../identity/types.ts";
import type { RevocationRow } from "./store.ts";

/** Sessions and users that ended, as ids. */
export interface News {
  readonly sessionIds: readonly string[];
  readonly userIds: readonly string[];
}

interface EndedUser {
  readonly reason: "ban" | "deletion" | null;
  /** Number of the row this is from: an older one, read again, does not stand over a newer. */
  readonly row: number;
  readonly untilMs: number;
  readonly forgetAtMs: number;
}

/**
 * What has ended while tokens still speak of it. Each entry is kept for as long as such a token can live, and no longer: the size is
 * the number of sign-outs in that time.
 */
export class EndedSet {
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, EndedUser>();
  readonly #keepSeconds: number;
  readonly #nowMs: () => number;

  /** @param keepSeconds the longest life of a token. @param nowMs must not jump (threat X18) */
  constructor(keepSeconds: number, nowMs: () => number) {
    this.#keepSeconds = keepSeconds;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#sessions.size + this.#users.size;
  }

  /** Why this caller must not come in any more; `null` when nothing is known against it. */
  reasonOf({ subject, claims }: Principal): EndReason | null {
    if (this.#users.size > 0 && subject !== null) {
      const user = this.#users.get(subject);
      if (user?.reason != null && user.untilMs > this.#nowMs()) return user.reason;
    }
    if (this.#sessions.size === 0) return null;
    const session = claims.session_id;
    return typeof session === "string" && this.#sessions.has(session) ? "session" : null;
  }

  /** Takes rows in, in their order. @returns what was not known before */
  add(rows: readonly RevocationRow[]): News {
    const sessionIds: string[] = [];
    const userIds: string[] = [];
    for (const row of rows) {
      const forgetAtMs = this.#nowMs() + (this.#keepSeconds - row.ageSeconds) * 1000;
      if (row.kind === "session") {
        if (forgetAtMs <= this.#nowMs() || this.#sessions.has(row.subject)) continue;
        this.#sessions.set(row.subject, forgetAtMs);
        sessionIds.push(row.subject);
      } else if (row.kind !== "keys" && this.#addUser(row, row.kind, forgetAtMs)) {
        userIds.push(row.subject);
      }
    }
    return { sessionIds, userIds };
  }

  #addUser(row: RevocationRow, kind: "ban" | "deletion", forgetAtMs: number): boolean {
    const known = this.#users.get(row.subject);
    if (forgetAtMs <= this.#nowMs() || (known !== undefined && known.row >= row.id)) return false;
    const isOver = row.forSeconds !== null && row.forSeconds <= 0;
    const untilMs = row.forSeconds === null ? Number.POSITIVE_INFINITY : this.#nowMs() + row.forSeconds * 1000;
    this.#users.set(row.subject, { reason: isOver ? null : kind, row: row.id, untilMs, forgetAtMs });
    return !isOver;
  }

  /** Forgets what no token can speak of any more. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [id, forgetAtMs] of this.#sessions) if (forgetAtMs <= nowMs) this.#sessions.delete(id);
    for (const [id, { forgetAtMs }] of this.#users) if (forgetAtMs <= nowMs) this.#users.delete(id);
  }
}
