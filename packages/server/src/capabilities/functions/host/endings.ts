import type { Problem } from "../../../kernel/problem.ts";
import { problems } from "../problems.ts";
import type { ThreadEnd } from "./thread.ts";

/** What those are told whose invocations a thread had begun, and whether its end is worth a report. */
export function endingOf({ reason }: ThreadEnd): { readonly problem: Problem; readonly isWorth: boolean } {
  switch (reason) {
    case "memory":
      return { problem: problems.workerLimit("it took too much memory."), isWorth: true };
    case "blocked":
      return { problem: problems.workerLimit("it computed too long without a pause."), isWorth: true };
    case "ended":
      return { problem: problems.workerLimit("it took too long."), isWorth: false };
    case "crashed":
    case "process":
      return { problem: problems.workerError(), isWorth: true };
  }
}
