import { readdirSync, readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

const tasks = "/proc/self/task";

/**
 * Lets everything else go before the threads that compute password hashes: on a machine whose processors are all hashing, requests
 * that need a moment would each wait for a hash to be done (threat A26). Linux schedules threads by a priority of their own
 * (setpriority(2), Notes); elsewhere nothing happens. Called when the threads are there, after a first hash.
 */
export function yieldToRequests(): void {
  try {
    for (const id of readdirSync(tasks)) {
      if (readFileSync(`${tasks}/${id}/comm`, "latin1").trim() !== "libuv-worker") continue;
      setPriority(Number(id), constants.priority.PRIORITY_BELOW_NORMAL);
    }
  } catch {
    // No such folder, or no such right: hashing goes on as it was.
  }
}
