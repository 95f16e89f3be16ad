import type { Calendar } from "./calendar.ts";
import type { Missed } from "./types.ts";

export interface DueNeeds {
  readonly calendar: Calendar;
  /** The first time that is not settled yet. */
  readonly nextRunAtMs: number;
  readonly nowMs: number;
  readonly missed: Missed;
  /** A run so late is not missed yet. */
  readonly graceMs: number;
  /** Of those missed, at most so many, the latest. */
  readonly missedMax: number;
}

export interface Due {
  /** When the runs were due that are to be made now; the earliest first. */
  readonly runsMs: readonly number[];
  /** The first time after now; `null` when there is none any more. */
  readonly nextRunAtMs: number | null;
}

/** What is to be run of a schedule that is due. Pure: whoever else asks with the same gets the same. */
export function dueRuns(needs: DueNeeds): Due {
  const { calendar, nextRunAtMs, nowMs, missed, graceMs, missedMax } = needs;
  const lateBefore = nowMs - graceMs;
  // No calendar has more than one time a second.
  const fresh = calendar.between(nextRunAtMs, nowMs, Math.ceil(graceMs / 1_000) + 1).filter((ms) => ms >= lateBefore);
  return {
    runsMs: [...makeUpFor(), ...fresh],
    nextRunAtMs: calendar.after(fresh.at(-1) ?? lastSettled()),
  };

  function makeUpFor(): readonly number[] {
    if (missed === "skip" || nextRunAtMs >= lateBefore) return [];
    // One that is on time makes up for those before it.
    if (missed === "once" && fresh.length > 0) return [];
    const limit = missed === "once" ? 1 : missedMax;
    return calendar.between(nextRunAtMs, (fresh[0] ?? nowMs + 1) - 1, limit);
  }

  /** The last time that is over: an interval goes on in its rhythm. */
  function lastSettled(): number {
    return calendar.between(nextRunAtMs, nowMs, 1)[0] ?? nowMs;
  }
}
