import { Problem } from "../../../kernel/problem.ts";

export const stepProblems = {
  /** A step of a workflow has no name, or too long a one. */
  badName: (name: string) =>
    new Problem("jobs/bad-step-name", 400, `"${name.slice(0, 50)}" is no name of a step: it has 1 to 200 characters.`),
  /** Two steps of one run have the same name, so that nobody could tell what was done. Names are unique within a job. */
  nameTaken: (name: string) =>
    new Problem("jobs/step-taken", 409, `This job has a step "${name}" already.`, {
      hint: "Give every step of a workflow a name of its own; in a loop, with its number.",
    }),
  /** What a step gave is larger than is kept. Keep it in a table or a file, and its key in the step. */
  tooLarge: (name: string, limitBytes: number) =>
    new Problem("jobs/step-too-large", 413, `The value of the step "${name}" is larger than ${limitBytes} bytes.`, {
      hint: "Keep it in a table or a file and return its key, or raise MAINSTAY_JOBS_STEP_MAX_BYTES.",
    }),
  /** A workflow has more steps than are kept for one. Split it into several jobs. */
  tooMany: (limit: number) =>
    new Problem("jobs/too-many-steps", 409, `A job has at most ${limit} steps.`, {
      hint: "Split it into several jobs, or raise MAINSTAY_JOBS_STEPS_MAX.",
    }),
};
