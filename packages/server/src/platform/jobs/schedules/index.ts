import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database, Queryable } from "../../postgres/database.ts";
import type { StopListening } from "../../postgres/listener.ts";
import type { jobsSettings } from "../settings.ts";
import { isAtRestart, sqlCronCalendar } from "../sql-cron/grammar.ts";
import { sqlCronOwner } from "../sql-cron/types.ts";
import type { Jobs, NewJob } from "../types.ts";
import { type Calendar, calendarOf } from "./calendar.ts";
import { dueRuns } from "./due.ts";
import { DueTimer } from "./due-timer.ts";
import { scheduleProblems } from "./problems.ts";
import { type DueRow, type RunOptions, type Settled, schedulesChannel, schedulesStore } from "./store.ts";
import type { NewSchedule, ScheduledRun, Schedules } from "./types.ts";

export { calendarOf } from "./calendar.ts";
export type { Missed, NewSchedule, ScheduledRun, ScheduleInfo, Schedules } from "./types.ts";

export interface SchedulesNeeds {
  readonly db: Pick<Database, "query" | "background" | "transaction" | "listen">;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly settings: Pick<
    Values<typeof jobsSettings>,
    "schedulesLookMs" | "schedulesGraceMs" | "schedulesMissedMax" | "schedulesClockBackMs"
  >;
  readonly observe: Observe;
}

/** Schedules that one transaction settles. */
const batchSize = 100;
const nameMaxLength = 200;
/** Calendars that are kept read. */
const calendarsMax = 1_000;

/** What runs on time, on whatever node: every run becomes one job, in the transaction that moves the schedule on. */
export function createSchedules(needs: SchedulesNeeds): Schedules {
  const { db, jobs, settings, observe } = needs;
  const calendars = new Map<string, Calendar>();
  let stopListening: StopListening | null = null;
  let startedAtMs: number | null = null;
  const timer = new DueTimer({ look, lookMs: settings.schedulesLookMs, observe, area: "schedules" });

  return {
    async define(schedules, owner) {
      const names = new Set<string>();
      for (const { name, expression, timeZone = "UTC" } of schedules) {
        calendarOf(expression, timeZone);
        if (name === "" || name.length > nameMaxLength || names.has(name)) {
          throw scheduleProblems.badSchedule(name, `a name has 1 to ${nameMaxLength} characters and is there once`);
        }
        names.add(name);
      }
      await db.transaction((tx) => schedulesStore.define(tx, owner, schedules.map(withOptions)));
    },
    list: (limit = 1_000) => schedulesStore.list(db, limit),
    async start() {
      stopListening = await db.listen([schedulesChannel], () => timer.wake());
      timer.start();
    },
    async stop() {
      await stopListening?.();
      stopListening = null;
      await timer.stop();
    },
  };

  async function look(): Promise<number | null> {
    const { schedulesClockBackMs } = settings;
    let outlook = await schedulesStore.outlook(db.background, schedulesClockBackMs);
    if (outlook.isAhead) await schedulesStore.recover(db, schedulesClockBackMs);
    if (outlook.startedAtMs !== startedAtMs) {
      await schedulesStore.restarted(db, sqlCronOwner);
      startedAtMs = outlook.startedAtMs;
      outlook = await schedulesStore.outlook(db.background, schedulesClockBackMs);
    }
    while (outlook.isAhead || outlook.hasUnplanned || (outlook.dueInMs !== null && outlook.dueInMs <= 0)) {
      const settled = await db.transaction(settleDue);
      outlook = await schedulesStore.outlook(db.background, schedulesClockBackMs);
      // What is left is in the hands of another node, which may die over it.
      if (settled === 0) return outlook.hasUnplanned ? 0 : outlook.dueInMs;
    }
    return outlook.dueInMs;
  }

  /** @returns how many schedules have moved on */
  async function settleDue(tx: Queryable): Promise<number> {
    const rows = await schedulesStore.claim(tx, batchSize);
    if (rows.length === 0) return 0;
    const made: NewJob[] = [];
    const settled: Settled[] = [];
    for (const row of rows) {
      const { runsMs, nextRunAtMs, lastRunAtMs } = runsOf(row);
      const { owner, name } = row;
      for (const runMs of runsMs) made.push(jobOf(row, runMs));
      settled.push({ owner, name, nextRunAtMs, lastRunAtMs });
    }
    const wanted = await schedulesStore.withoutCrowd(tx, made, rows);
    if (wanted.length > 0) await jobs.enqueue(tx, wanted);
    await schedulesStore.settle(tx, settled);
    return rows.length;
  }

  function runsOf(row: DueRow): Omit<Settled, "owner" | "name"> & { readonly runsMs: readonly number[] } {
    const { nowMs, missed, lastRunAtMs, definedAtMs } = row;
    if (row.owner === sqlCronOwner && isAtRestart(row.expression)) {
      const isDue = row.startedAtMs > Math.max(lastRunAtMs ?? 0, definedAtMs);
      const runsMs = isDue ? [row.startedAtMs] : [];
      return { runsMs, nextRunAtMs: null, lastRunAtMs: runsMs[0] ?? lastRunAtMs };
    }
    const calendar = readCalendar(row);
    if (calendar === null) return { runsMs: [], nextRunAtMs: null, lastRunAtMs };
    const plannedMs = row.nextRunAtMs ?? calendar.after(Math.max(definedAtMs, lastRunAtMs ?? 0));
    if (plannedMs === null || plannedMs > nowMs) return { runsMs: [], nextRunAtMs: plannedMs, lastRunAtMs };
    const { schedulesGraceMs: graceMs, schedulesMissedMax: missedMax } = settings;
    const due = dueRuns({ calendar, nextRunAtMs: plannedMs, nowMs, missed, graceMs, missedMax });
    return { ...due, lastRunAtMs: due.runsMs.at(-1) ?? lastRunAtMs };
  }

  /** `null` for what cannot be read: another version of the server has written it, and will again when it knows better. */
  function readCalendar({ owner, name, expression, timeZone }: DueRow): Calendar | null {
    const key = `${owner === sqlCronOwner}/${timeZone}/${expression}`;
    const known = calendars.get(key);
    if (known !== undefined) return known;
    try {
      const calendar = (owner === sqlCronOwner ? sqlCronCalendar : calendarOf)(expression, timeZone);
      if (calendars.size >= calendarsMax) calendars.clear();
      calendars.set(key, calendar);
      return calendar;
    } catch (error) {
      const message = `The schedule "${name}" of ${owner} does not run: ${(error as Error).message}`;
      observe({ kind: "warning", area: "schedules", message });
      return null;
    }
  }
}

function jobOf({ owner, name, jobName, payload, options }: DueRow, runMs: number): NewJob {
  const scheduledAt = new Date(runMs).toISOString();
  const { waitingMax: _, ...given } = options;
  const run: ScheduledRun = { schedule: name, scheduledAt, payload };
  return { ...given, name: jobName, payload: run, key: `${owner}/${name}/${scheduledAt}` };
}

function withOptions(schedule: NewSchedule): NewSchedule & { options: RunOptions } {
  const { queue, priority, orderKey, maxAttempts } = schedule;
  const options = {
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority }),
    ...(orderKey === undefined ? {} : { orderKey }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
  return { ...schedule, options };
}
