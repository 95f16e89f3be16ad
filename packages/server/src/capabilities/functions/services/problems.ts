import { Problem } from "../../../kernel/problem.ts";

/** What services for functions refuse. A function gets them as errors with these codes. */
export const serviceProblems = {
  /** A function asked for something in a way that cannot be meant. The message says which argument, and what it should be. */
  invalidArgument: (service: string, what: string) =>
    new Problem("functions/invalid-argument", 400, `${service}: ${what}.`),
  /** Names of jobs that begin with `mainstay.` are the server's own. */
  reservedName: (name: string) =>
    new Problem(
      "functions/reserved-name",
      400,
      `"${name}" cannot be enqueued: names that begin with "mainstay." are the server's own.`,
      { hint: "Choose another name." },
    ),
  /** The transaction is none of this invocation's, or is over: its function has resolved or thrown, or it was idle for too long. */
  noTransaction: () =>
    new Problem("functions/no-transaction", 409, "This transaction is not open.", {
      hint: "Wait for every statement (`await`) before the transaction's function ends.",
    }),
  /** One invocation has more transactions open than it may (`functionsTransactionsEach`). */
  tooManyTransactions: (limit: number) =>
    new Problem("functions/too-many-transactions", 429, `An invocation may have ${limit} transactions open at once.`, {
      hint: "Do it in one transaction, or one after another.",
    }),
  /** `ctx.db` and its like reach this project only. Use `ctx.fetch` for everything else. */
  notOurs: () => new Problem("functions/not-ours", 400, "This URL is not of this project."),
};
