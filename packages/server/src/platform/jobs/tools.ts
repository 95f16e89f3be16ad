import type { Database } from "../postgres/database.ts";
import { jobsOverviewStore } from "./overview-store.ts";
import { schedulesStore } from "./schedules/store.ts";
import type { ScheduleInfo } from "./schedules/types.ts";
import { type JobRow, jobsStore } from "./store.ts";
import type { JobFilter, Json } from "./types.ts";

/** A step of a workflow: done, or what it is at. */
export interface JobStep {
  readonly name: string;
  readonly kind: "done" | "sleep" | "wait";
  /** Of one that is done. */
  readonly value: Json;
  /** ISO 8601: when it was done, or began to sleep or wait. */
  readonly at: string;
  /** ISO 8601: until when it sleeps or waits; `null` for ever, or of one that is done. */
  readonly until: string | null;
}

/** What a workflow waits for. */
export interface JobWait {
  readonly step: string;
  readonly event: string;
  readonly key: string | null;
  readonly until: string | null;
}

/** A job as it is kept; `maxAttempts`: `null` when that is its handler's to say. */
export type KeptJob = JobRow;

export interface JobDetails extends KeptJob {
  readonly steps: readonly JobStep[];
  readonly wait: JobWait | null;
  /** The server that runs it. */
  readonly node: string | null;
}

/** How many jobs of a queue there are, by what they wait for, and its limits. */
export interface JobQueue {
  readonly name: string;
  /** Could run now. */
  readonly ready: number;
  readonly running: number;
  /** Have a time, or are between attempts. */
  readonly later: number;
  /** Behind others of their order key. */
  readonly behind: number;
  /** For events. */
  readonly waiting: number;
  readonly dead: number;
  /** Since when the oldest of `ready` could run. */
  readonly oldestReadyMs: number | null;
  /** Over all servers; `null`: no limit. */
  readonly concurrency: number | null;
  readonly isPaused: boolean;
}

/** Jobs of a name that need somebody to look. */
export interface JobTrouble {
  readonly name: string;
  readonly dead: number;
  /** Could have run for long, and no server has taken them. */
  readonly late: number;
  /** Of servers that are gone. */
  readonly abandoned: number;
}

export interface LateSchedule {
  readonly owner: string;
  readonly name: string;
  /** ISO 8601; `null`: no server has read when it is due. */
  readonly dueAt: string | null;
}

/** What people look at and do about jobs: the command line, and the console later. Of all servers, whether one runs or none. */
export interface JobTools {
  /** The newest first. */
  list(filter: JobFilter): Promise<readonly KeptJob[]>;
  find(id: string): Promise<JobDetails | null>;
  /** Runs one that is dead or cancelled again. @returns whether there was one */
  retry(id: string): Promise<boolean>;
  /** Runs dead ones again, the oldest first, at most so many. @returns how many */
  retryDead(filter: { readonly name?: string; readonly limit: number }): Promise<number>;
  /** @returns whether there was something to cancel */
  cancel(id: string): Promise<boolean>;
  /** Those that have jobs, or limits. */
  queues(): Promise<readonly JobQueue[]>;
  /** What runs goes on; nothing else is begun until `resume`, on whatever server. */
  pause(queue: string): Promise<void>;
  resume(queue: string): Promise<void>;
  schedules(limit: number): Promise<readonly ScheduleInfo[]>;
  /** What is late by so much, of all names. */
  trouble(lateMs: number): Promise<readonly JobTrouble[]>;
  lateSchedules(lateMs: number): Promise<readonly LateSchedule[]>;
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function createJobTools(db: Pick<Database, "query">): JobTools {
  return {
    list: (filter) => jobsStore.list(db, filter),
    async find(id) {
      const row = uuid.test(id) ? await jobsStore.get(db, id) : null;
      if (row === null) return null;
      const [steps, wait, node] = await Promise.all([
        jobsOverviewStore.steps(db, id),
        jobsOverviewStore.wait(db, id),
        jobsOverviewStore.nodeOf(db, id),
      ]);
      return { ...row, steps, wait, node };
    },
    retry: async (id) => uuid.test(id) && jobsStore.retry(db, id),
    retryDead: ({ name = null, limit }) => jobsOverviewStore.retryDead(db, name, limit),
    cancel: async (id) => uuid.test(id) && jobsStore.cancel(db, id),
    queues: () => jobsOverviewStore.queues(db),
    pause: (queue) => jobsOverviewStore.pause(db, queue, true),
    resume: (queue) => jobsOverviewStore.pause(db, queue, false),
    schedules: (limit) => schedulesStore.list(db, limit),
    trouble: (lateMs) => jobsOverviewStore.trouble(db, lateMs),
    lateSchedules: (lateMs) => jobsOverviewStore.lateSchedules(db, lateMs),
  };
}
