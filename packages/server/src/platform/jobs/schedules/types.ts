import type { Json } from "../types.ts";

/** What of runs that were due while nobody was there: the last of them, each (so many as a setting allows), or none. */
export type Missed = "once" | "all" | "skip";

/** Makes a job of `jobName` whenever the expression says so. */
export interface NewSchedule {
  /** Unique among those of its owner: under it is remembered what has run. */
  readonly name: string;
  /** Five fields, or six with seconds first (`calendarOf`). */
  readonly expression: string;
  /** IANA name; `UTC` when left out. */
  readonly timeZone?: string;
  /** `once` when left out. */
  readonly missed?: Missed;
  readonly jobName: string;
  /** Handed to each run's job as `payload` of a `ScheduledRun`. */
  readonly payload?: Json;
  readonly queue?: string;
  readonly priority?: number;
  readonly orderKey?: string;
  readonly maxAttempts?: number;
}

/** The payload of a job that a schedule has made. A type and no interface: it is JSON. */
export type ScheduledRun = {
  /** The schedule's name. */
  readonly schedule: string;
  /** When it was due: ISO 8601, in UTC. */
  readonly scheduledAt: string;
  readonly payload: Json;
};

export interface ScheduleInfo {
  readonly owner: string;
  readonly name: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly missed: Missed;
  readonly jobName: string;
  /** ISO 8601; `null` when it never will, or it is not known yet. */
  readonly nextRunAt: string | null;
  readonly lastRunAt: string | null;
}

/** Schedules of one database, as this node sees them. */
export interface Schedules {
  /**
   * Makes these the owner's schedules: others of its are removed, equal ones left as they are, so that they miss nothing and run nothing twice.
   * Waits for PostgreSQL. @throws Problem `jobs/bad-schedule`, and then nothing has changed
   */
  define(schedules: readonly NewSchedule[], owner: string): Promise<void>;
  /** All there are, by owner and name; at most so many. */
  list(limit?: number): Promise<readonly ScheduleInfo[]>;
  start(): Promise<void>;
  stop(): Promise<void>;
}
