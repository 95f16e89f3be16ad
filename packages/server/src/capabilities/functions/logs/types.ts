import type { LogLine } from "../types.ts";

export type LogLevel = LogLine["level"];

/** Least serious first: its place is how the database says a level. */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A line on its way into the database: redacted, and as PostgreSQL takes it. */
export interface NewLogRow {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly functionName: string;
  readonly invocationId: string;
  /** What the chain began with. */
  readonly requestId: string;
  readonly message: string;
  /** JSON; `null` when there are none. */
  readonly fields: string | null;
  /** Of an invocation's end. */
  readonly end: { readonly status: number | null; readonly durationMs: number } | null;
}

/** A line as it is kept (`mainstay.function_logs`). */
export interface FunctionLog {
  /** Grows in the order of commits: what is written later has a greater one. */
  readonly id: number;
  /** ISO 8601. */
  readonly at: string;
  readonly level: LogLevel;
  readonly functionName: string;
  /** X-Request-Id of a request; of a job's run `<job>/<attempt>`. */
  readonly invocationId: string;
  /** Of the request, or of the job, that all of it began with. */
  readonly requestId: string;
  readonly message: string;
  readonly fields: unknown;
  /** The invocation's end; its message is what has failed, or empty. */
  readonly isEnd: boolean;
  /** Of the answer of an endpoint, when it is its end. */
  readonly status: number | null;
  readonly durationMs: number | null;
}

export interface FunctionLogFilter {
  readonly functionName?: string;
  /** Of the chain that this request, job or run belongs to. */
  readonly requestId?: string;
  /** At least so serious. */
  readonly level?: LogLevel;
  /** Unix ms. */
  readonly sinceMs?: number;
  /** Only what was written after this line: then the oldest are given, else the newest. */
  readonly after?: number;
  readonly limit: number;
}

/** What was logged, for people: the command line, and the console later. */
export interface FunctionLogs {
  /** The oldest first. */
  list(filter: FunctionLogFilter): Promise<readonly FunctionLog[]>;
  /** Of the last line there is; 0 when there is none. */
  lastId(): Promise<number>;
}
