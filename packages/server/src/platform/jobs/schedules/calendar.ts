import { Cron, type CronOptions } from "croner";
import { scheduleProblems } from "./problems.ts";

/** When something is due, for ever. Times are Unix ms, whole seconds. */
export interface Calendar {
  /** The first time after this one; `null` when there is none any more. */
  after(ms: number): number | null;
  /** The last `limit` times from `fromMs` (which is one, or before one) to `toMs`, both included; the earliest first. */
  between(fromMs: number, toMs: number, limit: number): readonly number[];
}

/** Words for whole expressions, as Vixie cron has them. */
const nickname = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/i;
const fieldCount = { min: 5, max: 6 };

/**
 * Reads an expression of five fields, or six with seconds first: `*`, numbers, names, lists, ranges, steps, `L` for the last day of the
 * month, `5#2` for the second Friday. When both day and weekday are given, either makes a day (Vixie cron).
 *
 * Clocks that change: an expression that names times of the day (no `*` or step in second, minute and hour) is due once on each of its days;
 * a time that the day leaves out is due at the first moment after the gap, one that comes twice the first time. Every other expression
 * follows the clock on the wall: what is left out does not come, what comes twice comes twice.
 * @param timeZone IANA name
 * @throws Problem `jobs/bad-schedule`
 */
export function calendarOf(expression: string, timeZone: string): Calendar {
  const trimmed = expression.trim();
  const fields = trimmed.split(/\s+/).length;
  if (!nickname.test(trimmed) && (fields < fieldCount.min || fields > fieldCount.max || trimmed.includes("?"))) {
    throw scheduleProblems.badSchedule(expression, "it must have five or six fields");
  }
  return cronCalendar(trimmed, expression, { timezone: zoneOf(timeZone, expression) });
}

/** @param written as its author knows it */
export function cronCalendar(pattern: string, written: string, options: CronOptions): Calendar {
  let cron: Cron;
  try {
    cron = new Cron(pattern, { ...options, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", paused: true });
  } catch (error) {
    throw scheduleProblems.badSchedule(
      written,
      (error as Error).message.replace(/^CronPattern: /, "").replace(/\.$/, ""),
    );
  }
  return {
    after: (ms) => cron.nextRun(new Date(ms))?.getTime() ?? null,
    between(fromMs, toMs, limit) {
      if (limit < 1 || toMs < fromMs) return [];
      // Times before a whole second are asked for, so the one that begins at it must not be the last.
      const end = new Date(Math.floor(toMs / 1_000) * 1_000 + 1_000);
      return cron
        .previousRuns(limit, end)
        .map((date) => date.getTime())
        .filter((ms) => ms >= fromMs)
        .reverse();
    },
  };
}

/** Every so many ms, counted from any of its times. */
export function intervalCalendar(everyMs: number): Calendar {
  return {
    after: (ms) => ms + everyMs,
    between(fromMs, toMs, limit) {
      const count = Math.floor((toMs - fromMs) / everyMs) + 1;
      const kept = Math.max(0, Math.min(count, limit));
      return Array.from({ length: kept }, (_, index) => fromMs + (count - kept + index) * everyMs);
    },
  };
}

/** @throws Problem `jobs/bad-schedule` when there is no such zone */
export function zoneOf(timeZone: string, expression: string): string {
  try {
    // Offsets (`+02:00`) are zones to Intl; they know no summer, and whoever writes one does not mean that.
    if (!/^[a-z]/i.test(timeZone)) throw new RangeError();
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
  } catch {
    throw scheduleProblems.badSchedule(expression, `there is no time zone "${timeZone}"`);
  }
}
