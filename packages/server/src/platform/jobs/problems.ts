import { Problem } from "../../kernel/problem.ts";

/** What can be wrong with a job that is put in. */
export const jobsProblems = {
  /** A job is not as it must be: the message says what. Names and queues have 1 to 200 characters, keys and order keys at most 500. */
  invalid: (message: string) => new Problem("jobs/invalid", 400, message),
  /** The payload of a job, or its result, is larger than `jobsPayloadMaxBytes`. */
  tooLarge: (maxBytes: number) =>
    new Problem("jobs/too-large", 413, `A job's payload or result is larger than ${maxBytes} bytes of JSON.`, {
      hint: "Keep large data in storage or a table, and its name in the job, or raise MAINSTAY_JOBS_PAYLOAD_MAX_BYTES.",
    }),
  /** More jobs in one call than `jobsEnqueueMax`. */
  tooMany: (max: number) =>
    new Problem("jobs/too-many", 413, `One call puts in at most ${max} jobs.`, {
      hint: "Put them in with several calls, or raise MAINSTAY_JOBS_ENQUEUE_MAX.",
    }),
  /** What such a run did in the same transaction is rolled back. */
  claimLost: () =>
    new Problem(
      "jobs/claim-lost",
      409,
      "This run has lost its job: it was cancelled, or another server has it by now.",
      {
        hint: "Let the handler end: nothing that it says of the job counts any more.",
      },
    ),
};
