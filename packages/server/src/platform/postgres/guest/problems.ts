import { Problem } from "../../../kernel/problem.ts";

export const guestProblems = {
  /** All connections for transactions of functions are taken (`functionsTransactions`): do not wait for others within one. */
  busy: (waitedMs: number, cause?: unknown) =>
    new Problem("transaction/busy", 503, `No connection for a transaction became free within ${waitedMs} ms.`, {
      hint: "Keep transactions short, or raise MAINSTAY_FUNCTIONS_TRANSACTIONS.",
      headers: { "Retry-After": "1" },
      cause,
    }),
  /** A statement would begin or end the transaction, which is for the function that it is given to. */
  control: (word: string) =>
    new Problem("transaction/control", 400, `A transaction takes no \`${word}\`.`, {
      hint: "It commits when its function resolves, and rolls back when that throws. Use savepoints for parts of it.",
    }),
  /** The transaction is over: committed, rolled back, idle for too long (`functionsTransactionIdleMs`), or its connection was lost. Nothing of it is kept unless it was committed. */
  over: (why: string) => new Problem("transaction/over", 409, `The transaction is over: ${why}.`),
  /** The rows take more room than one answer may have (`functionsRowsBytes`). */
  tooLarge: (limitBytes: number) =>
    new Problem("transaction/too-large", 413, `The rows take more than ${limitBytes} bytes.`, {
      hint: "Ask for fewer rows or columns, in pages, or raise MAINSTAY_FUNCTIONS_ROWS_BYTES.",
    }),
};
