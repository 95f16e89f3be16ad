import type { BlobStore } from "../../capabilities/storage/ports.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Observe } from "../../platform/observe/observation.ts";

/** Failures that whoever runs the server has to know of: callers see only that there was one. */
const ofTheStore: ReadonlySet<string> = new Set(["storage/store-unavailable", "storage/store-full"]);

/** The same store, whose failing is reported once, and once that it works again. */
export function watched(store: BlobStore, observe: Observe): BlobStore {
  let failing: string | null = null;
  const failed = (error: unknown): void => {
    if (!(error instanceof Problem) || !ofTheStore.has(error.code) || failing === error.code) return;
    failing = error.code;
    observe({ kind: "storage.store-failed", store: store.description, error });
  };
  const worked = (canWrite: boolean): void => {
    // A full store is read as before: only a write tells that there is room.
    if (failing === null || (failing === "storage/store-full" && !canWrite)) return;
    failing = null;
    observe({ kind: "storage.store-recovered", store: store.description });
  };
  const watching = async <T>(work: Promise<T>, canWrite = false): Promise<T> => {
    try {
      const result = await work;
      worked(canWrite);
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  const each = async function* <T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* items;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  return {
    description: store.description,
    write: (...all) => watching(store.write(...all), true),
    async read(...all) {
      const chunks = await watching(store.read(...all));
      return chunks === null ? null : each(chunks);
    },
    readWhole: (...all) => watching(store.readWhole(...all)),
    copy: (...all) => watching(store.copy(...all), true),
    remove: (...all) => watching(store.remove(...all)),
    sizeOf: (...all) => watching(store.sizeOf(...all)),
    list: (...all) => each(store.list(...all)),
    removeLeftovers: (...all) => watching(store.removeLeftovers(...all)),
    close: () => store.close(),
  };
}
