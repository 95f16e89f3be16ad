/** At most `concurrency` pieces of work at once and `queueLimit` waiting; `refuse` makes the error for more. */
export function createBounded(concurrency: number, queueLimit: number, refuse: () => Error) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async function run<T>(work: () => Promise<T>): Promise<T> {
    if (running >= concurrency) {
      if (waiting.length >= queueLimit) throw refuse();
      // The one who ends hands its place over, so `running` is not touched in between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
