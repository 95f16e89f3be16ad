import { Problem } from "../../../kernel/problem.ts";

export const scheduleProblems = {
  /** What says when something runs is no such thing: the expression cannot be read, or there is no such time zone. The message has the reason. */
  badSchedule: (expression: string, reason: string) =>
    new Problem("jobs/bad-schedule", 400, `"${expression}" is no schedule: ${reason}.`, {
      hint: "Write five fields (minute hour day month weekday), or six with seconds first, and an IANA time zone: `0 9 * * 1-5`, `Europe/Berlin`.",
    }),
};
