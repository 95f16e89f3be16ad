import { setTimeout as wait } from "node:timers/promises";

/** std/async, as far as functions use it. */
export async function delay(ms: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  await wait(ms, undefined, options);
}

export async function deadline<T>(work: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  const late = wait(ms, undefined, { signal: over.signal }).then(() => {
    throw new DOMException("Signal timed out.", "TimeoutError");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => {});
    over.abort();
  }
}
