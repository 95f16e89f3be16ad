import { setTimeout as sleep } from "node:timers/promises";

/**
 * Answers no earlier than `ms` after the beginning, whether `work` succeeds or fails. With an account there is a row to write
 * and without one there is not; the wait makes both look alike (threat A16). It holds no connection meanwhile.
 */
export async function atLeast<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + ms;
  try {
    return await work();
  } finally {
    const left = until - performance.now();
    if (left > 0) await sleep(left);
  }
}
