import { readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { Problem } from "../../../kernel/problem.ts";
import { imageProblems } from "./problems.ts";

/** Why a process has ended that nobody here has ended. */
export function reasonOfEnd(endedBy: NodeJS.Signals | null): Problem {
  switch (endedBy) {
    // The kernel's, when the machine has no memory left.
    case "SIGKILL":
      return imageProblems.tooLarge("The image takes too much memory to be transformed.");
    case "SIGSEGV":
    case "SIGBUS":
    case "SIGILL":
    case "SIGFPE":
    case "SIGABRT":
      return imageProblems.notAnImage();
    default:
      return imageProblems.stopped();
  }
}

/** What a process has in memory; `null` where the system does not say, or it is gone. */
export function residentBytes(pid: number | undefined): number | null {
  try {
    // Memory of the kernel's, not of a disk: it takes some microseconds.
    const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1_024;
  } catch {
    return null;
  }
}

/** Requests go first, and when memory is short this is what the kernel ends. Where neither can be said it works as well. */
export function standBack(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {}
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {}
}
