import type { Queryable } from "../../../platform/postgres/database.ts";
import { type RulesPrint, readRules } from "./rules-store.ts";

export interface RulesWatchNeeds {
  readonly db: Pick<Queryable, "query">;
  readonly everyMs: number;
  /** False: nobody has rights that could change, and nobody looks. */
  readonly isNeeded: () => boolean;
  /** @param isUrgent the rules themselves have changed, not only rows they look into */
  readonly onChange: (isUrgent: boolean) => void;
}

/** Looks now and then whether something has changed that rights on private channels follow from. @returns how to stop */
export function watchRules({ db, everyMs, isNeeded, onChange }: RulesWatchNeeds): () => void {
  let last: RulesPrint | null = null;
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    if (!isNeeded()) {
      last = null;
      return;
    }
    isLooking = true;
    look()
      // While PostgreSQL is away nothing can change; the next look compares with what was before.
      .catch(() => {})
      .finally(() => {
        isLooking = false;
      });
  }, everyMs).unref();
  return () => clearInterval(timer);

  async function look(): Promise<void> {
    const now = await readRules(db);
    const before = last;
    last = now;
    // Without an earlier look nobody knows since when it is so: who joined meanwhile is asked about once.
    if (before === null || before.rules !== now.rules) onChange(true);
    else if (before.rows !== now.rows) onChange(false);
  }
}
