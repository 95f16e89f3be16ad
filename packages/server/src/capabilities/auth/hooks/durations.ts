/** How many calls are remembered. */
const size = 64;

/** How long something took lately, to be imitated where it must not be done. */
export function createDurations() {
  const recentMs: number[] = [];
  let at = 0;
  return {
    async measured<T>(work: () => Promise<T>): Promise<T> {
      const beganMs = performance.now();
      try {
        return await work();
      } finally {
        recentMs[at] = performance.now() - beganMs;
        at = (at + 1) % size;
      }
    },
    /** One of the recent durations, at random: their spread is imitated, too. 0 before there was one. */
    sampleMs: (): number => recentMs[Math.floor(Math.random() * recentMs.length)] ?? 0,
  };
}
