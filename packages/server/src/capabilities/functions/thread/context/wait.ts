import { spanMs } from "../../../../kernel/duration.ts";

/** Longest time that can be waited for, in ms: a hundred years. Beyond it somebody has mistaken a unit. */
const longestMs = 100 * 365 * 86_400_000;

/** How long to wait, in ms. @throws TypeError for what is no duration, or one beyond a hundred years */
export function waitMs(duration: number | string): number {
  const ms = typeof duration === "number" ? duration : spanMs(duration);
  if (ms === null || Number.isNaN(ms) || ms < 0 || ms > longestMs) {
    throw new TypeError(`"${duration}" is no duration: write ms as a number, or such as "3 days", "2h30m", "90 s".`);
  }
  return ms;
}
