import type { Database, Queryable } from "../../platform/postgres/database.ts";

/** Leaves work for when a transaction is committed. Outside of one it is done at once. */
export type AfterCommit = (tx: Queryable, work: () => Promise<void>) => Promise<void>;

/**
 * A database whose transactions do, once they are committed, what was left for then: before `transaction` resolves, with the
 * connection given back. For what must not happen where the transaction is rolled back, and must not hold it open.
 * Work left behind must not throw: what it is about has happened.
 */
export function withAfterCommit<D extends Database>(db: D): { readonly db: D; readonly afterCommit: AfterCommit } {
  const left = new WeakMap<Queryable, (() => Promise<void>)[]>();
  return {
    db: {
      ...db,
      async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
        const after: (() => Promise<void>)[] = [];
        const result = await db.transaction((tx) => {
          left.set(tx, after);
          return work(tx);
        });
        for (const step of after) await step();
        return result;
      },
    },
    async afterCommit(tx, work) {
      const after = left.get(tx);
      if (after === undefined) await work();
      else after.push(work);
    },
  };
}
