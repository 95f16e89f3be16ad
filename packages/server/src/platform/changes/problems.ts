import { Problem } from "../../kernel/problem.ts";
import { sqlStateOf } from "../postgres/sql-state.ts";

export const problems = {
  /** The log of this database cannot be followed as it is set up: realtime, sync and webhooks have to wait. It is tried again. */
  unavailable: (why: string, hint: string, cause?: unknown) =>
    new Problem("changes/unavailable", 503, `Changes of this database cannot be followed: ${why}`, { hint, cause }),
  /** The server is stopping, and follows the log no more. */
  closed: () =>
    new Problem("changes/closed", 503, "The server is stopping.", {
      hint: "Come back to another node, or in a moment.",
    }),
  /** More is to be written into the log than PostgreSQL takes. Nothing of this message was. */
  emitOverloaded: () =>
    new Problem("changes/emit-overloaded", 503, "Too many messages wait to be written into the log.", {
      hint: "Send less at once, or raise MAINSTAY_LOG_EMIT_QUEUE_BYTES.",
      headers: { "Retry-After": "1" },
    }),
};

export const walLevelTooLow = (found: string): Problem =>
  problems.unavailable(
    `wal_level is ${found}.`,
    "Set wal_level = logical (managed services: their switch for logical replication) and restart PostgreSQL.",
  );

/** What keeps us from following until somebody changes something; `null` for what passes by itself. */
export function unavailableBecause(error: unknown): Problem | null {
  if (error instanceof Problem) return error.code === "changes/unavailable" ? error : null;
  const words = error instanceof Error ? error.message : String(error);
  switch (sqlStateOf(error)) {
    case "42501":
      return problems.unavailable(words, "As a superuser: alter role <the database URL's user> replication;", error);
    case "28000":
      return problems.unavailable(words, "Let the user in for replication: see pg_hba.conf and its privileges.", error);
    case "53400":
      return problems.unavailable(words, "Raise max_replication_slots, or drop slots that nobody uses.", error);
    case "53300":
      return problems.unavailable(words, "Raise max_wal_senders and max_connections, or end what nobody uses.", error);
    // A pooler that does not know of replication, by its own words.
    case "08P01":
    case "0A000":
      return problems.unavailable(
        words,
        "Give the URL of the database itself, and not of a pooler or a replica.",
        error,
      );
    default:
      return null;
  }
}
