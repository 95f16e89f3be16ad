import type { PartState } from "../http/health.ts";
import type { Flight, Session } from "./session/index.ts";

const question: Flight = {
  role: "",
  prologue: [],
  statement: { text: "select 1", values: [] },
  lane: "read",
  isRetryable: true,
};

/**
 * What `/health` says of the database: asked the way requests go, and once a second rather than at every probe (threat X10).
 * Not over the ordinary pool: asking would keep a connection of it, and all it ever cached, alive for nothing else.
 */
export function watchDatabase(session: Session, everyMs = 1_000): { state(): PartState; stop(): void } {
  let state: PartState = "ok";
  let isAsking = false;
  const ask = async (): Promise<void> => {
    isAsking = true;
    try {
      await session.fly(question);
      state = "ok";
    } catch {
      state = "unavailable";
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => {
    if (!isAsking) void ask();
  }, everyMs);
  timer.unref();
  return { state: () => state, stop: () => clearInterval(timer) };
}
