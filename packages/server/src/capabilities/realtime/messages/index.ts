import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { RealtimeContext } from "../context.ts";
import { type MessagesState, messagesStore } from "./messages-store.ts";

export type { MessagesState } from "./messages-store.ts";

/** Room is made for so many days after today: a server that is down for shorter has it when it is back. */
const aheadDays = 3;
/** What another node has done, or is at, or what another time will do: see `addDay`. */
const expected = new Set(["23514", "42P07", "42P01", "55P03", "40P01"]);

export interface MessagesKeeper {
  start(): void;
  /** Resolves when nothing is under way. */
  stop(): Promise<void>;
  /** Does now what is to be done. Rejects when PostgreSQL is away. */
  maintain(): Promise<void>;
}

/** What is to be done; `null` when there is no such table. Rejects as the database does. */
export const examineMessages = (
  db: RealtimeContext["db"],
  { realtimeMessagesKeepDays }: RealtimeContext["settings"],
): Promise<MessagesState | null> => messagesStore.state(db, realtimeMessagesKeepDays, aheadDays);

/**
 * Keeps `realtime.messages` to its days. A day is dropped as a partition, which costs nothing, where deleting rows would leave them to be
 * vacuumed. Who sends no messages has nothing to keep: then nothing is made.
 */
export function createMessagesKeeper({
  db,
  settings,
  observe,
}: Pick<RealtimeContext, "db" | "settings" | "observe">): MessagesKeeper {
  const { realtimeMessagesKeepDays: keepDays } = settings;
  const reported = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;

  /** @returns whether it has been done */
  async function attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const code = sqlStateOf(error);
      if (code === null) throw error;
      if (!expected.has(code)) report(code, error as Error);
      return false;
    }
  }

  function report(code: string, { message }: Error): void {
    if (reported.has(code)) return;
    reported.add(code);
    observe({
      kind: "warning",
      area: "realtime",
      message: `The days of realtime.messages cannot be kept (${code}): ${message}. Let its owner run this server's migrations, or keep them yourself.`,
    });
  }

  async function maintain(): Promise<void> {
    const state = await messagesStore.state(db.background, keepDays, aheadDays);
    if (state === null || (!state.isUsed && state.hasDefault)) return;
    for (const day of state.missingDays) await attempt(() => messagesStore.addDay(db, day));
    for (const name of state.expired) await attempt(() => messagesStore.drop(db, name));
    if (state.hasExpiredRows) await attempt(() => messagesStore.deleteExpired(db, keepDays));
  }

  function look(): void {
    running ??= maintain()
      // PostgreSQL is away: next time.
      .catch(() => {})
      .finally(() => {
        running = null;
      });
  }

  return {
    start() {
      look();
      timer = setInterval(look, settings.realtimeMessagesMaintainMs).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      await running;
    },
    maintain,
  };
}
