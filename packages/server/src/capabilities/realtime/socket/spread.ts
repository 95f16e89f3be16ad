const tickMs = 50;

/** Does `work` for each of `all`, the first at once and the last after `overMs` at the latest; a few are done sooner. */
export function spreadOver<T>(all: Iterable<T>, overMs: number, work: (one: T) => void): void {
  const waiting = [...all];
  const ticks = Math.max(1, Math.ceil(overMs / tickMs));
  const perTick = Math.ceil(waiting.length / ticks);
  const step = (): void => {
    for (const one of waiting.splice(0, perTick)) work(one);
    if (waiting.length === 0) clearInterval(timer);
  };
  const timer = setInterval(step, tickMs).unref();
  step();
}
