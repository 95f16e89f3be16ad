import type { Observe } from "../observe/observation.ts";
import { type ConnectionTarget, openSession, type Session, type SessionSettings } from "./session/index.ts";

/** Each waits for the disk, as every write does; those that wait together are written together. */
const mostConnections = 12;
/** Longest wait for a row that another transaction holds (SQLSTATE 55P03): whoever is next waits behind it. */
const lockTimeoutMs = 5_000;

/** For the few statements of our own that every app asks for all the time. Nothing is opened until the first of them. */
export function openHotSession(
  target: ConnectionTarget,
  needs: { readonly session: SessionSettings & { readonly statementTimeoutMs: number }; readonly observe: Observe },
): Promise<Session> {
  const { session, observe } = needs;
  return openSession({
    target,
    settings: { ...session, writeConnections: Math.min(session.writeConnections, mostConnections) },
    observe,
    // Policies and triggers of the app run in some of them.
    defaults: { lock_timeout: `${lockTimeoutMs}ms`, statement_timeout: `${session.statementTimeoutMs}ms` },
    idleConnections: 0,
  });
}
