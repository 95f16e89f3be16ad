import { type Calendar, cronCalendar, intervalCalendar, zoneOf } from "../schedules/calendar.ts";

/** `@restart` is due once with every start of PostgreSQL. The database knows when that was: the calendar has no time of its own. */
export const isAtRestart = (schedule: string): boolean => /^\s*@re(boot|start)\s*$/i.test(schedule);

const never: Calendar = { after: () => null, between: (fromMs, toMs) => (fromMs <= toMs ? [fromMs] : []) };

interface Field {
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}
const fields: readonly Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  { low: 0, high: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/**
 * Reads what pg_cron takes (https://github.com/citusdata/pg_cron#cron-syntax), which the database has checked when it was scheduled
 * (`mainstay.is_cron_schedule`): `30 seconds`, five fields of Vixie cron with `$` for the last day of the month, or a word. A field
 * that begins with `*` makes day and weekday be asked for both, also with a step; otherwise either will do.
 * @throws Problem `jobs/bad-schedule`
 */
export function sqlCronCalendar(schedule: string, timeZone: string): Calendar {
  const text = schedule.trim().toLowerCase();
  if (isAtRestart(text)) return never;
  const seconds = /^(\d+)\s*seconds?$/.exec(text)?.[1];
  if (seconds !== undefined) return intervalCalendar(Number(seconds) * 1_000);
  const options = { timezone: zoneOf(timeZone === "GMT" ? "UTC" : timeZone, schedule) };
  if (text.startsWith("@")) return cronCalendar(text, schedule, options);
  const parts = text.split(/\s+/);
  const [days = "", weekdays = ""] = [parts[2], parts[4]];
  const domAndDow = days.startsWith("*") || weekdays.startsWith("*");
  const pattern = parts.map((part, index) => (part === "$" ? "L" : expand(part, index))).join(" ");
  return cronCalendar(pattern, schedule, { ...options, domAndDow });
}

/** A field as a list of numbers. A star stays one in minute and hour: it says how clocks that change are met. What cannot be read croner refuses. */
function expand(text: string, index: number): string {
  const field = fields[index];
  const isTimeOfDay = index < 2;
  if (field === undefined || text === "*" || (isTimeOfDay && text.startsWith("*"))) return text;
  const { low, high, names = [] } = field;
  const numberOf = (word: string): number => (names.includes(word) ? names.indexOf(word) + low : Number(word));
  const values = text.split(",").flatMap((element) => {
    const [range = "", step = "1"] = element.split("/");
    const [first = "", last = first] = range === "*" ? [String(low), String(high)] : range.split("-");
    const numbers: number[] = [];
    for (let value = numberOf(first); value <= numberOf(last); value += Math.max(1, Number(step))) numbers.push(value);
    return numbers;
  });
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  return sorted.length === 0 ? text : sorted.join(",");
}
