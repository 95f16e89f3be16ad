import { Problem } from "../../../kernel/problem.ts";
import type { AuthContext } from "../context.ts";
import { eraseAccount } from "./erase.ts";
import { accountStore } from "./store.ts";

/** How often it is looked whether somebody's time has come, in ms: who deletes an account by SQL waits so long at most. */
const pollMs = 15_000;

/** Erases the accounts whose grace period is over, and those that were deleted by SQL. Any number of nodes may do it. */
export function createErasures(context: AuthContext) {
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  let isStopping = false;

  /** @returns false when none is due */
  async function eraseNext(): Promise<boolean> {
    let userId: string | null = null;
    try {
      await context.db.transaction(async (tx) => {
        userId = await accountStore.takeDue(tx);
        if (userId !== null) await eraseAccount(context, tx, userId);
      });
    } catch (error) {
      if (userId === null) throw error;
      const reason = error instanceof Problem ? error.code : "unexpected";
      await accountStore.postpone(context.db, userId, reason);
      context.observe({
        kind: "warning",
        area: "auth",
        message: `An account could not be deleted yet (${reason}); mainstay.account_erasures has it.`,
      });
    }
    return userId !== null;
  }

  async function eraseDue(): Promise<void> {
    while (!isStopping && (await eraseNext()));
  }

  /** Mostly nobody's time has come, and finding that out takes no connection of its own. */
  async function look(): Promise<void> {
    if (await accountStore.isAnyDue(context.db.background)) await eraseDue();
  }

  return {
    eraseDue,
    start(): void {
      const tick = () => {
        // A database that is away is reported by those who hold its connections; this comes again.
        running = look().catch(() => {});
        void running.finally(() => {
          if (isStopping) return;
          timer = setTimeout(tick, pollMs);
          timer.unref();
        });
      };
      tick();
    },
    async stop(): Promise<void> {
      isStopping = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}
