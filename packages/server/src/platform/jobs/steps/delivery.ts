import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../../postgres/database.ts";
import type { StopListening } from "../../postgres/listener.ts";
import { DueTimer } from "../schedules/due-timer.ts";
import type { jobsSettings } from "../settings.ts";
import { jobEventsChannel, stepsStore } from "./store.ts";

export interface EventDeliveryNeeds {
  readonly db: Pick<Database, "query" | "background" | "listen">;
  readonly settings: Pick<Values<typeof jobsSettings>, "jobsKeepEventsMs">;
  readonly observe: Observe;
}

/** Wakes workflows that wait for events. One per node; whichever is first does it. */
export interface EventDelivery {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Jobs that one statement wakes. */
const batchSize = 500;
/** What is past its time is removed so often, in ms. */
const sweepMs = 600_000;

/**
 * Events and waits meet here, after both were committed: whoever sends does not see a wait that is not committed yet, and whoever begins
 * to wait does not see such an event; each of them tells all nodes with its commit, and the later of the two is looked at with both there.
 */
export function createEventDelivery({ db, settings, observe }: EventDeliveryNeeds): EventDelivery {
  let stopListening: StopListening | null = null;
  let sweeps: NodeJS.Timeout | null = null;
  const timer = new DueTimer({
    async look() {
      for (;;) {
        const { found, woken } = await stepsStore.deliver(db.background, batchSize);
        // A job that somebody had locked is there in a moment, or waits no more.
        if (woken < found) return 0;
        if (found < batchSize) return null;
      }
    },
    lookMs: 1_000,
    observe,
    area: "jobs",
  });

  return {
    async start() {
      stopListening = await db.listen([jobEventsChannel], () => timer.wake());
      timer.start();
      const sweep = () => void stepsStore.sweep(db, settings.jobsKeepEventsMs).catch(() => {});
      sweep();
      sweeps = setInterval(sweep, sweepMs);
      sweeps.unref();
    },
    async stop() {
      if (sweeps !== null) clearInterval(sweeps);
      await stopListening?.();
      stopListening = null;
      await timer.stop();
    },
  };
}
