import { reasonOf } from "../../../kernel/reason.ts";
import { sealStore } from "../audit/seal-store.ts";
import { auditStore } from "../audit/store.ts";
import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { deviceStore } from "./device-store.ts";

const everyMs = 600_000;
/** Entries of the audit log deleted at once: a short lock, many times. */
const auditBatch = 1_000;
const auditBatchesMax = 100;

/** Throws away what protection needs no more, now and then. Every node does: rows are deleted once, whoever comes first. */
export function protectionPart(context: AuthContext): AuthPart {
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  return {
    async start() {
      // Not all nodes at once.
      timer = setInterval(
        () => {
          running = sweep(context);
        },
        everyMs * (0.75 + Math.random() / 2),
      ).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      await running;
    },
  };
}

/** What fails is tried again the next time: most often the database is away. */
export async function sweep({ db, limits, lockout, settings, observe }: AuthContext): Promise<void> {
  try {
    await limits.sweep();
    await lockout.sweep();
    await deviceStore.sweep(db, settings.knownDeviceDays);
    for (let batch = 0; batch < auditBatchesMax; batch++) {
      if ((await auditStore.sweep(db, auditBatch)) < auditBatch) break;
    }
    await sealStore.sweep(db);
  } catch (error) {
    const reason = reasonOf(error);
    observe({ kind: "warning", area: "auth", message: `Old counters could not be swept: ${reason}` });
  }
}
