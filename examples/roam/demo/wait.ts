import { setTimeout as sleep } from "node:timers/promises";

/** Longer than anything here takes, and short enough for somebody who watches. In ms. */
const patienceMs = 20_000;
const lookEveryMs = 100;

/** Looks until there is something. @throws Error naming `what` when it does not come in time */
export async function until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  const endMs = performance.now() + patienceMs;
  do {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    await sleep(lookEveryMs);
  } while (performance.now() < endMs);
  throw new Error(`${what} did not come`);
}
