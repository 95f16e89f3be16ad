import { reasonOf } from "../../../kernel/reason.ts";
import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { auditRoutes } from "./routes.ts";
import { sealDue } from "./seals.ts";
import { auditStore } from "./store.ts";

/** How the audit log is read, how long it is kept, and that it is sealed. */
export function auditPart(context: AuthContext): AuthPart {
  const { auditRetentionDays: days, auditSealSeconds } = context.settings;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  const seal = async (): Promise<void> => {
    try {
      await sealDue(context);
    } catch (error) {
      // Most often the database is away; what is not sealed now is the next time.
      const reason = reasonOf(error);
      context.observe({ kind: "warning", area: "auth", message: `The audit log could not be sealed: ${reason}` });
    }
  };
  return {
    routes: auditRoutes(context),
    async start() {
      await auditStore.setRetention(context.db, days === 0 ? null : days);
      timer = setInterval(() => {
        running = running.then(seal);
      }, auditSealSeconds * 1_000).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      await running;
    },
  };
}
