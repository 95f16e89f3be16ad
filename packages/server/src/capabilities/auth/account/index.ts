import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { createErasures } from "./due.ts";
import { accountRoutes } from "./routes.ts";
import { accountStore } from "./store.ts";

export { type Accounts, createAccounts, type NewAccount } from "./accounts.ts";
export { eraseAccount } from "./erase.ts";
export type { ImportedIdentity, ImportedUser, ImportOptions, ImportOutcome } from "./import.ts";

/**
 * What another part does when an account goes, before its rows do, in the same transaction. What is outside the database (files, a
 * provider's tokens) is put into a queue there, so that it is neither lost nor done for an account that stays.
 */
export type OnErased = (tx: Queryable, userId: string) => Promise<void>;

/** Export and deletion of accounts. */
export function accountPart(context: AuthContext): AuthPart {
  const { settings, db } = context;
  const erasures = createErasures(context);
  return {
    routes: accountRoutes(context),
    async start() {
      await accountStore.setPolicy(db, {
        freshSeconds: settings.accountFreshSeconds,
        graceDays: settings.accountGraceDays,
        erasedTables: settings.accountErasedTables,
      });
      erasures.start();
    },
    stop: () => erasures.stop(),
  };
}
