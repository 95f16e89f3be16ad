import { setTimeout as sleep } from "node:timers/promises";

/** Waits while what the log has shown is not visible yet, in ms: the first, and the longest. */
const [firstMs, maxMs] = [1, 50];

/**
 * Asks until what the log has shown is visible: it stands there a moment before others see it, and for as long as a synchronous standby
 * takes. Rejects as `ask` does, or when that is not so after `patienceMs`.
 * @param ask resolves with `null` when it is not
 */
export async function seeing<T>(patienceMs: number, ask: () => Promise<T | null>): Promise<T> {
  const since = performance.now();
  for (let waitMs = firstMs; ; waitMs = Math.min(2 * waitMs, maxMs)) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() - since > patienceMs) throw new Error("What the log has shown is still not visible.");
    await sleep(waitMs);
  }
}
