import type { Values } from "../../kernel/settings.ts";
import { jobsProblems } from "./problems.ts";
import type { jobsSettings } from "./settings.ts";
import type { Json, NewJob } from "./types.ts";

type Limits = Pick<Values<typeof jobsSettings>, "jobsPayloadMaxBytes" | "jobsEnqueueMax">;

/** Whole milliseconds that a date can have. */
const farthestMs = 8.64e15;

/** @throws Problem `jobs/invalid`, `jobs/too-large`, `jobs/too-many` */
export function checkJobs(jobs: readonly NewJob[], limits: Limits): void {
  if (jobs.length > limits.jobsEnqueueMax) throw jobsProblems.tooMany(limits.jobsEnqueueMax);
  for (const job of jobs) checkJob(job, limits);
}

function checkJob(job: NewJob, { jobsPayloadMaxBytes }: Limits): void {
  checkText("name", job.name, 1, 200);
  if (job.queue !== undefined) checkText("queue", job.queue, 1, 200);
  if (job.key != null) checkText("key", job.key, 0, 500);
  if (job.orderKey != null) checkText("order key", job.orderKey, 0, 500);
  if (job.causedBy != null) checkText("cause", job.causedBy, 0, 200);
  checkNumber("priority", job.priority, -32_768, 32_767, true);
  checkNumber("attempts", job.maxAttempts, 1, 10_000, true);
  checkNumber("time", job.runAtMs, -farthestMs, farthestMs, false);
  checkNumber("delay", job.delayMs, -farthestMs, farthestMs, false);
  const text = JSON.stringify(job.payload) as string | undefined;
  if (text === undefined) throw jobsProblems.invalid("The payload of a job must be JSON.");
  if (!isStorable(text))
    throw jobsProblems.invalid("The payload of a job has a character that PostgreSQL cannot keep.");
  if (Buffer.byteLength(text) > jobsPayloadMaxBytes) throw jobsProblems.tooLarge(jobsPayloadMaxBytes);
}

/** PostgreSQL's jsonb keeps neither NUL nor half of a surrogate pair; JSON has both as escapes, which a backslash of the text itself may look like. */
export function isStorable(json: string): boolean {
  return !/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i.test(json);
}

/** The result of a run, as JSON that can be kept. `undefined` when there is none. @throws Problem */
export function resultOf(
  result: Json | undefined,
  { jobsPayloadMaxBytes }: Pick<Limits, "jobsPayloadMaxBytes">,
): Json | undefined {
  if (result === undefined || result === null) return undefined;
  const text = JSON.stringify(result) as string | undefined;
  if (text === undefined) return undefined;
  if (!isStorable(text)) throw jobsProblems.invalid("The result of a job has a character that PostgreSQL cannot keep.");
  if (Buffer.byteLength(text) > jobsPayloadMaxBytes) throw jobsProblems.tooLarge(jobsPayloadMaxBytes);
  return result;
}

function checkText(what: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "string" || value.includes("\0") || !value.isWellFormed()) {
    throw jobsProblems.invalid(`The ${what} of a job must be text.`);
  }
  const length = [...value].length;
  if (length < least || length > most) {
    throw jobsProblems.invalid(`The ${what} of a job must have ${least} to ${most} characters.`);
  }
}

function checkNumber(what: string, value: unknown, least: number, most: number, isWhole: boolean): void {
  if (value === undefined) return;
  const isRight = isWhole ? Number.isInteger(value) : Number.isFinite(value);
  if (!isRight || (value as number) < least || (value as number) > most) {
    throw jobsProblems.invalid(
      `The ${what} of a job must be a ${isWhole ? "whole " : ""}number from ${least} to ${most}.`,
    );
  }
}
