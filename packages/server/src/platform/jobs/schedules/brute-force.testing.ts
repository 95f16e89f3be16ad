/** Another reading of expressions, to hold the calendar against: every second is asked whether it fits. */
export interface Wall {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  readonly daysInMonth: number;
}

/** What a clock on the wall of this zone shows. */
export function wallClock(timeZone: string): (ms: number) => Wall {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (ms) => {
    const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
    const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
    return { second, minute, hour, day, month, weekday, daysInMonth: new Date(Date.UTC(year, month, 0)).getUTCDate() };
  };
}

/** Whether one number fits one field: `*`, lists, ranges and steps of numbers. */
export function fits(field: string, value: number, low: number, high: number): boolean {
  return field.split(",").some((element) => {
    const [range = "", step] = element.split("/");
    const [from = "", to = from] = range === "*" ? [`${low}`, `${high}`] : range.split("-");
    return value >= Number(from) && value <= Number(to) && (value - Number(from)) % Number(step ?? 1) === 0;
  });
}

/** Whether the wall shows a time that the expression means; day and weekday by Vixie's rule. */
export function means(expression: string, wall: Wall, isStar: (field: string) => boolean): boolean {
  const fields = expression.split(" ");
  const [second, minute, hour, day, month, weekday] = fields.length === 5 ? ["0", ...fields] : fields;
  const isDay = day === "L" || day === "$" ? wall.day === wall.daysInMonth : fits(day!, wall.day, 1, 31);
  const isWeekday = fits(weekday!, wall.weekday, 0, 6) || (wall.weekday === 0 && fits(weekday!, 7, 0, 7));
  const isOneOfBoth = !isStar(day!) && !isStar(weekday!);
  return (
    fits(second!, wall.second, 0, 59) &&
    fits(minute!, wall.minute, 0, 59) &&
    fits(hour!, wall.hour, 0, 23) &&
    fits(month!, wall.month, 1, 12) &&
    (isOneOfBoth ? isDay || isWeekday : isDay && isWeekday)
  );
}
