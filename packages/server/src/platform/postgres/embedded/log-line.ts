/** One entry of PostgreSQL's log, as our `log_line_prefix` lays it out: `2026-11-21 12:06:31.419 UTC [8688] LOG:  text`. */
export interface LogEntry {
  /** Lower-case severity: `log`, `warning`, `fatal` …; `output` for what did not come from PostgreSQL's logger. */
  readonly level: string;
  /** `null` for foreign output. */
  readonly pid: number | null;
  readonly message: string;
}

export const logLinePrefix = "%m [%p] ";

const pattern = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \S+ \[(\d+)\] ([A-Z]+\d?):\s+(.*)$/;

export function parseLogLine(line: string): LogEntry {
  const match = pattern.exec(line);
  return match === null
    ? { level: "output", pid: null, message: line }
    : { level: match[2]!.toLowerCase(), pid: Number(match[1]), message: match[3]! };
}
