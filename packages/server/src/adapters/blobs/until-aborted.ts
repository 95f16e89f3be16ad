/**
 * The source, until the signal says that it is enough: also while the source is waited for, and then without waiting until it has noticed.
 * Rejects with the signal's reason.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  signal.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  // One promise for each chunk: a race against one that lasts would keep every chunk for as long.
  let refuse: ((reason: unknown) => void) | null = null;
  const nextOrAborted = (): Promise<IteratorResult<T>> =>
    new Promise((resolve, reject) => {
      refuse = reject;
      iterator.next().then(resolve, reject);
    });
  const abort = (): void => refuse?.(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let isOver = false;
  try {
    for (;;) {
      const next = await nextOrAborted();
      if (next.done) {
        isOver = true;
        return;
      }
      yield next.value;
      signal.throwIfAborted();
    }
  } catch (error) {
    // A source that has failed is over; one that is still busy is told, and not waited for.
    if (signal.aborted) iterator.return?.()?.then(undefined, () => {});
    isOver = true;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    if (!isOver) await iterator.return?.();
  }
}
